"""Counting people and rooms in bounded memory."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.policy.subjects import Subjects


@given(st.lists(st.sampled_from("abcdef")))
def test_few_are_counted_exactly(names: list[str]) -> None:
    subjects = Subjects()
    for name in names:
        subjects.add(name)
    counted = Counter(names)
    assert len(subjects) == len(counted)
    assert dict(subjects.top(10)) == counted
    assert [number for _, number in subjects.top(10)] == sorted(counted.values(), reverse=True)


def test_of_many_the_frequent_ones_stay_and_memory_does_not_grow() -> None:
    subjects = Subjects()
    for number in range(30_000):
        subjects.add(f"u-{number}")
        if number % 3 == 0:
            subjects.add("u-frequent")
    assert len(subjects) == pytest.approx(30_001, rel=0.15)  # an estimate, three times off its usual error
    assert subjects.top(1) == [("u-frequent", 10_000)]
    assert len(subjects._named) <= 1_000
