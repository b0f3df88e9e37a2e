"""Which rules a verdict matches. The rules that fit its words are looked up: a pass costs no more than that."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

from sinks.policy.conditions import (
    WORDS,
    Condition,
    Holds,
    Verdict,
    exceptions,
    level_of,
    of_rest,
    of_words,
    rollout,
)
from sinks.policy.rules import Lists, Policy, Rule

_REMEMBERED = 16_384  # combinations of words: tenants times a few dozen
_words_of = itemgetter(*WORDS)


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    words: tuple[Holds, ...]
    rest: tuple[Holds, ...]
    stops: bool


class Matcher:
    """The rules of a policy, compiled."""

    def __init__(self, policy: Policy) -> None:
        self._rules = tuple(_compiled(rule, policy.lists) for rule in policy.rules)
        self._selected = lru_cache(_REMEMBERED)(self._select)

    def matching(self, verdict: Verdict) -> Iterator[Rule]:
        """The rules that act on a verdict, in order, up to the first that stops. Its `WORDS` are text. Raises Poison
        for a severity that cannot be placed on the scale, and for an `occurred_at` that is no time when a rule asks for
        the time of day."""
        for candidate in self._selected(level_of(verdict), *_words_of(verdict)):
            if _all_hold(candidate.rest, verdict):
                yield candidate.rule
                if candidate.stops:
                    return

    def _select(self, level: int, *words: str) -> tuple[_Compiled, ...]:
        verdict = dict(zip(WORDS, words, strict=True)) | {"severity_level": level}
        return tuple(each for each in self._rules if _all_hold(each.words, verdict))


def all_conditions(rule: Rule, lists: Lists) -> Iterator[Condition]:
    """Everything that has to hold of a verdict, for whoever wants to know what does not."""
    yield from of_words(rule.match)
    yield from _rest(rule, lists)


def stops(rule: Rule) -> bool:
    """Whether no later rule sees what it matches."""
    return rule.stop and rule.mode == "enforce"


def _rest(rule: Rule, lists: Lists) -> Iterator[Condition]:
    yield from of_rest(rule.match, lists)
    yield from exceptions(rule, lists)
    yield from rollout(rule)


def _compiled(rule: Rule, lists: Lists) -> _Compiled:
    words = tuple(condition.holds for condition in of_words(rule.match))
    rest = tuple(condition.holds for condition in _rest(rule, lists))
    return _Compiled(rule, words, rest, stops(rule))


def _all_hold(tests: tuple[Holds, ...], verdict: Verdict) -> bool:
    for holds in tests:  # noqa: SIM110 - all() takes twice the time
        if not holds(verdict):
            return False
    return True
