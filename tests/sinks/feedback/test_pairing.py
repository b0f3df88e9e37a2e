"""Which of a machine's verdicts a person has decided on."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.times import rfc3339
from sinks.feedback.pairing import NEAR, Opinion, Pairing
from tests.sinks.support import verdict

BEGIN = 1_795_248_000.0
NUMBERS = itertools.count()


def said(after: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A machine's verdict that flags, with a new id, unless `changes` say otherwise."""
    changes = {"id": f"v-{next(NUMBERS)}", "occurred_at": rfc3339(BEGIN + after), "user": None} | changes
    return verdict(**changes)


def decided(after: float = 60.0, decision: str = "block", **changes: Any) -> dict[str, Any]:
    """A person's, of the whole task unless `changes` name a segment."""
    changes = {"judge": "vendor_human", "decision": decision, "category": "ad", "segment_id": None} | changes
    return said(after, **changes)


def outcomes(pairing: Pairing, *verdicts: dict[str, Any]) -> list[str]:
    return [opinion.outcome for each in verdicts for opinion in pairing.take(each)]


def test_a_person_confirms_or_refutes_what_a_machine_flagged() -> None:
    for decision, outcome in (("block", "confirmed"), ("review", "confirmed"), ("pass", "refuted")):
        pairing = Pairing()
        assert pairing.take(said(category="porn"), mark="m") == []
        told = pairing.take(decided(decision=decision))
        # The category is the machine's, which is what precision is asked of.
        assert told == [Opinion(outcome, "shumei_audio", "porn", "m")]


def test_what_no_machine_flagged_is_missed_or_cleared_in_the_persons_category() -> None:
    pairing = Pairing()
    pairing.take(said(decision="pass"))
    assert pairing.take(decided()) == [Opinion("missed", "shumei_audio", "ad")]
    assert pairing.take(decided(decision="pass")) == [Opinion("cleared", "shumei_audio", "ad")]


def test_a_named_segment_is_that_segment_however_late_and_all_of_it() -> None:
    pairing = Pairing()
    for segment in ("s1", "s1", "s2"):
        pairing.take(said(segment_id=segment), mark=segment)
    told = pairing.take(decided(after=80_000.0, segment_id="s1"))
    assert [opinion.mark for opinion in told] == ["s1", "s1"]
    assert outcomes(pairing, decided(segment_id="s3")) == ["missed"]


def test_spans_that_overlap_are_the_same_content() -> None:
    pairing = Pairing()
    for start in (0.0, 10.0, 20.0):
        span = {"start": BEGIN + start, "end": BEGIN + start + 10, "clock": "epoch"}
        pairing.take(said(start, segment_id=None, span=span), mark=start)
    span = {"start": BEGIN + 5, "end": BEGIN + 12, "clock": "epoch"}
    assert [opinion.mark for opinion in pairing.take(decided(span=span))] == [0.0, 10.0]
    # Seconds of another stream say nothing, so that the nearest in time is meant.
    other = {"start": 0.0, "end": 5.0, "clock": "stream"}
    assert [opinion.mark for opinion in pairing.take(decided(span=other))] == [20.0]


def test_without_segment_or_span_it_is_the_newest_within_ten_minutes() -> None:
    pairing = Pairing()
    pairing.take(said(0), mark="old")
    pairing.take(said(100), mark="new")
    assert [opinion.mark for opinion in pairing.take(decided(100 + NEAR))] == ["new"]
    assert outcomes(pairing, decided(101 + NEAR)) == ["missed"]


def test_another_users_words_are_not_meant_and_an_unnamed_speaker_may_be() -> None:
    pairing = Pairing()
    pairing.take(said(0), mark="nobody")
    pairing.take(said(10, user="u-1"), mark="u-1")
    assert [opinion.mark for opinion in pairing.take(decided(user="u-2"))] == ["nobody"]
    assert [opinion.mark for opinion in pairing.take(decided(user="u-1"))] == ["u-1"]


@pytest.mark.parametrize("field", ["tenant", "source"])
def test_another_tenants_or_sources_people_say_nothing(field: str) -> None:
    pairing = Pairing()
    pairing.take(said())
    other = {"tenant": "other", "source": "yidun_audio"}[field]
    assert outcomes(pairing, decided(**{field: other})) == ["missed"]


def test_another_task_of_the_same_room_will_do_and_its_own_goes_before() -> None:
    pairing = Pairing()
    pairing.take(said(0, task_id="a"), mark="own")
    pairing.take(said(10, task_id="b"), mark="other")
    assert [opinion.mark for opinion in pairing.take(decided(task_id="a"))] == ["own"]
    assert [opinion.mark for opinion in pairing.take(decided(task_id="c"))] == ["other"]
    assert outcomes(pairing, decided(task_id="c", room="elsewhere")) == ["missed"]


def test_the_first_person_decides_and_a_second_opinion_counts_nothing() -> None:
    pairing = Pairing()
    pairing.take(said())
    assert outcomes(pairing, decided(), decided(decision="pass"), decided(judge="customer_human")) == [
        "confirmed"
    ]


def test_repetitions_and_what_nobody_judged_count_nothing() -> None:
    pairing = Pairing()
    machine, person = said(), decided()
    assert outcomes(pairing, machine, machine, person, person) == ["confirmed"]
    assert len(pairing) == 1
    assert outcomes(pairing, said(degraded=True), said(occurred_at="yesterday"), decided(degraded=True)) == []
    assert len(pairing) == 1


def test_the_oldest_makes_room() -> None:
    pairing = Pairing(most=3)
    for number in range(5):
        pairing.take(said(number, segment_id=f"s{number}", task_id=f"t{number % 2}"))
    assert len(pairing) == 3
    assert outcomes(pairing, decided(segment_id="s1", task_id="t1")) == ["missed"]
    assert outcomes(pairing, decided(segment_id="s2", task_id="t0")) == ["confirmed"]
    assert len(pairing._lines) == 3  # two tasks and the room


words = st.none() | st.sampled_from(["a", "b"])
spans = st.none() | st.sampled_from(
    [{"start": 0, "end": 1, "clock": "epoch"}, {"start": "x"}, {"clock": "stream", "start": 1, "end": 2}, 7]
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "judge": st.sampled_from(["machine", "vendor_human", "later"]),
                "decision": st.sampled_from(["pass", "block"]),
                "task_id": words,
                "room": words,
                "user": words,
                "segment_id": words,
                "span": spans,
            }
        ),
        max_size=40,
    ),
    st.integers(1, 5),
)
def test_whatever_comes_memory_is_bounded_and_nothing_is_paired_twice(
    given_: list[dict[str, Any]], most: int
) -> None:
    pairing, marks = Pairing(most), []
    for number, changes in enumerate(given_):
        told = pairing.take(verdict(id=str(number), **changes), mark=number)
        marks += [opinion.mark for opinion in told if opinion.mark is not None]
        assert len(pairing) <= most
        assert sum(map(len, pairing._lines.values())) <= 2 * most
    assert len(marks) == len(set(marks))
