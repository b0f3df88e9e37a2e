"""What a policy would have done to verdicts of the past."""

from collections import Counter
from typing import Any

import orjson
import pytest

from moderato.errors import Poison
from moderato.times import rfc3339
from sinks.policy.backtest import HOURS, Backtest, People
from sinks.policy.loading import load
from tests.sinks.policy.evening import LIBRARY, POLICIES, done_by, evening
from tests.sinks.policy.support import policy, rule
from tests.sinks.support import verdict

BEGIN = 1_795_248_000.0


def said(number: int, after: float = 0.0, **changes: Any) -> dict[str, Any]:
    at = rfc3339(BEGIN + after)
    return verdict(**{"id": f"v-{number}", "occurred_at": at, "normalized_at": at} | changes)


def played(test: Backtest, *verdicts: dict[str, Any]) -> Backtest:
    for each in verdicts:
        test.play(each)
    return test


@pytest.mark.parametrize("name", POLICIES)
def test_the_recorded_evening_comes_out_as_the_policies_do(name: str) -> None:
    path = LIBRARY / f"{name}.yaml"
    test = played(Backtest(load(path), load(path)), *map(orjson.loads, evening()))
    counted = {
        (acts.rule.id, f"{kind}{' (shadow)' * (acts.rule.mode == 'shadow')}"): number
        for acts in test.new.rules.values()
        for kind, number in acts.actions.items()
    }
    assert counted == done_by(path)
    # Nothing differs from itself.
    assert {change for _, change in test.difference.actions} == {"same"}
    assert test.difference.examples == []
    assert test.verdicts + test.repeated == len(evening())


def test_each_verdict_is_played_once() -> None:
    test = played(Backtest(policy(rule())), said(1), said(1, 5), said(1, tenant="other"), said(2))
    assert (test.verdicts, test.repeated) == (3, 1)
    assert test.new.rules["r"].actions == {"notify": 3}


def test_counted_rules_count() -> None:
    counting = policy(rule("third", {}, "mute", count={"at_least": 3, "within": "1m"}))
    test = played(Backtest(counting), *(said(number, number * 20) for number in range(4)), said(9, 500))
    acts = test.new.rules["third"]
    assert (acts.verdicts, acts.users.top(1)) == (2, [("acme/u-42", 2)])


def test_what_is_demanded_too_late_is_told() -> None:
    soon = policy(rule("soon", {}, {"action": "kick", "max_age": "1m"}))
    test = played(Backtest(soon), said(1), said(2, normalized_at=rfc3339(BEGIN + 61)))
    assert (test.new.rules["soon"].actions["kick"], test.new.rules["soon"].late) == (2, 1)


def test_a_rule_is_judged_by_people_who_decide_later() -> None:
    rules = policy(
        rule("porn", {"category": "porn"}, "kick"), rule("humans", {"judge": "vendor_human"}, "ban")
    )
    test = played(
        Backtest(rules),
        said(1, segment_id="a", category="porn"),
        said(2, segment_id="b", category="porn"),
        said(3, segment_id="c", category="abuse"),
        *(
            said(
                10 + number,
                60,
                segment_id=segment,
                judge="vendor_human",
                decision=decision,
                severity=severity,
            )
            for number, (segment, decision, severity) in enumerate(
                [("a", "block", "high"), ("b", "pass", "none"), ("c", "pass", "none"), ("d", "block", "high")]
            )
        ),
    )
    porn, humans = test.new.rules["porn"], test.new.rules["humans"]
    assert (porn.people, porn.people.judged, porn.by_people) == (People(1, 1), 2, 0)
    assert (humans.people, humans.verdicts, humans.by_people) == (People(0, 0), 2, 2)
    assert test.opinions == {
        ("shumei_audio", "porn", "confirmed"): 1,
        ("shumei_audio", "porn", "refuted"): 1,
        ("shumei_audio", "abuse", "refuted"): 1,
        ("shumei_audio", "politics", "missed"): 1,
    }


