"""What a backtest found, as sections of tables that a page or a text shows, and as JSON. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from moderato.cli.policy_view import what
from moderato.records import ActionType
from moderato.sources import Source
from moderato.times import rfc3339
from sinks.feedback.agreement import Pair
from sinks.feedback.pairing import OUTCOMES
from sinks.policy.backtest import CHANGES, Acts, Backtest, Change, People, Trial
from sinks.policy.shadow import BESIDE
from sinks.policy.subjects import Subjects

Cell: TypeAlias = str | int

NO_PEOPLE = "no human verdicts"
_TOP = 3
_TOP_JSON = 20


@dataclass(frozen=True)
class Table:
    """Numbers stand right, texts left."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Section:
    """`note` says what is to be known of the table. `name` is the same whatever the title says."""

    name: str
    title: str
    note: str
    table: Table
    empty: str = ""
    """What it means that the table has no rows."""


@dataclass
class Read:
    """What was read: `place` in words, `files` of the policies, and what was left out."""

    place: str
    rules: str
    baseline: str | None = None
    unreadable: int = 0
    faults: list[str] = field(default_factory=list)
    """Of the first unreadable ones, where and why."""


def sections(test: Backtest, pairs: Mapping[Pair, int], read: Read) -> list[Section]:
    """Everything, in the order in which one asks."""
    made = [_head(test, read), _rules(test), _whom(test), _actions(test)]
    if test.old:
        made += [_changes(test), _examples(test)]
    if test.new.limited:
        made.append(_brakes(test))
    return [*made, _shadow(test), _people(test), _agreement(pairs), _matrix(pairs)]


def _head(test: Backtest, read: Read) -> Section:
    rows: list[Sequence[Cell]] = [("policy", _policy(read.rules, test.new))]
    if test.old:
        rows.append(("baseline", _policy(read.baseline or "", test.old)))
    rows += [
        ("read", read.place),
        ("made", f"{test.first} to {test.last}" if test.verdicts else "no verdict"),
        ("verdicts", f"{test.verdicts:,} played: {_counts(test.decisions)}"),
        ("judges", _counts(test.judges)),
        ("sources", _counts(test.sources)),
        ("left out", f"{test.repeated:,} repetitions, {read.unreadable:,} that no policy can judge"),
    ]
    rows += [("", fault) for fault in read.faults]
    return Section("head", "What was played", "", Table(("", ""), rows))


def _policy(file: str, trial: Trial) -> str:
    return f"{file}, version {trial.policy.version}, {len(trial.policy.rules)} rules"


def _rules(test: Backtest) -> Section:
    old = test.old.rules if test.old else {}
    columns = ["rule", "mode", "verdicts", "actions", "users", "rooms", "too late", "braked", "precision"]
    if test.old:
        columns.insert(3, "before")
    rows = []
    for acts in test.new.rules.values():
        before = old.get(acts.rule.id)
        rows.append(_rule(acts, None if test.old is None else before.verdicts if before else "no rule"))
    for acts in old.values():
        if acts.rule.id not in test.new.rules:
            rows.append([f"{acts.rule.id} (baseline only)", acts.rule.mode, 0, acts.verdicts, *[""] * 6])
    note = (
        "Verdicts on which each rule acted, and its actions by type. Users and rooms are estimates above 4,096. Too "
        "late: actions past their max_age when the verdict was made, which would not have been carried out. Braked: "
        "actions that the policy's own brakes held; they are in no other column. Precision: of the machines' verdicts "
        "on which the rule acted and a person decided later, the share that the person flagged too, with the number of "
        "them and the range that 19 in 20 such samples leave open."
    )
    return Section("rules", "Rules", note, Table(columns, rows), "The policy has no rule.")


def _rule(acts: Acts, before: Cell | None) -> list[Cell]:
    row: list[Cell] = [acts.rule.id, acts.rule.mode, acts.verdicts]
    row += [] if before is None else [before]
    row += [_counts(acts.actions), len(acts.users), len(acts.rooms), acts.late, acts.braked]
    if acts.verdicts and acts.by_people == acts.verdicts:
        return [*row, "people's own verdicts"]
    return [*row, precision(acts.people) if acts.verdicts else ""]


def _whom(test: Backtest) -> Section:
    rows = [
        (acts.rule.id, _top(acts.users), _top(acts.rooms))
        for acts in test.new.rules.values()
        if acts.users or acts.rooms
    ]
    note = f"The users and rooms of most of the verdicts on which a rule acted, {_TOP} of each, with their tenant."
    return Section(
        "whom", "On whom", note, Table(("rule", "users", "rooms"), rows), "No rule acted on anybody."
    )


