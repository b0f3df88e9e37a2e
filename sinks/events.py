"""Opening a consumed record: the CloudEvent and its JSON, checked as far as every reader needs it."""

from typing import Any

import orjson

from moderato.bus.record import Record
from moderato.codec import Event, decode
from moderato.errors import Poison


def opened(record: Record, kind: str) -> tuple[Event, dict[str, Any]]:
    """The event and its data. Raises Poison when it is not a `moderato.<kind>.v1` that holds a JSON object."""
    event = decode(record.headers, record.value)
    if event.kind != kind or event.version != "v1":
        raise Poison(f"moderato.{kind}.v1 is due, not {event.type[:60]!r}")
    try:
        data = orjson.loads(event.data)
    except orjson.JSONDecodeError as error:
        raise Poison(f"the {kind} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise Poison(f"the {kind} is not a JSON object")
    return event, data


def require_texts(data: dict[str, Any], names: tuple[str, ...]) -> None:
    """Raises Poison that names every field of `names` which is not a text with something in it."""
    for name in names:
        text = data.get(name)
        if not text or not isinstance(text, str):
            wrong = [name for name in names if not data.get(name) or not isinstance(data[name], str)]
            raise Poison(f"text is due in {', '.join(wrong)}")


def text_in(data: dict[str, Any], name: str) -> str | None:
    """An optional field: its text, or None when it is missing, null, empty or no text."""
    text = data.get(name)
    return text if text and isinstance(text, str) else None
