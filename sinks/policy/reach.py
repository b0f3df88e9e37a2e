"""Rules that can never act, as far as it can be told from the policy alone. Pure."""

from collections.abc import Iterator
from typing import Any

from moderato.records import Decision, Severity
from sinks.policy.conditions import ids_in, of_words
from sinks.policy.matching import stops
from sinks.policy.rules import Lists, Match, Policy, Rule

# Every decision and severity that there is, and one of each that a later version may add.
_JUDGED = [
    {"decision": decision, "severity": severity, "severity_level": level}
    for decision in [*map(str, Decision), "<later>"]
    for severity, level in [*((str(each), each.level) for each in Severity), ("<later>", len(Severity))]
]
_SETS = ("category", "source", "judge", "media", "tenant", "room")


def unreachable(policy: Policy) -> Iterator[tuple[Rule, str]]:
    """Each rule that cannot act, and why."""
    stopping: list[Rule] = []
    for rule in policy.rules:
        if why := _why(rule, stopping, policy.lists):
            yield rule, why
        if stops(rule) and not rule.unless and rule.rollout == 100:
            stopping.append(rule)


def _why(rule: Rule, stopping: list[Rule], lists: Lists) -> str | None:
    if rule.rollout == 0:
        return "its rollout is 0: it is for nobody"
    for name in ("user", "account"):
        ids = getattr(rule.match, name)
        if ids is not None and not ids_in(ids, lists):
            return f"the lists of its {name} are empty"
    for number, exception in enumerate(rule.unless):
        if _covers(exception, rule.match, lists, passes=True):
            return f"its exception unless.{number} takes back all that it matches"
    for earlier in stopping:
        if _covers(earlier.match, rule.match, lists):
            return f"{earlier.id} stops all that it matches"
    return None


def _covers(wide: Match, narrow: Match, lists: Lists, *, passes: bool = False) -> bool:
    """Whether all that `narrow` matches is matched by `wide`. In doubt it is not."""
    if not _judged(narrow) <= _judged(wide, passes=passes):
        return False
    for name in _SETS:
        allowed, asked = getattr(wide, name), getattr(narrow, name)
        if allowed is not None and not (asked is not None and (set(asked) <= set(allowed) or "*" in allowed)):
            return False
    for name in ("user", "account"):
        allowed, asked = getattr(wide, name), getattr(narrow, name)
        if allowed is not None and not (asked is not None and ids_in(asked, lists) <= ids_in(allowed, lists)):
            return False
    return all(getattr(wide, name) in (None, getattr(narrow, name)) for name in ("degraded", "time"))


def _judged(match: Match, *, passes: bool = False) -> set[int]:
    named = match.model_copy(update=dict.fromkeys(_SETS))
    holds = [condition.holds for condition in of_words(named, passes=passes)]
    verdicts: list[dict[str, Any]] = _JUDGED
    return {number for number, verdict in enumerate(verdicts) if all(each(verdict) for each in holds)}
