"""Broken content: authentic, since it is signed afterwards, and of no use to anyone."""

from collections.abc import Callable
from random import Random
from typing import Any

import orjson


def spoil(content: bytes, mark: str, random: Random) -> bytes:
    """`content` broken in one of the ways below; `mark` can still be found in it."""
    return random.choice(_WAYS)(content, mark, random)


def truncated(content: bytes, mark: str, random: Random) -> bytes:
    """Cut off somewhere behind the mark, as by a sender whose buffer was too small."""
    behind = content.index(mark.encode()) + len(mark)
    cut = content[: random.randrange(behind, len(content))]
    # A cut inside a character would be a broken form rather than broken content.
    return cut.decode(errors="ignore").encode()


def wrong_types(content: bytes, mark: str, random: Random) -> bytes:
    """Every object and list inside is its own JSON text in a string, as from a sender that encoded twice."""
    decoded = orjson.loads(content)
    if isinstance(decoded, list):
        return orjson.dumps([_text(item) for item in decoded])
    if not any(isinstance(value, dict | list) for value in decoded.values()):
        return orjson.dumps(_text(decoded))
    return orjson.dumps({name: _text_of_container(value) for name, value in decoded.items()})


def garbage(content: bytes, mark: str, random: Random) -> bytes:
    """No JSON at all: an error page of the sender's own proxy."""
    return f"<html><body><h1>502 Bad Gateway</h1><p>请求号 {mark}</p></body></html>".encode()


def _text_of_container(value: Any) -> Any:
    return _text(value) if isinstance(value, dict | list) else value


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


_WAYS: tuple[Callable[[bytes, str, Random], bytes], ...] = (truncated, wrong_types, garbage)