def _actions(test: Backtest) -> Section:
    new, old = by_mode(test.new), by_mode(test.old) if test.old else Counter[tuple[str, str]]()
    columns = ["action", "enforced", "shadow"]
    columns += ["enforced before", *CHANGES] if test.old else []
    rows: list[list[Cell]] = []
    for kind in map(str, ActionType):
        row: list[Cell] = [kind, new[kind, "enforce"], new[kind, "shadow"]]
        if test.old:
            row += [old[kind, "enforce"], *(test.difference.actions[kind, change] for change in CHANGES)]
        if any(row[1:]):
            rows.append(row)
    note = "Actions by type."
    if test.old:
        note += (
            " The last four columns compare the enforced ones verdict by verdict: the same type and target is the same,"
            " or changed when duration, message or expiry differ; two rules that demand the same count once there."
        )
    return Section("actions", "Actions", note, Table(columns, rows), "Nothing is demanded.")


def by_mode(trial: Trial) -> Counter[tuple[str, str]]:
    """Actions by type and mode."""
    found: Counter[tuple[str, str]] = Counter()
    for acts in trial.rules.values():
        for kind, count in acts.actions.items():
            found[kind, acts.rule.mode] += count
    return found


def _changes(test: Backtest) -> Section:
    names: list[tuple[Change, str]] = [
        ("same", "both"),
        ("new", "only the new policy"),
        ("gone", "only the baseline"),
    ]
    rows: list[list[Cell]] = []
    for change, words in names:
        count, people = test.difference.acted[change]
        users = test.difference.users.get(change)
        rows.append([words, count["verdicts"], "" if users is None else len(users), precision(people)])
    note = "Verdicts with an enforced action, and the users of those on which only one of the two acts."
    return Section(
        "changes", "Against the baseline", note, Table(("acts", "verdicts", "users", "precision"), rows)
    )


def _examples(test: Backtest) -> Section:
    rows = []
    for each in sorted(test.difference.examples, key=lambda each: CHANGES.index(each.change)):
        said = each.verdict
        judged = " ".join(str(said[name]) for name in ("source", "decision", "category", "severity"))
        people = ", ".join(f"{name} {said[name]}" for name in ("room", "user") if said[name])
        rows.append((each.change, each.at, judged, people, said["text"] or "", "; ".join(each.actions)))
    columns = ("change", "at", "verdict", "where", "text", "actions")
    note = "The first verdicts on which only the new policy acts (new), or only the baseline (gone)."
    return Section(
        "examples", "Examples", note, Table(columns, rows), "None was asked for, or there is none."
    )


def _brakes(test: Backtest) -> Section:
    rows = [(brake.at, brake.tenant, brake.rule, brake.reason) for brake in test.new.pulled]
    note = (
        "Brakes that the trip switches of the policy pulled. Nobody releases them here, so that they hold for the rest "
        "of the verdicts; those that people pulled at the time are left out."
    )
    columns = ("at", "tenant", "rule", "reason")
    return Section("brakes", "Brakes", note, Table(columns, rows), "No trip switch pulled one.")


def _shadow(test: Backtest) -> Section:
    rows: list[list[Cell]] = [
        [kind, *(test.new.shadow[kind, beside] for beside in BESIDE)]
        for kind in map(str, ActionType)
        if any(test.new.shadow[kind, beside] for beside in BESIDE)
    ]
    note = (
        "Actions of rules in shadow mode, by what enforced rules of this policy demand with the same verdict: the same "
        "of the same target, something else, or nothing."
    )
    return Section(
        "shadow",
        "Shadow against enforced",
        note,
        Table(("action", *BESIDE), rows),
        "No rule in shadow mode acted.",
    )


def _people(test: Backtest) -> Section:
    rows: list[list[Cell]] = []
    for source, category in sorted({key[:2] for key in test.opinions}):
        counts = [test.opinions[source, category, outcome] for outcome in OUTCOMES]
        people = People(*counts[:2])
        rows.append([source, category, *counts, precision(people) if people.judged else ""])
    note = (
        "Later verdicts of people. Confirmed and refuted: a machine had flagged it, and the person flagged it too, or "
        "let it pass; the category is the machine's. Missed and cleared: no machine of that source had flagged it, and "
        "the person did, or did not either; the category is the person's."
    )
    columns = ("source", "category", *OUTCOMES, "precision")
    return Section("people", "What people said", note, Table(columns, rows), f"There are {NO_PEOPLE}.")


def _agreement(pairs: Mapping[Pair, int]) -> Section:
    rows = []
    for source, other in couples(pairs):
        both, one, two, neither = (
            pairs.get(Pair(source, other, each), 0) for each in ("both", "source", "other", "neither")
        )
        either = both + one + two
        rows.append((source, other, both, one, two, neither, _share(both, either)))
    columns = ("A", "B", "both", "only A", "only B", "neither", "both of either")
    note = (
        "Minutes of rooms on which the machines of two sources gave a verdict, a pass included, by who flagged "
        "something in it. A source that reports only what it flags is seen in no other minute."
    )
    return Section(
        "agreement",
        "Agreement of vendors",
        note,
        Table(columns, rows),
        "No two sources watched the same room.",
    )


