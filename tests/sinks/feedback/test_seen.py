"""A bounded memory of ids."""

from hypothesis import given
from hypothesis import strategies as st

from sinks.feedback.seen import Seen


@given(st.lists(st.integers(0, 30), max_size=200), st.integers(1, 10))
def test_the_last_ones_are_always_remembered(numbers: list[int], most: int) -> None:
    seen = Seen(most)
    told = [seen.first_time("acme", str(number)) for number in numbers]
    for place, number in enumerate(numbers):
        latest = list(dict.fromkeys(reversed(numbers[:place])))[:most]
        if number in latest:
            assert not told[place]
        if number not in numbers[:place]:
            assert told[place]


def test_what_comes_up_again_is_remembered_anew() -> None:
    seen = Seen(2)
    assert [seen.first_time(id) for id in "abcada"] == [True, True, True, False, True, False]


def test_what_is_long_ago_is_forgotten_so_that_memory_is_bounded() -> None:
    seen = Seen(10)
    assert all(seen.first_time(str(number)) for number in range(100))
    assert seen.first_time("0")
    assert not seen.first_time("99")
