"""A backtest as Markdown."""

import re
from collections.abc import Mapping, Sequence

from moderato.cli.backtest_report import Cell, Section, Table
from moderato.cli.chain import printable
from moderato.cli.hours import Scale
from moderato.times import rfc3339
from sinks.policy.backtest import Backtest

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 72  # bars in a line
_SPECIAL = re.compile(r"([\\`*\[\]|<>])")


def markdown(found: Sequence[Section], test: Backtest) -> str:
    """The whole report."""
    parts = ["# Backtest of a policy\n"]
    for section in found:
        parts.append(f"## {section.title}\n")
        if section.note:
            parts.append(f"{section.note}\n")
        parts.append(f"{section.empty}\n" if not section.table.rows and section.empty else _table(section))
        if section.name == "rules" and test.verdicts:
            parts.append(_hours(test))
    return "\n".join(parts)


def _table(section: Section) -> str:
    dashes = ["---:" if each else "---" for each in numeric(section.table)]
    rows = [section.table.columns, dashes, *([_cell(cell) for cell in row] for row in section.table.rows)]
    return "\n".join(map(_row, rows)) + "\n"


def numeric(table: Table) -> list[bool]:
    """Of each column whether it is to stand right: of numbers, with a word here and there."""
    columns = zip(*table.rows, strict=True) if table.rows else [()] * len(table.columns)
    return [2 * sum(isinstance(cell, int) for cell in column) > len(column) for column in columns]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int) else _SPECIAL.sub(r"\\\1", printable(cell))


def _hours(test: Backtest) -> str:
    """A line of bars for all verdicts, and one for each rule, on the same hours."""
    scale = Scale.of(test.hours, _WIDEST)
    lines = [
        f"By the {scale.span} from {rfc3339(scale.first * 3600.0)} on, each line to its own scale:\n",
        "```",
    ]
    rows: list[tuple[str, Mapping[int, int]]] = [("all verdicts", test.hours)]
    rows += [(acts.rule.id, acts.hours) for acts in test.new.rules.values() if acts.hours]
    width = max(len(name) for name, _ in rows)
    for name, hours in rows:
        counts = scale.binned(hours)
        lines.append(f"{name:<{width}}  {_bars(counts)}  at most {max(counts):,}")
    return "\n".join([*lines, "```"]) + "\n"


def _bars(counts: Sequence[int]) -> str:
    most = max(counts) or 1
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] if count else " " for count in counts)
