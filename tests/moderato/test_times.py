import math

from hypothesis import given
from hypothesis import strategies as st

from moderato.times import epoch, now, rfc3339


def test_a_time_is_written_with_milliseconds_in_utc() -> None:
    assert rfc3339(1650000003.2) == "2022-04-15T05:20:03.200Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"


def test_times_that_cannot_be_written_are_none() -> None:
    assert rfc3339(-1) is None
    assert rfc3339(1e20) is None
    assert rfc3339(math.nan) is None
    assert rfc3339(math.inf) is None


@given(st.floats(0, 253_402_300_799))
def test_writing_and_reading_agree_to_the_millisecond(seconds: float) -> None:
    text = rfc3339(seconds)
    assert text is not None
    read = epoch(text)
    assert read is not None
    assert abs(read - seconds) <= 0.001


def test_text_without_a_zone_or_that_is_no_time_is_none() -> None:
    assert epoch("2026-11-21T08:00:00") is None
    assert epoch("yesterday") is None


def test_now_is_a_time() -> None:
    assert epoch(now()) is not None
