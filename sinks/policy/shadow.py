"""What stands beside the actions of rules in shadow mode: whether a rule on trial would do anything new. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from moderato.records import Action

Beside = Literal["same", "other", "nothing"]
BESIDE: tuple[Beside, ...] = ("same", "other", "nothing")


def besides(actions: Sequence[Action]) -> Counter[tuple[str, Beside]]:
    """Of the actions demanded with one verdict: those in shadow mode by type, and by whether an enforced rule demands
    the `same` of the same target, something `other`, or `nothing`."""
    shadow = [action for action in actions if action.mode == "shadow"]
    if not shadow:
        return Counter()
    enforced = {_demand(action) for action in actions if action.mode == "enforce"}
    return Counter(
        (
            str(action.type),
            "same" if _demand(action) in enforced else "other" if enforced else "nothing",
        )
        for action in shadow
    )


def _demand(action: Action) -> tuple[str, str, str]:
    return str(action.type), action.target.kind, action.target.id