def test_enforced_actions_are_compared_with_the_baselines() -> None:
    old = policy(
        rule("a", {"category": "abuse"}, {"action": "mute", "duration": "10m"}),
        rule("b", {"category": "ad"}, "kick"),
        rule("c", {"category": "porn"}, "kick"),
    )
    new = policy(
        rule("renamed", {"category": "abuse"}, {"action": "mute", "duration": "1h"}),
        rule("c", {"category": "porn"}, "kick"),
        rule("d", {"category": "spam"}, "ban"),
        rule("trial", {"category": "ad"}, "kick", mode="shadow"),
    )
    test = played(
        Backtest(new, old, examples=1),
        *(
            said(number, category=name)
            for number, name in enumerate(["abuse", "ad", "ad", "porn", "spam", "fraud"])
        ),
        said(7, 60, judge="vendor_human", decision="pass", severity="none"),
    )
    found = test.difference
    assert found.actions == {
        ("mute", "changed"): 1,
        ("kick", "gone"): 2,
        ("kick", "same"): 1,
        ("ban", "new"): 1,
    }
    acted = {change: count["verdicts"] for change, (count, _) in found.acted.items()}
    assert acted == {"same": 2, "new": 1, "gone": 2}
    # All are of one segment, so that the person refutes every one of them.
    assert {change: people.refuted for change, (_, people) in found.acted.items()} == acted
    assert [(each.change, each.verdict["id"], each.actions) for each in found.examples] == [
        ("gone", "v-1", ["kick user u-42 by b"]),
        ("new", "v-4", ["ban user u-42 by d"]),
    ]
    assert found.users["gone"].top(1) == [("acme/u-42", 2)]
    assert test.new.shadow == {("kick", "nothing"): 2}


def test_actions_are_counted_by_the_hour_and_the_hours_are_bounded() -> None:
    test = played(
        Backtest(policy(rule())), said(1), said(2, 3599), said(3, 3600), said(4, 7200, decision="pass")
    )
    begin = int(BEGIN // 3600)
    assert test.new.hours == {begin: 2, begin + 1: 1}
    assert test.hours == {begin: 2, begin + 1: 1, begin + 2: 1}
    assert (test.first, test.last) == (rfc3339(BEGIN), rfc3339(BEGIN + 7200))
    played(test, *(said(10 + number, number * 3600) for number in range(HOURS + 50)))
    assert len(test.hours) == len(test.new.rules["r"].hours) == HOURS


def test_words_of_a_later_version_are_counted_together() -> None:
    later = [said(n, judge=f"j-{n}", source=f"s-{n}", decision=f"d-{n}", category=f"c-{n}") for n in range(9)]
    test = played(Backtest(policy(rule("r", {"severity": "critical"}))), *later)
    assert test.decisions == test.judges == test.sources == {"unknown": 9}
    assert test.opinions == {("unknown", "unknown", "missed"): 9}
    assert test.new.rules["r"].verdicts == 9


def test_the_brakes_of_a_policy_hold() -> None:
    quota = {"at_most": 2, "within": "1h"}
    trip = {"share": 0.5, "within": "1h", "at_least": 2, "rules": ["ads"]}
    test = played(
        Backtest(
            policy(
                rule("abuse", {"category": "abuse"}, "mute"),
                rule("ads", {"category": "ad"}, "kick"),
                brakes={"quotas": [quota | {"rules": ["abuse"]}], "trips": [trip]},
            ),
            policy(rule("abuse", {"category": "abuse"}, "mute"), rule("ads", {"category": "ad"}, "kick")),
        ),
        *(said(number, number, category="abuse") for number in range(5)),
        *(said(10 + number, 10 + number, category="ad", room=f"r-{number}") for number in range(4)),
    )
    abuse, ads = test.new.rules["abuse"], test.new.rules["ads"]
    # A person is asked to look at what is not done: once for each verdict.
    assert (abuse.verdicts, abuse.actions, abuse.braked) == (5, {"mute": 2, "review": 3}, 3)
    assert (ads.verdicts, ads.braked, ads.actions["review"]) == (4, 4 - ads.actions["kick"], ads.braked)
    [brake] = test.new.pulled
    assert (brake.tenant, brake.rule, brake.pulled) == ("acme", "ads", True)
    assert test.old is not None
    assert test.old.pulled == []
    assert test.difference.actions["mute", "same"] == 2
    assert test.difference.actions["mute", "gone"] == 3


def test_vendors_that_listened_together_are_compared() -> None:
    test = played(
        Backtest(policy()), said(1), said(1, source="yidun_audio", decision="pass", severity="none")
    )
    [(pair, minutes)] = test.agreement().items()
    assert (tuple(pair), minutes) == (("shumei_audio", "yidun_audio", "source"), 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "dire", "severity_level": None},
        {"normalized_at": "soon"},
        {"normalized_at": "0001-01-01T00:00:00Z"},
        {"occurred_at": "once"},
    ],
)
def test_a_verdict_that_no_policy_can_judge_counts_nowhere(changes: dict[str, Any]) -> None:
    test = Backtest(policy(rule("late", {}, {"action": "kick", "max_age": "1m"})))
    with pytest.raises(Poison):
        test.play(said(1, **changes))
    assert test.verdicts == 0
    assert test.new.rules["late"].actions == Counter()
