"""Quotas, trip switches and pulled brakes, without Kafka: several processes are told each other's tallies."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.errors import Poison
from moderato.records import Action, Active, Brake, Hit, Tally
from moderato.times import rfc3339
from sinks.policy.brake_records import brake_message, read_brake, read_tally, tally_message
from sinks.policy.brakes import ALL, SWITCH, Brakes
from sinks.policy.distinct import Distinct
from sinks.policy.evaluate import Evaluator
from tests.sinks.policy.support import policy
from tests.sinks.support import record_of, verdict

START = 1_764_000_000.0


class Process:
    """One process of the policy, at a time that is given with each verdict."""

    def __init__(self, name: str, **limits: Any) -> None:
        self.evaluator = Evaluator(policy(*RULES, brakes=limits))
        self.brakes = Brakes(name)
        self.brakes.use(self.evaluator.policy)

    def judge(self, number: int, at: float = 0.0, **fields: Any) -> list[Action]:
        data = block(number, at, **fields)
        self.brakes.see(data, START + at)
        return self.brakes.applied(self.evaluator.evaluate(data, text(at)), START + at)

    def tell(self, at: float, *others: "Process") -> list[Brake]:
        tally, pulled = self.brakes.news(START + at)
        for other in (self, *others):
            if tally:
                other.brakes.take_tally(tally)
            for brake in pulled:
                other.brakes.take_brake(brake)
        return pulled


RULES = [
    {
        "id": "kicks",
        "match": {"decision": "block", "category": "abuse"},
        "then": [{"action": "kick", "max_age": "1m"}, {"action": "notify", "target": "room"}],
    },
    {"id": "bans", "match": {"decision": "block", "category": "ad"}, "then": [{"action": "ban"}]},
    {"id": "tried", "mode": "shadow", "match": {"decision": "block"}, "then": [{"action": "mute"}]},
]


def text(at: float) -> str:
    return rfc3339(START + at) or ""


def block(number: int, at: float, **fields: Any) -> dict[str, Any]:
    own = {"id": f"v{number}", "room": f"room-{number}", "user": f"user-{number}", "occurred_at": text(at)}
    return verdict(**(own | fields))


def hitting(actions: list[Action]) -> list[tuple[str, bool]]:
    return [(each.type, each.braked is not None) for each in actions if each.mode == "enforce"]


def kicks(process: Process, numbers: range, at: float = 0.0, **fields: Any) -> list[bool]:
    """Whether each one's kick was braked."""
    return [
        next(
            each for each in process.judge(number, at, category="abuse", **fields) if each.type == "kick"
        ).braked
        is not None
        for number in numbers
    ]


def test_a_quota_lets_so_many_through_and_asks_a_person_to_look_at_the_rest() -> None:
    process = Process("a", quotas=[{"at_most": 3, "within": "10m"}])
    assert kicks(process, range(3)) == [False] * 3
    found = process.judge(3, category="abuse")
    assert hitting(found) == [("kick", True), ("notify", False), ("review", False)]
    kick, *_, review = found
    assert kick.braked == "the quota of kicks acme, 3 within 600 s, is used up"
    assert review.message == f"kick was not done: {kick.braked}"
    assert (review.target, review.expires_at, review.duration) == (kick.target, None, None)
    assert [each.id for each in process.judge(3, category="abuse")] == [each.id for each in found]


def test_what_is_tried_out_is_neither_braked_nor_counted() -> None:
    process = Process("a", quotas=[{"at_most": 1, "within": "10m"}])
    for number in range(5):
        tried = [each for each in process.judge(number, category="fraud") if each.rule.id == "tried"]
        assert [each.braked for each in tried] == [None]


def test_rules_and_tenants_have_each_their_own_quota_and_it_comes_back() -> None:
    process = Process("a", quotas=[{"at_most": 1, "within": "10m"}])
    assert kicks(process, range(2)) == [False, True]
    assert kicks(process, range(2, 4), tenant="other") == [False, True]
    assert hitting(process.judge(9, category="ad")) == [("ban", False)]
    assert kicks(process, range(10, 11), at=599.0) == [True]
    assert kicks(process, range(11, 13), at=600.0) == [False, True]


def test_a_quota_over_all_rules_and_one_of_an_action_hold_together() -> None:
    process = Process(
        "a",
        quotas=[
            {"at_most": 3, "within": "1h", "per": "tenant"},
            {"at_most": 1, "within": "1h", "per": ["tenant", "action"], "actions": ["ban"]},
        ],
    )
    assert hitting(process.judge(1, category="ad")) == [("ban", False)]
    assert hitting(process.judge(2, category="ad")) == [("ban", True), ("review", False)]
    assert kicks(process, range(3, 6)) == [False, False, True]


