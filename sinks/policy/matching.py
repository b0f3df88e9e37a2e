"""Which rules a verdict matches. Compiled once, so that a pass, nine verdicts of ten, costs one look-up."""

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moderato.errors import Poison
from moderato.records import Decision, Severity
from sinks.policy.rules import AtLeast, Match, Rule

_LEVELS = {str(severity): severity.level for severity in Severity}
_MEMBERS = ("category", "source", "judge", "media", "tenant")


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What is left to check of a rule after the look-up by decision and severity."""

    rule: Rule
    members: tuple[tuple[str, frozenset[str]], ...]
    rooms: re.Pattern[str] | None
    degraded: bool | None
    stops: bool

    def matches(self, verdict: dict[str, Any]) -> bool:
        for field, allowed in self.members:
            if verdict[field] not in allowed:
                return False
        if self.rooms is not None:
            room = verdict.get("room")
            if not isinstance(room, str) or not self.rooms.match(room):
                return False
        return self.degraded is None or self.degraded is (verdict.get("degraded") is True)


class Matcher:
    """The rules of a policy, indexed by decision and severity."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(_compiled(rule) for rule in rules)
        self._index = {
            (str(decision), str(severity)): self._selected(decision, severity, severity.level)
            for decision in Decision
            for severity in Severity
        }

    def matching(self, verdict: dict[str, Any]) -> Iterator[Rule]:
        """The rules that act on a verdict, in order, up to the first that stops. Its fields `decision`, `severity`,
        `category`, `source`, `judge`, `media` and `tenant` are text. Raises Poison for a severity that cannot be
        placed on the scale."""
        candidates = self._index.get((verdict["decision"], verdict["severity"]))
        if candidates is None:
            candidates = self._selected(verdict["decision"], verdict["severity"], _level(verdict))
        for candidate in candidates:
            if candidate.matches(verdict):
                yield candidate.rule
                if candidate.stops:
                    return

    def _selected(self, decision: str, severity: str, level: int) -> tuple[_Compiled, ...]:
        return tuple(
            compiled for compiled in self._rules if _selects(compiled.rule.match, decision, severity, level)
        )


def _level(verdict: dict[str, Any]) -> int:
    known = _LEVELS.get(verdict["severity"])
    level = verdict.get("severity_level") if known is None else known
    if not isinstance(level, int):
        raise Poison(f"severity {verdict['severity'][:40]!r} is not known here and has no severity_level")
    return level


def _selects(match: Match, decision: str, severity: str, level: int) -> bool:
    if match.decision is None and match.severity is None:
        return decision != Decision.PASS
    if match.decision is not None and decision not in match.decision:
        return False
    if isinstance(match.severity, AtLeast):
        return level >= match.severity.at_least.level
    return match.severity is None or severity in match.severity


def _compiled(rule: Rule) -> _Compiled:
    match = rule.match
    return _Compiled(
        rule=rule,
        members=tuple(
            (field, frozenset(map(str, allowed)))
            for field in _MEMBERS
            if (allowed := getattr(match, field)) is not None
        ),
        rooms=re.compile("|".join(map(fnmatch.translate, match.room))) if match.room else None,
        degraded=match.degraded,
        stops=rule.stop and rule.mode == "enforce",
    )
