"""Tolerant reading of vendors' JSON and forms: one spelling for "a number may be text" and "missing is null".

What may be tolerated and what is unreadable is fixed by the mapping rules: a missing or null field is None; a
container of the wrong kind, or text that is not RFC 8259 JSON in UTF-8, raises `Unreadable`.
"""

import math
import re
from typing import Any
from urllib.parse import parse_qsl

import orjson

from moderato.errors import Poison

Json = Any  # what orjson returns: dict, list, str, int, float, bool or None
Object = dict[str, Any]

_BOM = b"\xef\xbb\xbf"
_DIGITS = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_MAX_EXACT = 2**53


class Unreadable(Poison):
    """An authentic body that no layout of its source explains: fail-safe verdict and dead letter."""


def parse_json(text: bytes | str) -> Json:
    """RFC 8259 JSON in UTF-8; a byte-order mark is skipped, of duplicate keys the last wins."""
    if isinstance(text, str):
        text = text.removeprefix("\ufeff")
    elif text.startswith(_BOM):
        text = text[3:]
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise Unreadable(f"not JSON: {error}") from error


def parse_form(body: bytes) -> dict[str, str]:
    """application/x-www-form-urlencoded in UTF-8; of a repeated field the first counts, as vendors' own servers do."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, encoding="utf-8", errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise Unreadable(f"not a UTF-8 form: {error}") from error
    form: dict[str, str] = {}
    for name, value in pairs:
        form.setdefault(name, value)
    return form


def looks_like_json(body: bytes) -> bool:
    """Whether a body that may be a form or JSON begins as a JSON object or array."""
    return body.removeprefix(_BOM).lstrip(b" \t\r\n")[:1] in (b"{", b"[")


def an_object(value: Json, what: str) -> Object:
    """`value` as an object; Unreadable otherwise."""
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is {_kind(value)}, not an object")
    return value


def a_list(value: Json, what: str) -> list[Json]:
    """`value` as a list; Unreadable otherwise."""
    if not isinstance(value, list):
        raise Unreadable(f"{what} is {_kind(value)}, not a list")
    return value


def object_in(parent: Object, key: str) -> Object | None:
    """The object at `key`, None when missing or null; Unreadable when it is something else."""
    value = parent.get(key)
    return None if value is None else an_object(value, key)


def objects_in(parent: Object, key: str) -> list[Object]:
    """The list of objects at `key`, empty when missing or null; Unreadable when it is something else."""
    value = parent.get(key)
    if value is None:
        return []
    return [an_object(item, f"an element of {key}") for item in a_list(value, key)]


def as_int(value: Json) -> int | None:
    """An int, an integral float or digits in a string, as an int; None for anything else."""
    if type(value) is int:
        return value
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) <= _MAX_EXACT else None
    if type(value) is str:
        text = value.strip()
        if _DIGITS.fullmatch(text):
            return int(text)
        number = _decimal(text)
        return (
            int(number) if number is not None and number.is_integer() and abs(number) <= _MAX_EXACT else None
        )
    return None


def as_float(value: Json) -> float | None:
    """A finite number, or one in a string; None for anything else."""
    if type(value) is int:
        return float(value) if abs(value) <= 2**64 else None
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) is str:
        return _decimal(value.strip())
    return None


_DECIMAL = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


def _decimal(text: str) -> float | None:
    if not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def as_ratio(value: Json, of: float = 1.0) -> float | None:
    """A confidence as 0..1, given on a scale of 0..`of`; None outside of it."""
    number = as_float(value)
    if number is None or not 0 <= number <= of:
        return None
    return number if of == 1.0 else round(number / of, 6)


def as_id(value: Json) -> str | None:
    """An id, room, user, account or file as text: integers become their digits, empty is None."""
    if type(value) is str:
        return value or None
    number = as_int(value)
    return None if number is None else str(number)


def as_text(value: Json) -> str | None:
    """Text as it was sent, None when it is missing, empty or not text."""
    return value if type(value) is str and value else None


def as_code(value: Json) -> str | None:
    """A code or label to look up in a table: surrounding spaces and case do not count, 600, 600.0 and "600" are one."""
    if type(value) is str:
        text = value.strip().casefold()
        if not text or text[0] not in "-0123456789":
            return text or None
        number = as_int(text)
        return text if number is None else str(number)
    number = as_int(value)
    return None if number is None else str(number)


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    return {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}.get(
        type(value), "a number"
    )
