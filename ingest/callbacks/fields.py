"""Reading just enough of a vendor's body to tell which one it is. Nothing here raises: what cannot be read is None."""

from hashlib import blake2b
from typing import Any

import orjson

Object = dict[str, Any]

_BOM = b"\xef\xbb\xbf"
_MAX_EXACT = 2**53


def parse(text: bytes | str) -> Any:
    """JSON with or without a byte-order mark; None when it is not JSON."""
    try:
        return orjson.loads(text.removeprefix("\ufeff") if isinstance(text, str) else text.removeprefix(_BOM))
    except ValueError:
        return None


def an_object(text: bytes | str) -> Object:
    """The JSON object in `text`, empty when there is none."""
    value = parse(text)
    return value if isinstance(value, dict) else {}


def object_at(parent: Object, key: str) -> Object:
    """The object at `key`, empty when there is none."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def as_id(value: Any) -> str | None:
    """An id as text: integers, also those written as floats, become their digits; anything else is None."""
    if type(value) is str:
        return value or None
    if type(value) is float and value.is_integer() and abs(value) <= _MAX_EXACT:
        value = int(value)
    return str(value) if type(value) is int else None


def first_id(*values: Any) -> str | None:
    """The first of `values` that is an id."""
    return next((found for value in values if (found := as_id(value))), None)


def looks_like_json(body: bytes) -> bool:
    """Whether a body that may be a form or JSON begins as a JSON object or array."""
    return body.removeprefix(_BOM).lstrip(b" \t\r\n")[:1] in (b"{", b"[")


def digest(data: bytes) -> str:
    """BLAKE2b, 32 hex characters."""
    return blake2b(data, digest_size=16).hexdigest()


def content_digest(value: Any, text: bytes) -> str:
    """A digest of what JSON says, however it is spelled; of its `text` where it is nested too deep to be written."""
    try:
        return digest(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
    except TypeError:
        return digest(text)
