"""How a verdict came about, in words: from the vendor's labels to the severity, and what every rule in it did."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from moderato.records import Label, Signal, Span, Verdict
from moderato.times import rfc3339

# The rules of docs/severity.md, section 1.
RULES = {
    "decision": "the decision, {decision}, sets the base severity",
    "category": "the vendor's label gives the category, {category}",
    "grave": "{category} weighs more than the base severity of {decision}",
    "light": "{category} weighs less than the base severity of {decision}",
    "suspect-low": "the vendor is only a little suspicious: one step down",
    "low-confidence": "the machine is not sure enough: one step down",
    "human": "a person decided by an action of their own, which sets the severity",
    "contradiction": "{decision} without a label that says why: category other, severity of the decision",
    "unmapped": "no table has this label: category other, severity of the decision",
    "fail-safe": "nobody judged this content, so a person has to",
}

Row = tuple[str, str]

STYLES = {"none": "green", "low": "cyan", "medium": "yellow", "high": "red", "critical": "bold red"}


def show(verdicts: Sequence[Verdict], signals: Sequence[Signal]) -> None:
    """Prints verdicts and signals to stdout: wrapped at a terminal, one line a fact elsewhere."""
    console = Console(highlight=False)
    for number, verdict in enumerate(verdicts, 1):
        words = (
            f"{verdict.decision} -> {verdict.category} -> {verdict.severity} ({verdict.severity_level} of 4)"
        )
        title = f"verdict {number} of {len(verdicts)}  {verdict.source}  {words}"
        _show(console, title, STYLES[verdict.severity], verdict_rows(verdict))
    for number, signal in enumerate(signals, 1):
        title = f"signal {number} of {len(signals)}  {signal.source}  {signal.kind}"
        _show(console, title, "magenta", signal_rows(signal))


def _show(console: Console, title: str, style: str, rows: Sequence[Row]) -> None:
    console.print(Text(title, style), soft_wrap=True)
    if console.is_terminal:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, text in rows:
            grid.add_row(f"  {label}", Text(text))
        console.print(grid)
    else:
        width = max(len(label) for label, _ in rows)
        for label, text in rows:
            for line in text.split("\n"):
                console.print(Text(f"  {label:<{width}}  {line}"), soft_wrap=True)
    console.print()


def verdict_rows(verdict: Verdict) -> list[Row]:
    """Label and text of everything worth saying about a verdict, the chain first; text is safe for a terminal."""
    rows = [("labels", "; ".join(map(_label, verdict.labels)) or "none")]
    rows += [
        (f"{step}. {rule}", RULES[rule].format(decision=verdict.decision, category=verdict.category))
        for step, rule in enumerate(verdict.mapping.rules, 1)
    ]
    flags = [name for name in ("final", "unmapped", "degraded") if getattr(verdict, name)]
    return _told(
        [
            *rows,
            ("tables", f"version {verdict.mapping.version}"),
            ("judge", verdict.judge),
            ("confidence", None if verdict.confidence is None else f"{verdict.confidence:g}"),
            ("flags", ", ".join(flags)),
            ("text", verdict.text),
            ("keywords", ", ".join(verdict.keywords)),
            ("evidence", "\n".join(f"{each.kind} {each.url}" for each in verdict.evidence)),
            ("media", verdict.media),
            ("account", verdict.account),
            ("file", verdict.file),
            *_place(verdict),
        ]
    )


def signal_rows(signal: Signal) -> list[Row]:
    """The same for a signal."""
    return _told(
        [
            ("code", signal.code),
            ("message", signal.message),
            ("text", signal.text),
            *_place(signal),
        ]
    )


def _place(record: Verdict | Signal) -> list[tuple[str, str | None]]:
    raw = record.raw
    return [
        ("room", record.room),
        ("user", record.user),
        ("session", record.session_id),
        ("task", record.task_id),
        ("segment", record.segment_id),
        ("span", _span(record.span)),
        ("occurred", record.occurred_at),
        ("id", record.id),
        ("raw", f"{raw.topic}, partition {raw.partition}, offset {raw.offset}, id {raw.id}"),
    ]


def _told(rows: list[tuple[str, str | None]]) -> list[Row]:
    return [(label, "\n".join(map(printable, text.splitlines()))) for label, text in rows if text]


def _label(label: Label) -> str:
    details = []
    if label.level is not None:
        details.append(f"level {label.level}")
    if label.confidence is not None:
        details.append(f"rate {label.confidence:g}")
    words = [label.code, label.name or "", f"({', '.join(details)})" if details else ""]
    return f"{' '.join(filter(None, words))} -> {label.category}"


def _span(span: Span | None) -> str | None:
    if span is None:
        return None
    if span.clock == "epoch":
        return f"{rfc3339(span.start) or span.start} to {rfc3339(span.end) or span.end}"
    return f"{span.start:g} s to {span.end:g} s of the stream or file"


def printable(text: str) -> str:
    """`text` with everything that could move a terminal's cursor or hide itself written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