def test_a_quota_of_reviews_asks_for_no_further_review() -> None:
    process = Process("a", quotas=[{"at_most": 1, "within": "1h", "actions": "notify"}])
    assert hitting(process.judge(1, category="abuse")) == [("kick", False), ("notify", False)]
    assert hitting(process.judge(2, category="abuse")) == [("kick", False), ("notify", True)]


def test_what_comes_too_late_uses_up_nothing_and_what_comes_again_is_the_same() -> None:
    process = Process("a", quotas=[{"at_most": 2, "within": "10m"}])
    late = process.evaluator.evaluate(block(0, -3600.0, category="abuse"), text(0.0))
    assert [each.braked for each in process.brakes.applied(late, START)] == [None] * 3
    assert kicks(process, range(1, 4)) == [False, False, True]
    assert kicks(process, range(1, 4)) == [False, False, True]


def test_processes_keep_a_quota_together_and_one_that_starts_goes_on_with_it() -> None:
    one, two, later = (Process(name, quotas=[{"at_most": 4, "within": "10m"}]) for name in ("a", "b", "c"))
    assert kicks(one, range(3)) == [False] * 3
    one.tell(0.0, two, later)
    assert kicks(two, range(10, 13), at=1.0) == [False, True, True]
    two.tell(1.0, one, later)
    assert kicks(one, range(3, 4), at=2.0) == [True]
    assert kicks(later, range(20, 21), at=3.0) == [True]
    [usage] = later.brakes.usage(START + 3.0)
    assert (usage.lane, usage.used) == (("kicks", "acme"), 4)


TRIP = {"share": 0.2, "of": "rooms", "within": "10m", "at_least": 10}


def test_a_rule_that_hits_too_many_rooms_trips_until_it_is_released() -> None:
    process = Process("a", trips=[TRIP])
    for number in range(100):
        process.judge(number, decision="review")
    assert kicks(process, range(20)) == [False] * 20
    found = process.judge(20, category="abuse")
    assert hitting(found) == [("kick", True), ("notify", False), ("review", False)]
    [brake] = process.tell(0.0)
    assert (brake.tenant, brake.rule, brake.pulled, brake.by) == ("acme", "kicks", True, SWITCH)
    assert brake.reason == "it has hit 21 of 100 rooms within 600 s"
    assert process.tell(0.0) == []
    assert kicks(process, range(21, 22), at=86_400.0) == [True]  # nobody has released it
    assert hitting(process.judge(22, category="ad")) == [("ban", False)]
    process.brakes.take_brake(Brake("acme", "kicks", False, "mended", "ada", text(1.0)))
    assert kicks(process, range(22, 24), at=1.0) == [False, False]


def test_few_rooms_trip_nothing_however_large_their_share() -> None:
    process = Process("a", trips=[TRIP])
    assert kicks(process, range(9)) == [False] * 9
    assert kicks(process, range(1)) == [False]
    assert kicks(process, range(9, 10)) == [True]


def test_what_others_see_and_hit_counts_for_a_trip_switch() -> None:
    one, two = Process("a", trips=[TRIP]), Process("b", trips=[TRIP])
    for number in range(60):
        two.judge(number, decision="review")
    two.tell(0.0, one)
    for number in range(60, 100):
        one.judge(number, decision="review")
    assert kicks(two, range(12)) == [False] * 12
    two.tell(1.0, one)
    assert kicks(one, range(60, 69), at=1.0) == [False] * 8 + [True]
    # What was told long ago counts no more, nor what was hit then.
    assert kicks(Process("c", trips=[TRIP]), range(10), at=700.0) == [False] * 9 + [True]
    other = Process("d", trips=[TRIP])
    other.brakes.take_tally(
        Tally("a", text(0.0), (), (Active("acme", "rooms", 600.0, 1000),)),
    )
    assert kicks(other, range(10), at=599.0) == [False] * 10
    assert kicks(other, range(10, 11), at=601.0) == [True]


def test_users_are_counted_where_the_switch_asks_for_them() -> None:
    process = Process("a", trips=[TRIP | {"of": "users", "at_least": 2, "share": 0.5}])
    assert kicks(process, range(5), user="one") == [False] * 5
    for number in range(10, 13):
        process.judge(number, decision="review")
    assert kicks(process, range(10, 11)) == [False]
    assert kicks(process, range(11, 12)) == [True]


