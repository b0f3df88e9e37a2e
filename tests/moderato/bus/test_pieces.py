from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from moderato.bus.pieces import pieces


@dataclass(frozen=True)
class Sized:
    value: bytes | None


VALUES = st.one_of(st.none(), st.integers(0, 30).map(bytes))
FETCHES = st.dictionaries(st.integers(0, 4), st.lists(VALUES.map(Sized), min_size=1, max_size=20))


def weight(records: Sequence[Sized]) -> int:
    return sum(len(record.value or b"") for record in records)


@given(FETCHES, st.integers(1, 60))
def test_pieces_are_the_whole_in_order_and_each_is_within_the_limit_or_one_large_record(
    fetched: dict[int, list[Sized]], most: int
) -> None:
    parts = list(pieces(fetched, most))
    whole = {place: [record for part in parts for record in part.get(place, [])] for place in fetched}
    assert whole == fetched
    for part in parts:
        records = [record for batch in part.values() for record in batch]
        assert all(part.values())
        assert weight(records) <= most or len([each for each in records if each.value]) == 1


def test_a_small_fetch_is_one_piece_and_an_empty_one_none() -> None:
    small = {0: [Sized(b"a")], 1: [Sized(b"b"), Sized(None)]}
    assert list(pieces(small, 10)) == [small]
    assert list(pieces({}, 10)) == []


def test_a_thousand_records_of_a_mebibyte_are_handled_four_at_a_time() -> None:
    value = bytes(1024 * 1024)
    parts = list(pieces({0: [Sized(value)] * 1000}, 4 * 1024 * 1024))
    assert [len(part[0]) for part in parts] == [4] * 250
