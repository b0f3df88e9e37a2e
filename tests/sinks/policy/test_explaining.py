"""What is explained is what happens."""

from typing import Any

from hypothesis import given

from sinks.policy.explaining import explain
from sinks.policy.playing import Player
from tests.sinks.policy.support import policy, rule
from tests.sinks.policy.test_evaluate import _LEVELS, _policies, _verdicts
from tests.sinks.support import NOW, verdict


@given(_policies, _verdicts)
def test_the_rules_that_match_are_those_that_act(made: list[Any], words: dict[str, Any]) -> None:
    rules = [rule(f"r{number}", match, *thens, **more) for number, (match, thens, more) in enumerate(made)]
    the_policy = policy(*rules)
    found = verdict(**words, severity_level=_LEVELS[words["severity"]])
    explained = explain(the_policy, found, NOW)
    assert [each.rule for each in explained] == list(the_policy.rules)
    assert all((each.state == "matched") == bool(each.actions) for each in explained)
    assert all((each.state == "not") == bool(each.lacking) for each in explained)
    actions = [action for each in explained for action in each.actions]
    assert actions == Player(the_policy).play(found, NOW)


def test_each_condition_that_does_not_hold_has_its_phrase() -> None:
    match = {
        "decision": "review",
        "severity": "low",
        "judge": "vendor_human",
        "degraded": True,
        "user": "u-1",
        "room": "hall",
        "time": {"to": "01:00", "timezone": "UTC"},
    }
    [lacking] = explain(
        policy(rule("r", match, rollout=0, unless=[{"media": "audio"}])), verdict(room=None), NOW
    )
    assert lacking.lacking == (
        "decision is block",
        "severity is critical",
        "judge is machine",
        "degraded is false",
        "user is u-42",
        "room is null",
        "occurred_at 2026-11-21T08:00:00.000Z is outside its time",
        "the exception unless.0 holds",
        "not among the 0 % that it is for",
    )
    a_pass = verdict(decision="pass", severity="none", severity_level=0)
    [unnamed] = explain(policy(rule("r")), a_pass, NOW)
    assert unnamed.lacking == ("a pass is matched only by a rule that names decision or severity",)
