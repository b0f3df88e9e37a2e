"""How the chain behind an action is shown."""

import base64
from typing import Any

from rich.console import Console
from rich.text import Text

from moderato.cli.chain import RULES, STYLES, printable
from moderato.cli.dlq_show import readable
from moderato.trace import Raw, Traced

_MOST_LINES = 60  # of a body
_MOST_STRIKES = 10


def show(traced: Traced) -> None:
    """Prints the chain in its order: callback, verdict, action, outcomes."""
    console = Console(highlight=False, soft_wrap=True)
    action, verdict = traced.action, traced.verdict
    if verdict:
        _callback(console, verdict, traced.raw)
        severity = str(verdict["severity"])
        words = f"{verdict['decision']} -> {verdict['category']} -> {severity}"
        _part(console, f"2. verdict  {words}", STYLES.get(severity, "bold"), _verdict_rows(verdict))
    else:
        _part(console, f"1. asked for by {action['requested_by']}", "bold", [])
    if traced.strikes:
        _strikes(console, traced)
    target, rule = action["target"], action["rule"]
    rows = [
        ("rule", f"{rule['id']}, in the policy with the hash {rule['version']}" if verdict else None),
        ("takes back", action.get("undoes") and f"{action['lifts']} {action['undoes']}"),
        ("braked", action.get("braked")),
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


def _strikes(console: Console, traced: Traced) -> None:
    counted = traced.action["counted"]
    rows: list[tuple[str, str | None]] = [
        (
            str(strike.get("occurred_at")),
            f"{strike.get('category')} {strike.get('severity')}  {strike.get('id')}",
        )
        for strike in traced.strikes[-_MOST_STRIKES:]
    ]
    title = f"   counted: number {counted['number']} of {counted['subject']}; verdicts of a day before, the last ones"
    _part(console, title, "bold", rows)


def _callback(console: Console, verdict: dict[str, Any], raw: Raw | None) -> None:
    place = verdict["raw"]
    rows = [
        ("received", verdict["received_at"]),
        ("place", f"{place['topic']}, partition {place['partition']}, offset {place['offset']}"),
        ("id", place["id"]),
    ]
    if raw is None:
        rows.append(("body", "Kafka has deleted it: it is older than the topic's retention"))
    _part(console, f"1. callback  {verdict['source']}", "bold", rows)
    if raw is not None and raw.body_b64 is not None:
        lines = readable(base64.b64decode(raw.body_b64))
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
