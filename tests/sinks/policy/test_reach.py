"""Rules that can never act: each that is named truly cannot, and the plain cases are named."""

from typing import Any

import pytest
from hypothesis import given

from sinks.policy.evaluate import Evaluator
from sinks.policy.reach import unreachable
from sinks.policy.rules import Policy, PolicyFile
from tests.sinks.policy.support import policy, rule
from tests.sinks.policy.test_evaluate import _LEVELS, _policies, _verdicts
from tests.sinks.support import NOW, verdict


def named(*rules: dict[str, Any]) -> dict[str, str]:
    return {found.id: why for found, why in unreachable(policy(*rules))}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({}, {"category": "ad"}),
        ({"severity": {"at_least": "high"}}, {"severity": ["high", "critical"], "room": "x"}),
        ({"room": "*"}, {"room": "live-*"}),
        ({"category": ["ad", "spam"], "user": ["a", "b"]}, {"category": "spam", "user": "a"}),
    ],
)
def test_what_an_earlier_rule_stops_is_never_reached(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    assert named(rule("a", earlier, stop=True), rule("b", later)) == {"b": "a stops all that it matches"}
    assert named(rule("a", earlier), rule("b", later)) == {}
    assert named(rule("a", earlier, stop=True, mode="shadow"), rule("b", later)) == {}
    assert named(rule("a", earlier, stop=True, rollout=50), rule("b", later)) == {}
    assert named(rule("a", earlier, stop=True, unless=[{"room": "x"}]), rule("b", later)) == {}
    assert named(rule("a", earlier, stop=True), rule("b", later, priority=1)) == {}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({}, {"decision": "pass"}),
        ({"severity": ["high", "critical"]}, {"severity": {"at_least": "high"}}),
        ({"room": "live-*"}, {"category": "ad"}),
        ({"user": "a"}, {"user": ["a", "b"]}),
        ({"degraded": True}, {"category": "ad"}),
    ],
)
def test_what_is_reached_sometimes_is_not_named(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    assert named(rule("a", earlier, stop=True), rule("b", later)) == {}


def test_rules_for_nobody_are_named() -> None:
    assert named(rule("a", rollout=0), rule("b", {"room": "x"}, unless=[{"room": ["x", "y"]}])) == {
        "a": "its rollout is 0: it is for nobody",
        "b": "its exception unless.0 takes back all that it matches",
    }
    file = PolicyFile.model_validate({"rules": [rule("c", {"user": {"file": "none.txt"}})]})
    [(_, why)] = unreachable(Policy.of(file, {"none.txt": frozenset()}))
    assert why == "the lists of its user are empty"


@given(_policies, _verdicts)
def test_a_rule_that_is_named_never_acts(made: list[Any], words: dict[str, Any]) -> None:
    rules = [rule(f"r{number}", match, *thens, **more) for number, (match, thens, more) in enumerate(made)]
    the_policy = policy(*rules)
    never = {found.id for found, _ in unreachable(the_policy)}
    actions = Evaluator(the_policy).evaluate(verdict(**words, severity_level=_LEVELS[words["severity"]]), NOW)
    assert not never & {action.rule.id for action in actions}
