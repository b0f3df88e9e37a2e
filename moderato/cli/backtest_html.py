"""A backtest as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from collections.abc import Sequence
from html import escape

from moderato.cli.backtest_markdown import numeric
from moderato.cli.backtest_report import Cell, Section, by_mode, wilson
from moderato.cli.chain import printable
from moderato.cli.hours import Scale
from moderato.cli.svg import Bar, Range, bars, columns, ranges, spark
from moderato.times import rfc3339
from sinks.policy.backtest import Acts, Backtest

_COLUMNS = 48  # in the plot of hours, and as many labels as fit
_LABELS = 6
_LONG = 24  # characters that a cell may have without being broken

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1c2430; --dim: #5b6675; --line: #dde2e8; --card: #f5f7f9;
  --new: #2463c9; --old: #c07a1d; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --text: #e3e8ee; --dim: #9aa6b4; --line: #303842;
  --card: #1c2229; --new: #7db0ff; --old: #e5a656; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 24px 20px 60px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 38px 0 4px; }
p { margin: 4px 0 12px; color: var(--dim); max-width: 80ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 18px 0; }
.cards div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.cards b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; } .cards span { color: var(--dim); }
.wide { overflow-x: auto; } figure { margin: 14px 0; } figcaption { color: var(--dim); margin-bottom: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; }
td.long { overflow-wrap: anywhere; min-width: 15ch; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { display: block; width: 100%; max-width: 860px; height: auto; font: 13px system-ui, sans-serif; }
svg.spark { width: 120px; height: 20px; } svg text { fill: var(--text); } svg text.axis { fill: var(--dim); }
.new { fill: var(--new); } .old { fill: var(--old); } .grid { stroke: var(--line); }
.span { stroke: var(--new); stroke-width: 2; opacity: .55; }
.key::before { content: ""; display: inline-block; width: 11px; height: 11px; margin: 0 5px 0 12px; }
.key.new::before { background: var(--new); } .key.old::before { background: var(--old); }
"""


def page(found: Sequence[Section], test: Backtest) -> str:
    """The whole report."""
    parts = [_cards(test)]
    for section in found:
        parts.append(f"<h2>{_text(section.title)}</h2>")
        if section.note:
            parts.append(f"<p>{_text(section.note)}</p>")
        parts += _plots(section, test)
        empty = not section.table.rows and section.empty
        parts.append(f"<p>{_text(section.empty)}</p>" if empty else _table(section, test))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Backtest of a policy</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>Backtest of a policy</h1>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def _cards(test: Backtest) -> str:
    modes = by_mode(test.new)
    cards = [
        ("verdicts", f"{test.verdicts:,}"),
        ("actions enforced", f"{_of_mode(modes, 'enforce'):,}"),
        ("actions in shadow", f"{_of_mode(modes, 'shadow'):,}"),
    ]
    if test.old:
        cards.insert(2, ("enforced before", f"{_of_mode(by_mode(test.old), 'enforce'):,}"))
        acted = test.difference.acted
        cards += [
            ("newly acted on", f"{acted['new'][0]['verdicts']:,}"),
            ("acted on no more", f"{acted['gone'][0]['verdicts']:,}"),
        ]
    made = "".join(f"<div><b>{value}</b><span>{words}</span></div>" for words, value in cards)
    return f'<div class="cards">{made}</div>'


def _of_mode(modes: dict[tuple[str, str], int], mode: str) -> int:
    return sum(count for (_, each), count in modes.items() if each == mode)


def _plots(section: Section, test: Backtest) -> list[str]:
    if not test.verdicts:
        return []
    if section.name == "rules":
        return [_by_rule(test), _by_hour(test), *_precisions(test)]
    return []


def _by_rule(test: Backtest) -> str:
    old = test.old.rules if test.old else {}
    rows = [
        Bar(acts.rule.id, acts.verdicts, None if test.old is None else _verdicts(old.get(acts.rule.id)))
        for acts in test.new.rules.values()
    ]
    rows += [Bar(acts.rule.id, 0, acts.verdicts) for name, acts in old.items() if name not in test.new.rules]
    return _figure("Verdicts on which a rule acted", bars("verdicts by rule", rows), test)


def _verdicts(acts: Acts | None) -> int:
    return acts.verdicts if acts else 0


def _by_hour(test: Backtest) -> str:
    scale = Scale.of(test.hours, _COLUMNS)
    old = scale.binned(test.old.hours) if test.old else None
    every = -(-scale.places // _LABELS)
    labels = [(place, _hour(scale.first + place * scale.wide)) for place in range(0, scale.places, every)]
    plot = columns("actions by time", scale.binned(test.new.hours), old, labels)
    return _figure(f"Enforced actions by the {scale.span}, UTC", plot, test)


def _precisions(test: Backtest) -> list[str]:
    rows = []
    for acts in test.new.rules.values():
        people = acts.people
        if people.judged:
            low, high = wilson(people.confirmed, people.judged)
            words = f"{people.confirmed:,} of {people.judged:,} confirmed"
            rows.append(Range(acts.rule.id, people.confirmed / people.judged, low, high, words))
    if not rows:
        return []
    return [
        _figure(
            "Precision by later human verdicts, and what their number leaves open", ranges("precision", rows)
        )
    ]


def _figure(caption: str, plot: str, test: Backtest | None = None) -> str:
    key = ""
    if test and test.old:
        key = '<span class="key new">this policy</span><span class="key old">baseline</span>'
    return f"<figure><figcaption>{_text(caption)}{key}</figcaption>{plot}</figure>"


def _table(section: Section, test: Backtest) -> str:
    right = numeric(section.table)
    head = [
        f'<th class="n">{_text(name)}</th>' if each else f"<th>{_text(name)}</th>"
        for each, name in zip(right, section.table.columns, strict=True)
    ]
    rows = [
        [_cell(cell, right=each) for each, cell in zip(right, row, strict=True)] for row in section.table.rows
    ]
    if section.name == "rules" and test.verdicts:
        head.append("<th>when</th>")
        scale = Scale.of(test.hours, _COLUMNS)
        both = {**(test.old.rules if test.old else {}), **test.new.rules}
        ordered = [*test.new.rules, *(name for name in both if name not in test.new.rules)]
        for name, row in zip(ordered, rows, strict=True):
            kind = "new" if name in test.new.rules else "old"
            row.append(f"<td>{spark(scale.binned(both[name].hours), kind)}</td>")
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    top = f"<thead><tr>{''.join(head)}</tr></thead>" if any(section.table.columns) else ""
    return f'<div class="wide"><table>{top}<tbody>{body}</tbody></table></div>'


def _hour(hour: int) -> str:
    text = rfc3339(hour * 3600.0) or ""
    return f"{text[5:10]} {text[11:16]}"


def _cell(cell: Cell, *, right: bool) -> str:
    kind = ' class="n"' if right else ' class="long"' if len(str(cell)) > _LONG else ""
    return f"<td{kind}>{f'{cell:,}' if isinstance(cell, int) else _text(cell)}</td>"


def _text(text: str) -> str:
    return escape(printable(text))