@pytest.mark.parametrize("place", [("acme", "kicks"), ("acme", ALL), (ALL, "kicks"), (ALL, ALL)])
def test_a_person_stops_a_rule_or_all_of_them_for_a_tenant_or_for_all(place: tuple[str, str]) -> None:
    process = Process("a")
    process.brakes.take_brake(Brake(*place, True, "mad since noon", "ada", text(0.0)))
    kick = process.judge(1, category="abuse")[0]
    assert kick.braked == f"stopped by ada at {text(0.0)}: mad since noon"
    process.brakes.take_brake(Brake(*place, False, "mended", "ada", text(1.0)))
    assert kicks(process, range(2, 3)) == [False]


def test_a_brake_of_another_rule_or_tenant_holds_nothing() -> None:
    process = Process("a")
    for place in (("other", "kicks"), ("acme", "bans"), (ALL, "tried")):
        process.brakes.take_brake(Brake(*place, True, "mad", "ada", text(0.0)))
    assert kicks(process, range(1)) == [False]


def test_a_limit_that_stays_in_a_new_policy_counts_on() -> None:
    quota = {"at_most": 2, "within": "10m"}
    process = Process("a", quotas=[quota])
    assert kicks(process, range(2)) == [False, False]
    process.brakes.use(policy(*RULES, brakes={"quotas": [quota, quota | {"at_most": 50}]}))
    assert kicks(process, range(2, 3)) == [True]
    process.brakes.use(policy(*RULES))
    assert kicks(process, range(3, 4)) == [False]


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 50)), max_size=60), st.integers(1, 5))
def test_no_stretch_of_time_holds_more_than_the_quota(events: list[tuple[int, float]], at_most: int) -> None:
    process = Process("a", quotas=[{"at_most": at_most, "within": "60s"}])
    through: dict[str, float] = {}
    at = 0.0
    for number, gap in events:
        at += gap
        kick = process.judge(number, at, category="abuse", id=f"{number}")[0]
        if kick.braked is None and at - through.get(kick.id, -1e9) >= 60:
            through[kick.id] = at
        assert len([when for when in through.values() if at - 60 < when <= at]) <= at_most


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 20)), max_size=100))
def test_few_are_counted_exactly(seen: list[tuple[int, float]]) -> None:
    distinct, model, at = Distinct(60.0), dict[int, float](), 0.0
    for thing, gap in seen:
        at += gap
        distinct.add(str(thing), at)
        model[thing] = at
        assert distinct.number(at) == sum(at - 60.0 < when for when in model.values())


def test_many_are_estimated_in_bounded_memory_and_few_are_exact_again_later() -> None:
    distinct = Distinct(60.0)
    for number in range(200_000):
        distinct.add(f"room-{number}", number / 10_000)
    assert distinct.number(20.0) == pytest.approx(200_000, rel=0.1)
    assert len(distinct._kept) <= 4096
    for number in range(30):
        for thing in range(100):
            distinct.add(f"room-{thing}", 100.0 + 10 * number)
        distinct.number(100.0 + 10 * number)
    assert distinct.number(390.0) == 100


FIELDS = st.sampled_from(["hits", "active", "process", "at", "pulled", "rule"])
hits = st.builds(Hit, *[st.text(min_size=1)] * 4, st.none() | st.text(min_size=1), st.none())
actives = st.builds(
    Active, st.text(min_size=1), st.sampled_from(["rooms", "users"]), st.floats(1, 1e6), st.integers(0, 2**40)
)


@given(st.lists(hits, max_size=3), st.lists(actives, max_size=3))
def test_a_tally_is_read_as_it_was_written(hits: list[Hit], active: list[Active]) -> None:
    tally = Tally("a", text(0.0), tuple(hits), tuple(active))
    assert read_tally(record_of(tally_message(tally))) == tally


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(FIELDS, inner),
    )
)
def test_a_record_that_is_none_is_poison(data: Any) -> None:
    message = brake_message(Brake("acme", "kicks", True, "mad", "ada", text(0.0)))
    assert read_brake(record_of(message)).rule == "kicks"
    with pytest.raises(Poison):
        read_brake(record_of(message, value=orjson.dumps(data)))
    tally = tally_message(Tally("a", text(0.0), (), ()))
    with pytest.raises(Poison):
        read_tally(record_of(tally, value=orjson.dumps(data)))
