"""How many dead letters are too many."""

from hypothesis import given
from hypothesis import strategies as st

from moderato.bus.limits import WINDOW, DeadLetterLimit
from moderato.settings import DeadLetters

UNLIMITED = 10**9


def limit(consecutive: int = UNLIMITED, share: float = 1.0) -> DeadLetterLimit:
    return DeadLetterLimit(DeadLetters(max_consecutive=consecutive, max_share=share))


def test_a_thousand_in_a_row_are_too_many() -> None:
    watch = DeadLetterLimit(DeadLetters())
    assert [watch.exceeded(100, 100) for _ in range(9)] == [None] * 9
    assert watch.exceeded(99, 99) is None
    assert watch.exceeded(1, 1) == (
        "1,000 records in a row would go to the dead letters (dead_letters.max_consecutive is 1,000)"
    )


def test_a_batch_with_a_good_record_ends_the_run() -> None:
    watch = limit(consecutive=10)
    assert watch.exceeded(9, 9) is None
    assert watch.exceeded(2, 1) is None
    assert watch.exceeded(9, 9) is None
    assert watch.exceeded(1, 1) is not None


def test_more_than_half_of_what_was_seen_is_too_much() -> None:
    watch = limit(share=0.5)
    assert watch.exceeded(500, 260) is None  # too few to say anything
    assert watch.exceeded(500, 240) is None  # just half
    assert watch.exceeded(10, 6) == (
        "506 of the last 1,010 records would go to the dead letters (dead_letters.max_share is 0.5)"
    )


def test_what_is_long_ago_counts_no_more() -> None:
    watch = limit(share=0.5)
    assert [watch.exceeded(1_000, 0) for _ in range(30)] == [None] * 30
    assert [watch.exceeded(1_000, 1_000) for _ in range(5)] == [None] * 5
    assert watch.exceeded(1_000, 1_000) is not None


def test_a_share_of_one_allows_everything() -> None:
    watch = limit(share=1.0)
    assert not any(watch.exceeded(1_000, 1_000) for _ in range(50))


@given(st.lists(st.tuples(st.integers(1, 1500), st.floats(0, 0.5)), max_size=60))
def test_half_of_every_batch_never_halts(batches: list[tuple[int, float]]) -> None:
    watch = limit(share=0.5)
    assert not any(watch.exceeded(records, int(records * share)) for records, share in batches)


@given(st.lists(st.integers(1, 1500), max_size=60), st.integers(1, 1500))
def test_a_flood_halts_before_the_limit_is_written(before: list[int], batch: int) -> None:
    watch = DeadLetterLimit(DeadLetters())
    for records in before:
        watch.exceeded(records, 0)
    written = 0
    while watch.exceeded(batch, batch) is None:
        written += batch
    assert written < 1_000


@given(st.lists(st.integers(1, 1500), min_size=1, max_size=60))
def test_the_window_is_bounded(batches: list[int]) -> None:
    watch = limit()
    for records in batches:
        watch.exceeded(records, 0)
    assert watch._seen < WINDOW + max(batches)
    assert watch._seen == sum(records for records, _ in watch._batches) >= min(WINDOW, sum(batches))
