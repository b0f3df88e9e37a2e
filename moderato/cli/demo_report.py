"""What the demo says at its end: the ledger, the gravest verdicts and how they came about, what was done, what next."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from moderato.cli.demo_seen import Json, Seen, Taken, weight
from moderato.cli.demo_view import STYLES, milliseconds
from moderato.cli.ledger import Line
from moderato.records import OutcomeState, Severity

_UNBALANCED = "DOES NOT BALANCE"
_MOST_LABELS = 4
_MOST_TEXT = 60  # columns, of which a Chinese character takes two
_BEFORE_KEYWORD = 12  # characters


def ledger(lines: Sequence[Line]) -> RenderableType:
    """Each line with its verdict; a stage that has several is named once."""
    table = Table(
        title="The ledger: numbers add up",
        title_justify="left",
        box=box.SIMPLE_HEAVY,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("stage", no_wrap=True)
    table.add_column("what was counted on both sides")
    table.add_column("")
    before = ""
    for line in lines:
        name = "" if line.name == before else line.name
        end = Text("ok", "green") if line.balanced else Text(_UNBALANCED, "bold red")
        table.add_row(name, Text(str(line)), end)
        before = line.name
    return table


def gravest(seen: Seen, count: int = 5) -> RenderableType:
    """The gravest verdicts, each with its chain: the vendor's words, the rules, what was done, where the bytes are."""
    title = Text("The gravest verdicts, and how they came about", "italic")
    verdicts = seen.gravest(count)
    if not verdicts:
        return Group(title, Text("There was nothing but passes."))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for verdict in verdicts:
        table.add_row("", "")
        table.add_row(Text(verdict["severity"], STYLES[Severity(verdict["severity"])]), _headline(verdict))
        table.add_row("vendor said", Text(vendors_words(verdict)))
        table.add_row("rules", Text(chain(verdict)))
        for taken in seen.taken_for(verdict):
            table.add_row("action", Text(deed(taken)))
        raw = verdict["raw"]
        table.add_row(
            "raw bytes", Text(f"{raw['topic']}, partition {raw['partition']}, offset {raw['offset']}")
        )
    return Group(title, table)


def _headline(verdict: Json) -> Text:
    where = [f"{name} {verdict[name]}" for name in ("room", "user", "account", "file") if verdict.get(name)]
    return Text(
        f"{verdict['category']}, {verdict['source']}: {', '.join(where) or 'task ' + str(verdict['task_id'])}",
        "bold",
    )


def vendors_words(verdict: Json) -> str:
    """Who decided what, by which labels as the vendor sent them, and what was heard."""
    # Vendors send a dozen labels along (voice, language); those of the verdict's category speak for it.
    telling = [label for label in verdict["labels"] if label["category"] == verdict["category"]]
    labels = [_label(label) for label in telling or verdict["labels"]]
    if len(labels) > _MOST_LABELS:
        labels[_MOST_LABELS:] = [f"{len(labels) - _MOST_LABELS} more"]
    words = (
        f"{verdict['decision']} by {verdict['judge'].replace('_', ' ')}: {', '.join(labels) or 'no label'}"
    )
    if verdict["text"]:
        words += f", “{excerpt(verdict['text'], verdict['keywords'])}”"
    return words


def excerpt(text: str, keywords: Sequence[str], cells: int = _MOST_TEXT) -> str:
    """A piece of `text` that is `cells` wide at most on a screen, from its beginning or around the first keyword."""
    line = " ".join(text.split())
    found = line.find(keywords[0]) if keywords else -1
    if found > _BEFORE_KEYWORD:
        line = f"…{line[found - _BEFORE_KEYWORD :]}"
    shown = Text(line)
    shown.truncate(cells, overflow="ellipsis")
    return shown.plain


def _label(label: Json) -> str:
    text = str(label["code"])
    if label["name"] and label["name"] != text:
        text += f" {label['name']}"
    if label["level"] is not None:
        text += f" level {label['level']}"
    if label["confidence"] is not None:
        text += f" ({label['confidence']:.0%})"
    return text


def chain(verdict: Json) -> str:
    """The rules that fired, in their order, where they led, and the version of the tables."""
    results = {"decision": verdict["decision"], "category": verdict["category"]}
    steps = [f"{rule} {results[rule]}" if rule in results else rule for rule in verdict["mapping"]["rules"]]
    return f"{' → '.join(steps)} → {verdict['severity']} ({verdict['mapping']['version']})"


def deed(taken: Taken) -> str:
    """One action, the rule that demanded it, and what became of it."""
    action, outcome = taken.action, taken.outcome
    text = f"{action['type']} {action['target']['kind']} {action['target']['id']} ({action['rule']['id']})"
    if outcome is None:
        return f"{text} → no outcome yet"
    text += f" → {outcome['state']}"
    if outcome["state"] == OutcomeState.DONE:
        return f"{text} by {outcome['executor']} after {milliseconds(taken.age)}"
    return f"{text}: {outcome['detail']}" if outcome["detail"] else text


def actions(seen: Seen) -> RenderableType:
    """How many actions of which type hit what, and ended how."""
    ended = seen.outcomes
    if not ended:
        return Group(Text("Actions taken", "italic"), Text("None was called for."))
    states = [state for state in OutcomeState if any(found == state for _, _, found in ended)]
    table = Table(
        title="Actions taken",
        title_justify="left",
        box=box.SIMPLE_HEAVY,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("action", no_wrap=True)
    table.add_column("target", no_wrap=True)
    for state in states:
        table.add_column(state, justify="right")
    for type, kind in sorted({(type, kind) for type, kind, _ in ended}, key=_by_weight):
        table.add_row(
            type,
            kind,
            *(f"{ended[type, kind, state]:,}" if ended[type, kind, state] else "·" for state in states),
        )
    return table


def _by_weight(pair: tuple[str, str]) -> tuple[int, str]:
    return -weight(pair[0]), pair[1]


def next_steps() -> RenderableType:
    """Where to look from here."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column()
    for what, why in (
        ("moderato explain --source S < body", "one vendor's bytes, explained"),
        ("moderato run all", "the same pipeline, staying up, for real vendors"),
        ("moderato tail verdicts", "follow a running pipeline"),
        ("http://localhost:9090/metrics", "its figures; /readyz and /livez beside them"),
        ("README.md", "how to point real vendors at it"),
        ("docs/architecture.md", "how it works, and what it promises"),
        ("docs/consuming.md", "how to read the topics downstream"),
        ("docs/severity.md", "every table behind the severities"),
    ):
        grid.add_row(what, why)
    return Group(Text("Where to look next", "italic"), grid)


def closing(lines: Sequence[Line], acknowledged: int, elapsed: float, memory: int | None) -> Text:
    """The last line: whether all adds up."""
    used = f"{elapsed:.0f} s" if memory is None else f"{elapsed:.0f} s, {memory / 2**20:.0f} MiB"
    wrong = sum(not line.balanced for line in lines)
    if wrong:
        return Text(f"{wrong} of {len(lines)} lines of the ledger {_UNBALANCED.lower()} ({used})", "bold red")
    return Text(
        f"All {len(lines)} lines balance: {acknowledged:,} callbacks acknowledged, none lost ({used})",
        "bold green",
    )
