"""The table of fault runs, as Markdown."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from tests.faults.runs import Run

_HEAD = (
    "| fault | runs | sent | acknowledged | lost | invented | altered | out of order | duplicates "
    "| longest unavailability | recovery, median / most | results after, median / most |"
)


def table(runs: Sequence[Run]) -> str:
    """A line a fault; runs with several at once are one line. Seconds."""
    groups: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.faults[0] if len(run.faults) == 1 else "two at once"].append(run)
    lines = [_line(name, groups[name]) for name in sorted(groups)]
    return "\n".join([_HEAD, "|---" * 12 + "|", *lines, _line("**all**", runs)])


def _line(name: str, runs: Sequence[Run]) -> str:
    recovery, results = [run.recovery for run in runs], [run.results for run in runs]
    cells = [
        name,
        len(runs),
        f"{sum(run.sent for run in runs):,}",
        f"{sum(run.acknowledged for run in runs):,}",
        sum(len(run.found.lost) for run in runs),
        sum(len(run.found.invented) for run in runs),
        sum(len(run.found.altered) for run in runs),
        sum(len(run.found.disordered) for run in runs),
        f"{sum(run.duplicates for run in runs):,}",
        f"{max(run.gap for run in runs):.1f}",
        f"{median(recovery):.1f} / {max(recovery):.1f}",
        f"{median(results):.1f} / {max(results):.1f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"
