"""What the demo shows while it runs: a live picture for a terminal, or one line a second for everything else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from moderato.cli.demo_seen import Ages, Seen
from moderato.cli.ledger import PUBLISHED, RECEIVED, REJECTED, Counts
from moderato.records import ActionType, OutcomeState, Severity
from moderato.sources import Source

VERDICTS = "moderato_verdicts_total"
SIGNALS = "moderato_signals_total"
ACTIONS = "moderato_actions_total"
OUTCOMES = "moderato_outcomes_total"

STYLES = {
    Severity.NONE: "green",
    Severity.LOW: "cyan",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold red",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment. `elapsed` of `seconds`; `sent` by the vendors, `delivered` to the customer's webhook; `sessions` are
    the tasks that run on request; `rate` in callbacks a second; `memory` in bytes, None where the system does not tell;
    `notice` is the last warning."""

    doing: str
    elapsed: float
    seconds: float
    counts: Counts
    seen: Seen
    sent: int
    delivered: int
    sessions: int
    rate: float
    memory: int | None
    metrics_url: str
    notice: str | None = None


def picture(frame: Frame) -> RenderableType:
    """The whole live picture; 80 columns are enough for it."""
    panel = Panel(
        Group(_progress(frame), Text(), _flow(frame), Text(), _sources(frame), Text(), _facts(frame)),
        title="[bold]Moderato[/] demo",
        box=box.ROUNDED,
        padding=(0, 1),
    )
    # The cursor waits in a line of its own, so that the echo of Ctrl-C moves nothing.
    return Group(panel, Text())


def _progress(frame: Frame) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    bar = ProgressBar(total=frame.seconds, completed=min(frame.elapsed, frame.seconds))
    grid.add_row(frame.doing, bar, f"{min(frame.elapsed, frame.seconds):.0f} of {frame.seconds:.0f} s")
    return grid


def _flow(frame: Frame) -> RenderableType:
    counts = frame.counts
    stations = (
        ("vendors", frame.sent, "sent"),
        ("receiver", counts.total(PUBLISHED), "published"),
        ("normalizer", counts.total(VERDICTS), "verdicts"),
        ("policy", counts.total(ACTIONS), "actions"),
        ("enforcer", counts.total(OUTCOMES), "outcomes"),
        ("webhook", frame.delivered, "delivered"),
    )
    grid = Table.grid(expand=True)
    for place in range(len(stations)):
        if place:
            grid.add_column(width=2)
        grid.add_column(justify="center", ratio=1)
    cells = [
        Text.assemble((name, "bold"), "\n", (f"{count:,}", "bold green"), "\n", (unit, "dim"))
        for name, count, unit in stations
    ]
    grid.add_row(*_joined(cells, Text("─▶", "dim")))
    return grid


def _joined(cells: Sequence[Text], between: Text) -> list[Text]:
    return [part for cell in cells for part in (between, cell)][1:]


def _sources(frame: Frame) -> RenderableType:
    counts = frame.counts
    received, published = counts.by(RECEIVED, "source"), counts.by(PUBLISHED, "source")
    verdicts, signals = counts.by(VERDICTS, "source", "severity"), counts.by(SIGNALS, "source")
    table = Table(box=box.SIMPLE_HEAVY, show_edge=False, padding=0, expand=True, show_footer=True)
    table.add_column("source", footer="all", footer_style="bold", no_wrap=True)
    _add_count(table, "received", "", sum(received.values()))
    _add_count(table, "published", "", sum(published.values()))
    for severity in Severity:
        total = sum(count for (_, found), count in verdicts.items() if found == severity)
        _add_count(table, severity, STYLES[severity], total)
    _add_count(table, "signals", "", sum(signals.values()))
    _add_count(table, "dead", "magenta", sum(frame.seen.dead_letters.values()))
    for source in Source:
        table.add_row(
            source,
            _count(received[source,]),
            _count(published[source,]),
            *(_count(verdicts[source, severity]) for severity in Severity),
            _count(signals[source,]),
            _count(frame.seen.dead_letters[source]),
        )
    return table


def _add_count(table: Table, name: str, style: str, total: int) -> None:
    table.add_column(
        name,
        footer=_count(total),
        justify="right",
        header_style=style,
        style=style,
        footer_style=f"bold {style}",
        no_wrap=True,
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else "·"


def _facts(frame: Frame) -> RenderableType:
    counts, seen = frame.counts, frame.seen
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    grid.add_row("sessions", f"{frame.sessions} rooms are watched through the Sessions API")
    grid.add_row("actions", _listed(counts.by(ACTIONS, "type"), ActionType))
    grid.add_row("outcomes", _listed(counts.by(OUTCOMES, "state"), OutcomeState))
    grid.add_row("age", f"to verdict {_ages(seen.verdict_ages)}; to outcome {_ages(seen.outcome_ages)}")
    grid.add_row(
        "process", f"{frame.rate:.0f} callbacks/s, memory {_mebibytes(frame.memory)}, {frame.metrics_url}"
    )
    rejected = counts.by(REJECTED, "code")
    if rejected.total():
        grid.add_row("rejected", _listed(rejected, sorted(code for (code,) in rejected)))
    if frame.notice:
        grid.add_row("warning", Text(frame.notice, "yellow", no_wrap=True, overflow="ellipsis"))
    return grid


def _listed(counted: Mapping[tuple[str, ...], int], order: Iterable[str]) -> str:
    found = [f"{name} {counted[name,]:,}" for name in order if counted.get((name,))]
    return ", ".join(found) or "none yet"


def _ages(ages: Ages) -> str:
    return f"p50 {milliseconds(ages.percentile(0.5))}, p99 {milliseconds(ages.percentile(0.99))}"


def milliseconds(seconds: float | None) -> str:
    """Seconds for people: in ms below ten seconds; - for None."""
    if seconds is None:
        return "-"
    return f"{seconds * 1000:,.0f} ms" if seconds < 10 else f"{seconds:,.0f} s"


def _mebibytes(memory: int | None) -> str:
    return "unknown" if memory is None else f"{memory / 2**20:.0f} MiB"


def plain_line(frame: Frame) -> str:
    """The same in one line of text."""
    counts = frame.counts
    by_severity = counts.by(VERDICTS, "severity")
    severities = ", ".join(f"{severity} {by_severity[severity,]}" for severity in Severity)
    return (
        f"{frame.elapsed:3.0f} s  {frame.doing}: received {counts.total(RECEIVED)},"
        f" published {counts.total(PUBLISHED)}, rejected {counts.total(REJECTED)};"
        f" verdicts {counts.total(VERDICTS)} ({severities}),"
        f" signals {counts.total(SIGNALS)}, actions {counts.total(ACTIONS)}, outcomes {counts.total(OUTCOMES)},"
        f" dead letters {sum(frame.seen.dead_letters.values())};"
        f" age at the verdict {_ages(frame.seen.verdict_ages)}, at the outcome {_ages(frame.seen.outcome_ages)};"
        f" {frame.sessions} sessions, {frame.rate:.0f}/s, {_mebibytes(frame.memory)}"
    )
