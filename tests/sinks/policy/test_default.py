"""What the policy that ships does to verdicts as they come."""

from typing import Any

import pytest

from moderato.records import Category, Decision, Judge, Severity
from sinks.policy.evaluate import Evaluator
from sinks.policy.loading import BUILT_IN, load
from tests.sinks.support import NOW, verdict

EVALUATOR = Evaluator(load(BUILT_IN))


def done_to(severity: str, decision: str, category: str, **more: Any) -> list[str]:
    found = verdict(
        severity=severity,
        severity_level=Severity(severity).level,
        decision=decision,
        category=category,
        **more,
    )
    actions = EVALUATOR.evaluate(found, NOW)
    return [
        f"{each.type} {each.target.kind}{'' if each.mode == 'enforce' else ' (shadow)'}" for each in actions
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (done_to("critical", "block", "politics"), ["kick user", "notify room"]),
        (done_to("critical", "block", "terrorism", user=None), ["notify room", "review room"]),
        (done_to("high", "block", "abuse"), ["mute user"]),
        (done_to("high", "block", "porn"), ["kick user"]),
        (done_to("high", "block", "minor"), ["kick user", "review room"]),
        (done_to("medium", "block", "ad"), ["mute user (shadow)", "warn user"]),
        (done_to("medium", "block", "quality"), ["warn user"]),
        (done_to("medium", "review", "porn"), ["review user"]),
        (done_to("low", "review", "ad"), []),
        (done_to("low", "block", "ad"), ["mute user (shadow)"]),
        (done_to("none", "pass", "none"), []),
        (done_to("medium", "review", "other", degraded=True), ["review user"]),
        (done_to("critical", "block", "other", judge="vendor_human"), ["ban user", "notify room"]),
        (done_to("high", "block", "abuse", judge="customer_human"), ["kick user", "notify room"]),
    ],
)
def test_verdicts_meet_the_action_that_the_comments_promise(found: list[str], expected: list[str]) -> None:
    assert found == expected


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("judge", list(Judge))
@pytest.mark.parametrize("severity", ["medium", "high", "critical"])
@pytest.mark.parametrize("decision", [Decision.REVIEW, Decision.BLOCK])
def test_nothing_grave_passes_in_silence(category: str, judge: str, severity: str, decision: str) -> None:
    assert [each for each in done_to(severity, decision, category, judge=judge) if "shadow" not in each]


def test_what_hits_a_user_has_an_age_and_what_asks_a_person_has_none() -> None:
    for rule in load(BUILT_IN).rules:
        for then in rule.then:
            assert (then.max_age is None) == (then.action in ("review", "notify"))
