"""The conditions of a `match`, compiled: each a name and a test of a verdict. Pure."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from moderato.errors import Poison
from moderato.records import Decision, Severity
from moderato.times import epoch
from sinks.events import text_in
from sinks.policy.rules import AtLeast, Ids, ListFile, Lists, Match, Rule, Severities, TimeOfDay

Verdict: TypeAlias = dict[str, Any]
Holds: TypeAlias = Callable[[Verdict], bool]

_LEVELS = {str(severity): severity.level for severity in Severity}
_MEMBERS = ("category", "source", "judge", "media", "tenant")
WORDS = ("decision", "severity", *_MEMBERS)
_ONLY_NAMED = "a pass is matched only by a rule that names decision or severity"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Condition(NamedTuple):
    """`name` as in the policy file."""

    name: str
    holds: Holds


def level_of(verdict: Verdict) -> int:
    """Where its severity stands on the scale. Raises Poison when that cannot be told."""
    known = _LEVELS.get(verdict["severity"])
    level = verdict.get("severity_level") if known is None else known
    if not isinstance(level, int):
        raise Poison(f"severity {verdict['severity'][:40]!r} is not known here and has no severity_level")
    return level


def of_words(match: Match, *, passes: bool = False) -> Iterator[Condition]:
    """The conditions on `WORDS`, of which few combinations occur. Where a match names neither decision nor severity, a
    pass holds only if `passes`."""
    if match.decision is not None:
        yield Condition("decision", _member("decision", match.decision))
    if match.severity is not None:
        yield Condition("severity", _severity(match.severity))
    if match.decision is None and match.severity is None and not passes:
        yield Condition(_ONLY_NAMED, lambda verdict: verdict["decision"] != Decision.PASS)
    for name in _MEMBERS:
        if (allowed := getattr(match, name)) is not None:
            yield Condition(name, _member(name, allowed))


def of_rest(match: Match, lists: Lists) -> Iterator[Condition]:
    """All others, the quickest first."""
    if match.degraded is not None:
        yield Condition("degraded", _degraded(match.degraded))
    for name in ("user", "account"):
        if (ids := getattr(match, name)) is not None:
            yield Condition(name, _optional_member(name, ids_in(ids, lists)))
    if match.room is not None:
        yield Condition("room", _pattern("room", match.room))
    if match.time is not None:
        yield Condition("time", _time(match.time))


def exceptions(rule: Rule, lists: Lists) -> Iterator[Condition]:
    """One condition for each block of `unless`: that it does not hold as a whole."""
    for number, match in enumerate(rule.unless):
        found = [*of_words(match, passes=True), *of_rest(match, lists)]
        yield Condition(f"unless.{number}", _not_all([condition.holds for condition in found]))


def rollout(rule: Rule) -> Iterator[Condition]:
    """Whether the subject is among those for whom the rule is already; whoever is stays so when the share grows."""
    if rule.rollout < 100:
        names = (rule.count.per,) if rule.count else ("user", "room", "task_id", "id")
        yield Condition("rollout", _rollout(rule.id, names, rule.rollout))


def _member(name: str, allowed: Iterable[str]) -> Holds:
    words = frozenset(map(str, allowed))
    return lambda verdict: verdict[name] in words


def _severity(wanted: Severities) -> Holds:
    if not isinstance(wanted, AtLeast):
        return _member("severity", wanted)
    least = wanted.at_least.level
    return lambda verdict: level_of(verdict) >= least


def _optional_member(name: str, allowed: frozenset[str]) -> Holds:
    return lambda verdict: text_in(verdict, name) in allowed


def _degraded(wanted: bool) -> Holds:
    return lambda verdict: wanted is (verdict.get("degraded") is True)


def _pattern(name: str, patterns: Iterable[str]) -> Holds:
    matching = re.compile("|".join(map(fnmatch.translate, patterns))).match

    def holds(verdict: Verdict) -> bool:
        text = verdict.get(name)
        return isinstance(text, str) and matching(text) is not None

    return holds


def _not_all(tests: list[Holds]) -> Holds:
    return lambda verdict: not all(holds(verdict) for holds in tests)


def ids_in(ids: Ids, lists: Lists) -> frozenset[str]:
    """All of them, those of its files included."""
    return (
        frozenset().union(*(lists[name] for name in ids.file))
        if isinstance(ids, ListFile)
        else frozenset(ids)
    )


def _time(time: TimeOfDay) -> Holds:
    zone = ZoneInfo(time.timezone)
    days = frozenset(number for number, day in enumerate(_DAYS) if time.days is None or day in time.days)

    def holds(verdict: Verdict) -> bool:
        at = epoch(verdict["occurred_at"])
        if at is None:
            raise Poison(f"occurred_at {verdict['occurred_at'][:40]!r} is not a time")
        local = datetime.fromtimestamp(at, UTC).astimezone(zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if time.begin < time.to:
            return time.begin <= minute < time.to and day in days
        if minute >= time.begin:
            return day in days
        # After midnight it is still the night of the day before.
        return minute < time.to and (day - 1) % 7 in days

    return holds


def _rollout(rule: str, names: Iterable[str], percent: float) -> Holds:
    def holds(verdict: Verdict) -> bool:
        subject = next((text for name in names if (text := text_in(verdict, name))), "")
        parts = "\0".join((rule, verdict["tenant"], subject))
        hashed = int.from_bytes(blake2b(parts.encode("utf-8", "replace"), digest_size=8).digest())
        return hashed < percent / 100 * 2**64

    return holds
