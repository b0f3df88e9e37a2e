"""What a policy demands of one verdict after another, counted rules included, without Kafka. Pure: no clock, no I/O."""

from typing import Any

from moderato.records import Action
from sinks.policy.evaluate import Evaluator
from sinks.policy.rules import Policy
from sinks.policy.windows import Windows

_SUBJECTS = 1_000_000


class Player:
    """A policy and its windows."""

    def __init__(self, policy: Policy) -> None:
        self._evaluator = Evaluator(policy)
        self._windows = Windows(_SUBJECTS)

    def play(self, verdict: dict[str, Any], now: str) -> list[Action]:
        """The actions that both stages of the policy would demand, in the order of the stages; `now` is RFC 3339.
        Raises Poison as they do."""
        actions = self._evaluator.evaluate(verdict, now)
        for subject in self._evaluator.subjects(verdict):
            actions += self._evaluator.count(verdict, subject, self._windows, now)
        return actions
