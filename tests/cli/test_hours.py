"""Counts by the hour, put together."""

from hypothesis import given
from hypothesis import strategies as st

from moderato.cli.hours import Scale

LAST = 253_402_300_799 // 3600  # the year 9999


@given(st.dictionaries(st.integers(0, LAST), st.integers(1, 9), min_size=1, max_size=9), st.integers(2, 80))
def test_every_count_has_a_place_and_there_are_not_too_many(hours: dict[int, int], most: int) -> None:
    scale = Scale.of(hours, most)
    counts = scale.binned(hours)
    assert sum(counts) == sum(hours.values())
    assert len(counts) == scale.places <= most
    assert counts[0]
    assert counts[-1]
    assert 24 % scale.wide == 0 or scale.wide % 24 == 0
    assert scale.first % scale.wide == 0


def test_what_a_place_is_in_words() -> None:
    begin = 20_000 * 24
    for last, span in ((0, "hour"), (59, "hour"), (60, "2 hours"), (60 * 24 - 1, "day"), (60 * 24, "2 days")):
        assert Scale.of([begin, begin + last], 60).span == span
