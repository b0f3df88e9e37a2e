"""How far two vendors agree who listened to the same room at the same time."""

from collections import Counter
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from moderato.sources import Source
from moderato.times import rfc3339
from sinks.feedback.agreement import OPEN, Agreement, Pair
from tests.sinks.support import verdict

BEGIN = 1_795_248_000.0


def said(source: str, after: float = 0.0, decision: str = "block", **changes: Any) -> dict[str, Any]:
    at = rfc3339(BEGIN + after)
    return verdict(
        **{"source": source, "decision": decision, "occurred_at": at, "normalized_at": at} | changes
    )


def pairs(*verdicts: dict[str, Any], most: int = 100) -> Counter[Pair]:
    agreement = Agreement(most)
    for each in verdicts:
        agreement.see(each)
    agreement.finish()
    return agreement.pairs


def test_each_minute_of_a_room_counts_once_for_two_sources() -> None:
    told = pairs(
        said("yidun_audio", 0),
        said("yidun_audio", 20, "pass"),
        said("shumei_audio", 30),
        said("shumei_audio", 70),
        said("yidun_audio", 80, "pass"),
        said("yidun_audio", 130, "review"),
        said("shumei_audio", 140, "pass"),
        said("yidun_audio", 190, "pass"),
        said("shumei_audio", 195, "pass"),
        said("shumei_audio", 260),
    )
    # In the order of the sources, whoever came first.
    assert told == {
        Pair("shumei_audio", "yidun_audio", outcome): 1 for outcome in ("both", "source", "other", "neither")
    }


def test_other_rooms_and_tenants_people_and_what_nobody_judged_are_left_out() -> None:
    assert not pairs(
        said("shumei_audio"),
        said("yidun_audio", room="elsewhere"),
        said("yidun_audio", tenant="other"),
        said("yidun_audio", room=None),
        said("yidun_audio", judge="vendor_human"),
        said("yidun_audio", degraded=True),
        said("yidun_audio", occurred_at="soon"),
        said("a_later_source"),
    )


def test_a_minute_is_counted_when_nothing_is_likely_to_come_any_more() -> None:
    agreement = Agreement()
    for source in ("shumei_audio", "yidun_audio"):
        agreement.see(said(source))
    agreement.see(said("shumei_audio", OPEN - 1))
    assert not agreement.pairs
    agreement.see(said("shumei_audio", OPEN))
    assert agreement.pairs == {Pair("shumei_audio", "yidun_audio", "both"): 1}


def test_a_clock_that_is_ahead_does_not_keep_minutes_open() -> None:
    agreement = Agreement()
    agreement.see(said("shumei_audio", 0, occurred_at=rfc3339(BEGIN + 1e8)))
    agreement.see(said("shumei_audio", OPEN, room="other"))
    assert len(agreement) == 1


def test_the_same_minute_in_another_zone_is_the_same() -> None:
    told = pairs(said("shumei_audio"), said("yidun_audio", occurred_at="2026-11-21T16:00:01+08:00"))
    assert told == {Pair("shumei_audio", "yidun_audio", "both"): 1}


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Source)), st.integers(0, 4), st.booleans(), st.sampled_from("ab")),
        max_size=60,
    )
)
def test_it_is_what_a_naive_reading_says(seen: list[tuple[Source, int, bool, str]]) -> None:
    told = pairs(
        *(
            said(source, minute * 60 + 1, "block" if flagged else "pass", room=room)
            for source, minute, flagged, room in seen
        )
    )
    expected: Counter[Pair] = Counter()
    for slot in {(minute, room) for _, minute, _, room in seen}:
        here = [(source, flagged) for source, minute, flagged, room in seen if (minute, room) == slot]
        for one, two in combinations(Source, 2):
            if {one, two} <= {source for source, _ in here}:
                first, second = (one, True) in here, (two, True) in here
                outcome = {(True, True): "both", (True, False): "source", (False, True): "other"}
                expected[Pair(one, two, outcome.get((first, second), "neither"))] += 1  # type: ignore[arg-type]
    assert told == expected


def test_memory_is_bounded() -> None:
    agreement = Agreement(most=10)
    for number in range(1000):
        for source in ("shumei_audio", "yidun_audio"):
            agreement.see(said(source, room=f"r-{number}"))
        assert len(agreement) <= 10
    # What made room was counted, not lost.
    assert agreement.pairs.total() == 990
