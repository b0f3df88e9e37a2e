"""One verdict -> the actions that a policy demands. Pure: no clock, no I/O, and the same ids at every replay."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, cast

import orjson

from moderato.errors import Poison
from moderato.records import Action, ActionType, Counted, Decision, RuleRef, Target, Verdict
from moderato.sources import Source
from moderato.times import epoch, rfc3339
from sinks.events import text_in
from sinks.policy.matching import Matcher
from sinks.policy.rules import TARGETS, Count, Policy, Rule, TargetKind, Then
from sinks.policy.windows import Windows

_FIELDS: dict[TargetKind, str] = {
    "user": "user",
    "room": "room",
    "account": "account",
    "session": "session_id",
}
# A review or a notice reaches a person whatever is known of the verdict: the nearest to the speaker wins.
_NEAREST: tuple[TargetKind, ...] = ("user", "room", "session", "account")
_FOR_PEOPLE = (ActionType.REVIEW, ActionType.NOTIFY)


class Evaluator:
    """A policy, compiled."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._matcher = Matcher(policy)
        counted = [rule for rule in policy.rules if rule.count]
        self._windows = {rule.id: rule.window for rule in counted}
        self.windows = frozenset(self._windows.values())
        """What this policy counts: windows of another set cannot be used on."""
        self.longest = max((rule.count.within for rule in counted if rule.count), default=0.0)
        """Seconds of the longest window; 0 when nothing is counted."""

    def evaluate(self, verdict: dict[str, Any], now: str) -> list[Action]:
        """The actions for a verdict as `reading.read_verdict` gives it, in the order of the rules; `now` is RFC 3339.
        Raises Poison when a rule with `max_age` matches and `occurred_at` is no time."""
        return [
            action
            for rule in self._matcher.matching(verdict)
            if not rule.count
            for action in self._actions(rule, rule.then, verdict, now)
        ]

    def subjects(self, verdict: dict[str, Any]) -> list[str]:
        """Those for whom a verdict other than a pass has to be counted, as keys of the strikes' topic."""
        if not self.windows or verdict["decision"] == Decision.PASS:
            return []
        counts = (rule.count for rule in self._matcher.matching(verdict) if rule.count)
        found = (_subject(count, verdict) for count in counts)
        return list(dict.fromkeys(subject for subject in found if subject))

    def count(self, verdict: dict[str, Any], subject: str, windows: Windows, now: str) -> list[Action]:
        """Takes a strike of `subject` into `windows`: the actions that are due with it. Raises Poison when a time is
        none."""
        at, known = epoch(verdict["occurred_at"]), epoch(verdict["normalized_at"])
        if at is None or known is None:
            raise Poison("occurred_at and normalized_at have to be times")
        actions: list[Action] = []
        for rule in self._matcher.matching(verdict):
            count = rule.count
            if not count or _subject(count, verdict) != subject:
                continue
            number = windows.count(
                self._windows[rule.id],
                subject,
                f"{verdict['source']}/{verdict['id']}",
                at=at,
                known=known,
                within=count.within,
                distinct=_distinct(count, verdict),
            )
            if number and (due := rule.demands(number)):
                actions += self._actions(rule, due, verdict, now, Counted(number, subject))
        return actions

    def _actions(
        self,
        rule: Rule,
        thens: Sequence[Then],
        verdict: dict[str, Any],
        now: str,
        counted: Counted | None = None,
    ) -> Iterator[Action]:
        made: list[tuple[ActionType, Target]] = []
        lacking: list[str] = []
        for then in thens:
            target = _target(then, verdict)
            if target is None:
                lacking.append(f"{then.action}: the verdict names no {_wanted(then)}")
            elif (then.action, target) not in made:
                made.append((then.action, target))
                yield self._action(rule, then, target, verdict, now, counted)
        review = (ActionType.REVIEW, _nearest(verdict))
        if lacking and review not in made:
            # Nobody can be hit, but what was judged is grave enough for a rule: a person decides, however late.
            instead = Then(action=ActionType.REVIEW, message="; ".join(lacking)[:500])
            yield self._action(rule, instead, review[1], verdict, now, counted)

    def _action(
        self,
        rule: Rule,
        then: Then,
        target: Target,
        verdict: dict[str, Any],
        now: str,
        counted: Counted | None,
    ) -> Action:
        return Action(
            id=_id(rule, then.action, target, verdict),
            tenant=verdict["tenant"],
            type=then.action,
            target=target,
            mode=rule.mode,
            rule=RuleRef(rule.id, self.policy.version),
            source=cast(Source, verdict["source"]),
            session_id=text_in(verdict, "session_id"),
            task_id=text_in(verdict, "task_id"),
            room=text_in(verdict, "room"),
            user=text_in(verdict, "user"),
            account=text_in(verdict, "account"),
            duration=then.duration,
            message=then.message,
            occurred_at=verdict["occurred_at"],
            created_at=now,
            expires_at=None if then.max_age is None else _expiry(verdict["occurred_at"], then.max_age),
            # As it was read: fields and words that this version does not know ride along.
            verdict=cast(Verdict, verdict),
            counted=counted,
        )


def _subject(count: Count, verdict: dict[str, Any]) -> str | None:
    """Whose strike a verdict is: the key under which all strikes of that user, account or room come together."""
    found = text_in(verdict, count.per)
    return found and f"{verdict['tenant']}/{found}"


def _distinct(count: Count, verdict: dict[str, Any]) -> str | None:
    if count.distinct == "segment":
        # Two vendors' numbers have nothing to do with each other; without one a verdict stands for itself.
        return f"{verdict['source']}/{text_in(verdict, 'segment_id') or verdict['id']}"
    return verdict["source"] if count.distinct else None


def _wanted(then: Then) -> TargetKind:
    return then.target or TARGETS[then.action][0]


def _target(then: Then, verdict: dict[str, Any]) -> Target | None:
    """Whom an action hits; None when the verdict does not name it and no other target would do."""
    for_people = then.action in _FOR_PEOPLE
    if then.target or not for_people:
        kind = _wanted(then)
        if found := text_in(verdict, _FIELDS[kind]):
            return Target(kind, found)
    return _nearest(verdict) if for_people else None


def _nearest(verdict: dict[str, Any]) -> Target:
    for kind in _NEAREST:
        if found := text_in(verdict, _FIELDS[kind]):
            return Target(kind, found)
    return Target("task", text_in(verdict, "task_id") or verdict["id"])


def _id(rule: Rule, action: ActionType, target: Target, verdict: dict[str, Any]) -> str:
    # Sources number their records each for itself, and two tenants may be sent the same one.
    parts = [
        verdict["tenant"],
        verdict["source"],
        verdict["id"],
        rule.id,
        action.value,
        target.kind,
        target.id,
    ]
    return f"act_{blake2b(orjson.dumps(parts), digest_size=16).hexdigest()}"


def _expiry(occurred_at: str, max_age: float) -> str:
    occurred = epoch(occurred_at)
    expires = None if occurred is None else rfc3339(occurred + max_age)
    if expires is None:
        raise Poison(f"occurred_at {occurred_at[:40]!r} is not a time")
    return expires
