"""Shows on the terminal what a policy holds and does."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from moderato.cli.chain import printable
from moderato.records import Action
from sinks.policy.cases import CaseFile, Difference, Due
from sinks.policy.explaining import Explained
from sinks.policy.faults import Document
from sinks.policy.rules import Policy, Rule

_STYLES = {"matched": "bold green", "not": "dim", "stopped": "yellow"}
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60))


def summary(path: Path, policy: Policy) -> None:
    """One line for the file, one a rule in the order in which they are tried, and one a list."""
    modes = Counter(rule.mode for rule in policy.rules)
    kinds = ", ".join(f"{number} {mode}" for mode, number in sorted(modes.items()))
    print(f"{path}: good, version {policy.version}, {len(policy.rules)} rules{f': {kinds}' if kinds else ''}")
    width = max((len(rule.id) for rule in policy.rules), default=0)
    for rule in policy.rules:
        print(f"  {rule.id:<{width}}  {what(rule)}")
    for name, ids in sorted(policy.lists.items()):
        print(f"  list {printable(name)}: {len(ids):,} ids")


def what(rule: Rule) -> str:
    """What a rule does and when, in a line."""
    parts = [", ".join(then.action for then in rule.then)]
    if rule.count:
        each = f" {rule.count.distinct}s" if rule.count.distinct else ""
        parts.append(
            f"at {rule.count.at_least}{each} within {_length(rule.count.within)} per {rule.count.per}"
        )
    parts += [f"at {step.at_least} {', '.join(then.action for then in step.then)}" for step in rule.ladder]
    parts += ["shadow"] * (rule.mode == "shadow")
    parts += [f"for {rule.rollout:g} %"] * (rule.rollout < 100)
    parts += [f"priority {rule.priority}"] * bool(rule.priority)
    parts += ["stop"] * rule.stop
    return "; ".join(parts)


def explanation(verdict: dict[str, Any], found: Sequence[Explained]) -> None:
    """The verdict in a line, and each rule with what it makes of it."""
    console = Console(highlight=False)
    words = " ".join(verdict[name] for name in ("source", "decision", "category", "severity"))
    people = " ".join(f"{name} {verdict[name]}" for name in ("room", "user") if verdict.get(name))
    console.print(Text(printable(f"{words} {people}".rstrip()), "bold"), soft_wrap=True)
    width = max((len(each.rule.id) for each in found), default=0)
    for each in found:
        console.print(Text(f"  {each.rule.id:<{width}}  {_state(each)}", _STYLES[each.state]), soft_wrap=True)
        for action in each.actions:
            console.print(Text(f"  {'':<{width}}    -> {_action(action)}"), soft_wrap=True)
    if not any(each.actions for each in found):
        console.print("nothing is demanded")


def _state(each: Explained) -> str:
    if each.state == "not":
        return printable(f"does not match: {'; '.join(each.lacking)}")
    if each.state == "stopped":
        return f"is not asked: {each.by} stopped the search"
    if (count := each.rule.count) and not each.counted:
        return f"matches, and does not count: a pass, or no {count.per} is named"
    if count:
        number = f"{count.at_least} within {_length(count.within)} per {count.per}"
        return f"matches, and counts: acts at {number}"
    return "matches, and stops the search" if each.rule.stop and each.rule.mode == "enforce" else "matches"


def differences(document: Document, file: CaseFile, found: Sequence[Difference]) -> None:
    """What differs, verdict by verdict, or that nothing does."""
    verdicts = sum(len(case.verdicts) for case in file.cases)
    total = f"{len(file.cases)} cases, {verdicts} verdicts"
    if not found:
        print(f"{document.path}: {total}, all as due")
        return
    lines = document.positions(difference.place for difference in found)
    for difference, (line, column) in zip(found, lines, strict=True):
        number = int(difference.place[-1]) + 1
        what = " ".join(difference.verdict[name] for name in ("decision", "category", "severity"))
        at = difference.verdict["occurred_at"]
        case = printable(difference.case)
        print(f"{document.path}:{line}:{column}: {case}: verdict {number}, {what} at {at}")
        for due in difference.missing:
            print(f"  due, and not demanded: {_due(due)}")
        for action in difference.surplus:
            print(f"  demanded, and not due: {_action(action)}")
    print(f"{document.path}: {total}, {len(found)} not as due")


def _due(due: Due) -> str:
    parts = [due.action, due.target or "", due.to or ""]
    parts += [f"for {_length(due.duration)}"] if due.duration else []
    parts += [f"by {due.rule}"] if due.rule else []
    parts += ["(shadow)"] * (due.mode == "shadow")
    return printable(" ".join(part for part in parts if part))


def _action(action: Action) -> str:
    length = f" for {_length(action.duration)}" if action.duration else ""
    shadow = " (shadow)" if action.mode == "shadow" else ""
    return printable(
        f"{action.type} {action.target.kind} {action.target.id}{length} by {action.rule.id}{shadow}"
    )


def _length(seconds: float) -> str:
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
