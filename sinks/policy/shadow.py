"""What stands beside the actions of rules in shadow mode: whether a rule on trial would do anything new. Pure."""

from collections.abc import Sequence
from typing import Literal

from moderato.records import Action

Beside = Literal["same", "other", "nothing"]
BESIDE: tuple[Beside, ...] = ("same", "other", "nothing")


def besides(actions: Sequence[Action]) -> list[Beside | None]:
    """For each of the actions demanded with one verdict, if it is in shadow mode: whether an enforced rule demands the
    `same` of the same target, something `other`, or `nothing`. What a brake holds is not enforced."""
    if all(action.mode == "enforce" for action in actions):
        return [None] * len(actions)
    enforced = {_demand(action) for action in actions if action.mode == "enforce" and action.braked is None}
    return [None if action.mode == "enforce" else _beside(action, enforced) for action in actions]


def _beside(action: Action, enforced: set[tuple[str, str, str]]) -> Beside:
    if _demand(action) in enforced:
        return "same"
    return "other" if enforced else "nothing"


def _demand(action: Action) -> tuple[str, str, str]:
    return str(action.type), action.target.kind, action.target.id
