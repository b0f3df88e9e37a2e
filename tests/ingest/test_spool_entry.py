import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.spool.entry import Entry, decode, encode
from moderato.errors import Poison

ENTRIES = st.builds(
    Entry,
    st.text(max_size=60),
    st.binary(max_size=60),
    st.binary(max_size=2000),
    st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=60)), max_size=12),
)
ENTRY = Entry(
    "moderation.raw.shumei_audio", b"default/t", b'{"requestId":"1"}', [("ce_id", b"1"), ("x", b"")]
)


@given(ENTRIES)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert decode(encode(entry)) == entry


@given(ENTRIES, st.data())
def test_an_entry_with_any_changed_byte_is_noticed(entry: Entry, data: st.DataObject) -> None:
    encoded = bytearray(encode(entry))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Poison):
        decode(bytes(encoded))


@given(ENTRIES, st.data())
def test_an_entry_that_was_cut_off_is_noticed(entry: Entry, data: st.DataObject) -> None:
    encoded = encode(entry)
    with pytest.raises(Poison):
        decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@given(st.binary(max_size=200))
def test_other_bytes_with_a_right_checksum_are_no_entry_or_a_whole_one(content: bytes) -> None:
    data = b"\x01" + zlib.crc32(content).to_bytes(4, "big") + content
    try:
        entry = decode(data)
    except Poison:
        return
    assert encode(entry) == data


def test_more_or_less_than_the_lengths_say_is_noticed() -> None:
    content = encode(ENTRY)[5:]
    for changed in (content + b"?", content[:-1]):
        with pytest.raises(Poison, match="lengths"):
            decode(b"\x01" + zlib.crc32(changed).to_bytes(4, "big") + changed)


def test_it_says_what_is_wrong() -> None:
    encoded = encode(ENTRY)
    for data, reason in (
        (b"\x02" + encoded[1:], "version 2, not 1"),
        (encoded[:-1] + b"?", "checksum"),
        (b"", "lengths"),
    ):
        with pytest.raises(Poison, match=reason):
            decode(data)
