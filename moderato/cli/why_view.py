"""How the chain behind an action is shown."""

import base64
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from moderato.cli.chain import RULES, STYLES, printable
from moderato.cli.dlq_show import readable
from moderato.cli.why_run import Traced

_MOST_LINES = 60  # of a body


def as_json(traced: Traced) -> str:
    """One JSON object; the body in base64."""
    raw = traced.raw
    action = dict(traced.action)
    return orjson.dumps(
        {
            "action": {name: value for name, value in action.items() if name != "verdict"},
            "demanded": traced.demanded,
            "verdict": action["verdict"],
            "outcomes": traced.outcomes,
            "raw": None
            if raw is None
            else {
                "topic": raw.topic,
                "partition": raw.partition,
                "offset": raw.offset,
                "headers": {name: (value or b"").decode("utf-8", "replace") for name, value in raw.headers},
                "body_b64": base64.b64encode(raw.value or b"").decode(),
            },
        }
    ).decode()


def show(traced: Traced) -> None:
    """Prints the chain in its order: callback, verdict, action, outcomes."""
    console = Console(highlight=False, soft_wrap=True)
    action, verdict = traced.action, traced.action["verdict"]
    _callback(console, traced)
    severity = str(verdict["severity"])
    words = f"{verdict['decision']} -> {verdict['category']} -> {severity}"
    _part(console, f"2. verdict  {words}", STYLES.get(severity, "bold"), _verdict_rows(verdict))
    target, rule = action["target"], action["rule"]
    rows = [
        ("rule", f"{rule['id']}, in the policy with the hash {rule['version']}"),
        ("mode", action["mode"]),
        ("message", action["message"]),
        ("duration", None if action["duration"] is None else f"{action['duration']:g} s"),
        ("demanded at", action["created_at"]),
        ("not after", action["expires_at"]),
        ("id", action["id"]),
        ("written", f"{traced.demanded} times, with the same id" if traced.demanded > 1 else None),
    ]
    _part(console, f"3. action  {action['type']} {target['kind']} {target['id']}", "bold", rows)
    if not traced.outcomes:
        _part(console, "4. outcome  none yet", "yellow", [])
    for outcome in traced.outcomes:
        attempts = outcome["attempts"]
        rows = [
            ("by", f"{outcome['executor']}, {attempts} attempt{'' if attempts == 1 else 's'}"),
            ("detail", outcome["detail"]),
            ("finished", outcome["finished_at"]),
        ]
        _part(console, f"4. outcome  {outcome['state']}", "bold", rows)


def _callback(console: Console, traced: Traced) -> None:
    verdict = traced.action["verdict"]
    place = verdict["raw"]
    rows = [
        ("received", verdict["received_at"]),
        ("place", f"{place['topic']}, partition {place['partition']}, offset {place['offset']}"),
        ("id", place["id"]),
    ]
    if traced.raw is None:
        rows.append(("body", "Kafka has deleted it: it is older than the topic's retention"))
    _part(console, f"1. callback  {verdict['source']}", "bold", rows)
    if traced.raw is not None and traced.raw.value is not None:
        lines = readable(traced.raw.value)
        for line in lines[:_MOST_LINES]:
            console.print(Text(f"     {printable(line)}", "dim"))
        if len(lines) > _MOST_LINES:
            console.print(Text(f"     ... {len(lines) - _MOST_LINES} more lines: --json has them all", "dim"))
        console.print()


def _verdict_rows(verdict: dict[str, Any]) -> list[tuple[str, str | None]]:
    mapping = verdict["mapping"]
    labels = [
        f"{label['code']} {label['name'] or ''}".strip() + f" -> {label['category']}"
        for label in verdict["labels"]
    ]
    return [
        ("labels", "; ".join(labels) or "none"),
        *(
            (name, RULES[name].format(decision=verdict["decision"], category=verdict["category"]))
            for name in mapping["rules"]
            if name in RULES
        ),
        ("tables", f"version {mapping['version']}"),
        ("judge", verdict["judge"]),
        ("text", verdict["text"]),
        ("room", verdict["room"]),
        ("user", verdict["user"]),
        ("occurred", verdict["occurred_at"]),
        ("id", verdict["id"]),
    ]


def _part(console: Console, title: str, style: str, rows: list[tuple[str, str | None]]) -> None:
    console.print(Text(printable(title), style))
    told = [(name, text) for name, text in rows if text]
    width = max((len(name) for name, _ in told), default=0)
    for name, text in told:
        for line in text.splitlines():
            console.print(Text(f"   {name:<{width}}  {printable(line)}"))
    console.print()