def _matrix(pairs: Mapping[Pair, int]) -> Section:
    names = [name for name in map(str, Source) if any(name in pair[:2] for pair in pairs)]
    rows = []
    for row in names:
        cells: list[Cell] = [row]
        for column in names:
            both, alone = _seen(pairs, row, column)
            of = f" of {both + alone:,}"
            cells.append(_share(both, both + alone) + of if row != column and both + alone else "")
        rows.append(cells)
    note = "Of the minutes that both watched and the row's source flagged, the share that the column's flagged too."
    return Section("matrix", "Agreement as a matrix", note, Table(("", *names), rows), "Nothing to compare.")


def _seen(pairs: Mapping[Pair, int], row: str, column: str) -> tuple[int, int]:
    if (row, column) in couples(pairs):
        return pairs.get(Pair(row, column, "both"), 0), pairs.get(Pair(row, column, "source"), 0)
    return pairs.get(Pair(column, row, "both"), 0), pairs.get(Pair(column, row, "other"), 0)


def couples(pairs: Mapping[Pair, int]) -> list[tuple[str, str]]:
    """The sources that watched something together."""
    return sorted({(pair.source, pair.other) for pair in pairs})


def precision(people: People) -> str:
    """ "67 % (2 of 3; 21 to 94 %)"."""
    if not people.judged:
        return NO_PEOPLE
    low, high = wilson(people.confirmed, people.judged)
    share = 100 * people.confirmed / people.judged
    return f"{share:.0f} % ({people.confirmed:,} of {people.judged:,}; {100 * low:.0f} to {100 * high:.0f} %)"


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, which holds for few, too; `whole` > 0."""
    z = 1.96
    share, spread = part / whole, z * z / whole
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * (share * (1 - share) / whole + spread / whole / 4) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else ""


def _top(subjects: Subjects) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in subjects.top(_TOP))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def as_json(test: Backtest, pairs: Mapping[Pair, int], read: Read) -> dict[str, Any]:
    """The same for machines."""
    return {
        "read": {
            "place": read.place,
            "first": test.first or None,
            "last": test.last or None,
            "verdicts": test.verdicts,
            "repeated": test.repeated,
            "unreadable": read.unreadable,
            "faults": read.faults,
            "decisions": test.decisions,
            "judges": test.judges,
            "sources": test.sources,
            "hours": _hours(test.hours),
        },
        "policy": _trial_json(read.rules, test.new),
        "baseline": _trial_json(read.baseline or "", test.old) if test.old else None,
        "difference": _difference_json(test) if test.old else None,
        "people": [
            {"source": source, "category": category, "outcome": outcome, "count": count}
            for (source, category, outcome), count in sorted(test.opinions.items())
        ],
        "agreement": [
            {"source": pair.source, "other": pair.other, "outcome": pair.outcome, "minutes": count}
            for pair, count in sorted(pairs.items())
        ],
    }


def _trial_json(file: str, trial: Trial) -> dict[str, Any]:
    return {
        "file": file,
        "version": trial.policy.version,
        "rules": [_rule_json(acts) for acts in trial.rules.values()],
        "shadow": [
            {"type": kind, "beside": beside, "count": count}
            for (kind, beside), count in sorted(trial.shadow.items())
        ],
        "brakes": trial.pulled,
        "hours": _hours(trial.hours),
    }


def _rule_json(acts: Acts) -> dict[str, Any]:
    return {
        "id": acts.rule.id,
        "mode": acts.rule.mode,
        "does": what(acts.rule),
        "verdicts": acts.verdicts,
        "by_people": acts.by_people,
        "actions": acts.actions,
        "late": acts.late,
        "braked": acts.braked,
        "users": _subjects_json(acts.users),
        "rooms": _subjects_json(acts.rooms),
        "hours": _hours(acts.hours),
        "people": acts.people,
    }


def _difference_json(test: Backtest) -> dict[str, Any]:
    found = test.difference
    return {
        "actions": [
            {"type": kind, "change": change, "count": count}
            for (kind, change), count in sorted(found.actions.items())
        ],
        "verdicts": {
            change: {"count": count["verdicts"], "people": people}
            for change, (count, people) in found.acted.items()
        },
        "users": {change: _subjects_json(users) for change, users in found.users.items()},
        "examples": found.examples,
    }


def _subjects_json(subjects: Subjects) -> dict[str, Any]:
    return {"count": len(subjects), "top": subjects.top(_TOP_JSON)}


def _hours(hours: Mapping[int, int]) -> dict[str, int]:
    """By the hour's beginning, UTC."""
    return {rfc3339(hour * 3600.0) or "": count for hour, count in sorted(hours.items())}
