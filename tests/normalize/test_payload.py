import math
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalize.payload import (
    Unreadable,
    as_code,
    as_float,
    as_id,
    as_int,
    as_ratio,
    as_text,
    looks_like_json,
    object_in,
    objects_in,
    parse_form,
    parse_json,
)

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def test_json_is_read_by_the_standard() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1, "a": 2}') == {"a": 2}
    assert parse_json('\ufeff{"t": 20190611073246073}') == {"t": 20190611073246073}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'{"a": "\n"}',
        b'{"a": "\xff"}',
        b"{'a': 1}",
        b'{"a": 1} x',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_the_standard_forbids_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match="not JSON"):
        parse_json(body)


def test_a_lone_surrogate_in_text_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        parse_json('"\ud800"')


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_unreadable(body: bytes) -> None:
    try:
        orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        with pytest.raises(Unreadable):
            parse_json(body)
    else:
        parse_json(body)


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=5))
def test_a_form_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    assert parse_form(urlencode(fields).encode()) == fields


def test_of_a_repeated_field_the_first_counts() -> None:
    assert parse_form(b"a=1&a=2&b=") == {"a": "1", "b": ""}


@pytest.mark.parametrize("body", [b"a=\xff", b"a=%FF%FE"])
def test_a_form_that_is_not_utf8_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match="form"):
        parse_form(body)


def test_json_is_told_from_a_form() -> None:
    assert looks_like_json(b'\xef\xbb\xbf  {"a": 1}')
    assert looks_like_json(b"\n[1]")
    assert not looks_like_json(b"checksum=1&content={}")
    assert not looks_like_json(b"")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (7.0, 7),
        ("7", 7),
        (" 7 ", 7),
        ("600.0", 600),
        ("-1", -1),
        (7.5, None),
        ("7.5", None),
        (True, None),
        (None, None),
        ("", None),
        ("x", None),
        (math.inf, None),
        (1e300, None),
        ("1e300", None),
        ("９", None),
        ("9" * 5000, None),
    ],
)
def test_integers_come_in_many_spellings(value: Any, number: int | None) -> None:
    assert as_int(value) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), (0.5, 0.5), ("0.5", 0.5), ("1e999", None), (math.nan, None), (True, None), ([], None)],
)
def test_numbers_are_finite(value: Any, number: float | None) -> None:
    assert as_float(value) == number


def test_a_rate_is_brought_to_one() -> None:
    assert as_ratio(99.91, of=100) == 0.9991
    assert as_ratio("0.98") == 0.98
    assert [as_ratio(value) for value in (1.5, -0.1, None, "x")] == [None] * 4


def test_ids_are_text() -> None:
    assert [as_id(value) for value in ("a", 91, 1.0, "", None, True, [], 1.5)] == [
        "a",
        "91",
        "1",
        None,
        None,
        None,
        None,
        None,
    ]


def test_text_is_kept_as_sent() -> None:
    assert as_text(" x ") == " x "
    assert [as_text(value) for value in ("", None, 5, ["x"])] == [None] * 4


@given(junk)
def test_no_value_breaks_a_reader(value: Any) -> None:
    number = as_int(value)
    assert number is None or type(number) is int
    ratio = as_ratio(value)
    assert ratio is None or 0 <= ratio <= 1
    assert as_id(value) is None or as_id(value)
    code = as_code(value)
    assert code is None or code == as_code(code)


def test_containers_of_the_wrong_kind_are_unreadable_and_missing_ones_are_not() -> None:
    assert object_in({"a": None}, "a") is None
    assert object_in({}, "a") is None
    assert objects_in({"a": None}, "a") == []
    with pytest.raises(Unreadable, match="a is a list, not an object"):
        object_in({"a": []}, "a")
    with pytest.raises(Unreadable, match="a is an object, not a list"):
        objects_in({"a": {}}, "a")
    with pytest.raises(Unreadable, match="an element of a is a number, not an object"):
        objects_in({"a": [{}, 1]}, "a")
