"""Why a verdict met the rules that it met: for each rule whether it matched, or what did not hold. Pure."""

from dataclasses import dataclass
from typing import Any, Literal

from moderato.records import Action, Decision
from sinks.events import text_in
from sinks.policy.conditions import Condition
from sinks.policy.matching import all_conditions, stops
from sinks.policy.playing import Player
from sinks.policy.rules import Policy, Rule


@dataclass(frozen=True, slots=True)
class Explained:
    """One rule and one verdict. `state`: `stopped` when an earlier rule, `by`, kept the verdict from it. `lacking`:
    what did not hold, one phrase a condition. `counted`: whether it is a strike. `actions` are those of a first strike
    where the rule counts."""

    rule: Rule
    state: Literal["matched", "not", "stopped"]
    by: str | None
    lacking: tuple[str, ...]
    counted: bool
    actions: tuple[Action, ...]


def explain(policy: Policy, verdict: dict[str, Any], now: str) -> list[Explained]:
    """All rules in their order. `verdict` is one that the policy stage takes; raises Poison as it does."""
    actions = Player(policy).play(verdict, now)
    strike = verdict["decision"] != Decision.PASS
    explained: list[Explained] = []
    stopped: str | None = None
    for rule in policy.rules:
        lacking = tuple(
            _phrase(condition, rule, verdict)
            for condition in all_conditions(rule, policy.lists)
            if not condition.holds(verdict)
        )
        state: Literal["matched", "not", "stopped"] = (
            "not" if lacking else "stopped" if stopped else "matched"
        )
        demanded = tuple(action for action in actions if action.rule.id == rule.id)
        counted = strike and rule.count is not None and text_in(verdict, rule.count.per) is not None
        explained.append(Explained(rule, state, stopped, lacking, counted, demanded))
        if state == "matched" and stops(rule):
            stopped = rule.id
    return explained


def _phrase(condition: Condition, rule: Rule, verdict: dict[str, Any]) -> str:
    name = condition.name
    if name.startswith("unless."):
        return f"the exception {name} holds"
    if name == "rollout":
        return f"not among the {rule.rollout:g} % that it is for"
    if name == "time":
        return f"occurred_at {verdict['occurred_at']} is outside its time"
    if name == "degraded":
        return f"degraded is {'true' if verdict.get('degraded') is True else 'false'}"
    if name not in verdict:
        return f"{name} is missing" if name.isidentifier() else name
    value = verdict[name]
    return f"{name} is {value if isinstance(value, str) else 'null'}"
