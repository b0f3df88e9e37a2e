"""Plots as inline SVG, coloured by the style sheet of the page they stand in: classes `new`, `old`, `axis`, `grid`."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from moderato.cli.chain import printable

_WIDTH = 860
_LABEL = 190  # for the names on the left
_ROW = 26
_LONGEST = 25  # characters of a name


class Bar(NamedTuple):
    """A row of a bar chart. `old` is that of the baseline, where there is one."""

    name: str
    new: int
    old: int | None = None


class Range(NamedTuple):
    """A share with what it leaves open, 0 to 1, and the number that it comes from."""

    name: str
    share: float
    low: float
    high: float
    words: str


def bars(title: str, rows: Sequence[Bar]) -> str:
    """One horizontal bar a row, or two with a baseline."""
    most = max((max(row.new, row.old or 0) for row in rows), default=0) or 1
    scale = (_WIDTH - _LABEL - 110) / most
    parts = []
    for place, row in enumerate(rows):
        top = place * _ROW
        parts.append(_name(row.name, top))
        values = [("new", row.new)] + ([] if row.old is None else [("old", row.old)])
        high = 16 / len(values)
        for number, (kind, value) in enumerate(values):
            y = top + 5 + number * high
            parts.append(
                f'<rect class="{kind}" x="{_LABEL}" y="{y:g}" width="{value * scale:.1f}" height="{high - 1:g}"/>'
            )
        words = f"{row.new:,}" if row.old is None else f"{row.new:,} / {row.old:,}"
        end = _LABEL + max(value for _, value in values) * scale
        parts.append(f'<text x="{end + 6:.1f}" y="{top + 17}">{words}</text>')
    return _svg(title, len(rows) * _ROW + 4, parts)


def columns(
    title: str, new: Sequence[int], old: Sequence[int] | None, labels: Sequence[tuple[int, str]]
) -> str:
    """Columns side by side, the baseline's beside the others. `labels`: under which column stands what."""
    most = max([*new, *(old or [])], default=0) or 1
    left, high = 50, 160
    step = (_WIDTH - left - 10) / max(1, len(new))
    parts = []
    for part in sorted({0, most // 2, most}):
        y = 10 + high - part / most * high
        parts.append(f'<line class="grid" x1="{left}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis" text-anchor="end" x="{left - 6}" y="{y + 4:.1f}">{part:,}</text>')
    series = [("new", new)] + ([] if old is None else [("old", old)])
    wide = max(1.0, min(36.0, step * 0.8 / len(series)))
    for number, (kind, values) in enumerate(series):
        for place, value in enumerate(values):
            if value:
                x = left + place * step + (step - wide * len(series)) / 2 + number * wide
                tall = value / most * high
                parts.append(
                    f'<rect class="{kind}" x="{x:.1f}" y="{10 + high - tall:.1f}" width="{wide:.1f}"'
                    f' height="{tall:.1f}"><title>{value:,}</title></rect>'
                )
    for place, words in labels:
        x = left + (place + 0.5) * step
        parts.append(
            f'<text class="axis" text-anchor="middle" x="{x:.1f}" y="{high + 28}">{_text(words)}</text>'
        )
    return _svg(title, high + 36, parts)


def ranges(title: str, rows: Sequence[Range]) -> str:
    """Shares as dots on lines from their lowest to their highest, 0 to 100 %."""
    scale = _WIDTH - _LABEL - 210
    high = len(rows) * _ROW
    parts = []
    for percent in (0, 25, 50, 75, 100):
        x = _LABEL + percent / 100 * scale
        parts.append(f'<line class="grid" x1="{x:g}" x2="{x:g}" y1="0" y2="{high}"/>')
        parts.append(f'<text class="axis" text-anchor="middle" x="{x:g}" y="{high + 16}">{percent} %</text>')
    for place, row in enumerate(rows):
        y = place * _ROW + _ROW / 2
        low, top, dot = (_LABEL + share * scale for share in (row.low, row.high, row.share))
        parts += [
            _name(row.name, place * _ROW),
            f'<line class="span" x1="{low:.1f}" x2="{top:.1f}" y1="{y:g}" y2="{y:g}"/>',
            f'<circle class="new" cx="{dot:.1f}" cy="{y:g}" r="5"/>',
            f'<text x="{_LABEL + scale + 14}" y="{y + 4:g}">{_text(row.words)}</text>',
        ]
    return _svg(title, high + 24, parts)


def spark(counts: Sequence[int], kind: str) -> str:
    """Small columns without words, for a cell of a table; `kind` is new or old."""
    most, step = max(counts, default=0) or 1, 120 / max(1, len(counts))
    wide = max(0.8, step * 0.8)
    parts = []
    for place, count in enumerate(counts):
        if count:
            high = 20 * count / most
            parts.append(
                f'<rect class="{kind}" x="{place * step:.1f}" y="{20 - high:.1f}" width="{wide:.1f}"'
                f' height="{high:.1f}"/>'
            )
    return f'<svg class="spark" viewBox="0 0 120 20" aria-hidden="true">{"".join(parts)}</svg>'


def _name(name: str, top: float) -> str:
    half = _LONGEST // 2
    short = name if len(name) <= _LONGEST else f"{name[:half]}…{name[-half:]}"
    return (
        f'<text text-anchor="end" x="{_LABEL - 8}" y="{top + 17:g}">{_text(short)}'
        f"<title>{_text(name)}</title></text>"
    )


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-label="{_text(title)}">{"".join(parts)}</svg>'


def _text(text: str) -> str:
    return escape(printable(text))
