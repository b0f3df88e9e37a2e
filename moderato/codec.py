"""CloudEvents 1.0 over Kafka: binary mode is written, binary and structured mode are read.

In binary mode the attributes are headers `ce_*`, `content-type` says what the value is, and the value is the data:
the vendor's bytes for raw, the record's JSON for everything else.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from moderato.errors import Poison
from moderato.sources import Source

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"

Header = tuple[str, bytes]
Headers = list[Header]

_SPECVERSION: Header = ("ce_specversion", b"1.0")
_CONTENT_JSON: Header = ("content-type", JSON.encode())
_TYPES = {
    kind: ("ce_type", f"moderato.{kind}.v1".encode())
    for kind in ("raw", "verdict", "signal", "strike", "action", "outcome", "session")
}
_SOURCES = {source: ("ce_source", f"/sources/{source}".encode()) for source in Source}


@dataclass(frozen=True, slots=True)
class Event:
    """One CloudEvent read from Kafka. `kind` is None for a type that is not ours; times are RFC 3339."""

    id: str
    kind: str | None
    version: str | None
    source: str
    time: str | None
    content_type: str
    data: bytes
    attributes: dict[str, str]

    def attribute(self, name: str) -> str | None:
        """An extension attribute: tenant, sessionid, partitionkey, room, user, traceparent."""
        return self.attributes.get(name)


def encode(
    kind: str,
    *,
    id: str,
    source: Source,
    tenant: str,
    key: str,
    time: str,
    session_id: str | None = None,
    content_type: str | None = None,
    room: str | None = None,
    user: str | None = None,
    traceparent: str | None = None,
) -> Headers:
    """Headers of one message in binary mode. `key` is the partition key; room and user are the session token's."""
    headers = [
        _SPECVERSION,
        ("ce_id", id.encode()),
        _SOURCES.get(source) or ("ce_source", f"/sources/{source}".encode()),
        _TYPES[kind],
        ("ce_time", time.encode()),
        ("ce_tenant", tenant.encode()),
        ("ce_partitionkey", key.encode()),
        ("content-type", content_type.encode()) if content_type else _CONTENT_JSON,
    ]
    if session_id:
        headers.append(("ce_sessionid", session_id.encode()))
    if room:
        headers.append(("ce_room", room.encode()))
    if user:
        headers.append(("ce_user", user.encode()))
    if traceparent:
        headers.append(("ce_traceparent", traceparent.encode()))
    return headers


def decode(headers: Iterable[Header], value: bytes | None) -> Event:
    """One Kafka message -> Event. Raises Poison for a tombstone, a message without CloudEvents attributes, or one
    in structured mode that is not a CloudEvent."""
    if value is None:
        raise Poison("a tombstone where a record is due")
    try:
        found = {name.lower(): bytes(content).decode() for name, content in headers if content is not None}
    except UnicodeDecodeError as error:
        raise Poison("a header that is not UTF-8") from error
    content_type = found.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == STRUCTURED:
        return _structured(value)
    attributes = {name[3:]: content for name, content in found.items() if name.startswith("ce_")}
    return _event(attributes, content_type, value)


def _structured(value: bytes) -> Event:
    try:
        envelope = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Poison(f"a structured CloudEvent that is not JSON: {error}") from error
    if not isinstance(envelope, dict):
        raise Poison("a structured CloudEvent that is not an object")
    if "data_base64" in envelope:
        try:
            data = base64.b64decode(envelope["data_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise Poison("a structured CloudEvent with broken data_base64") from error
    else:
        data = orjson.dumps(envelope.get("data"))
    attributes = {
        name: text
        for name, text in envelope.items()
        if name not in ("data", "data_base64") and isinstance(text, str)
    }
    return _event(attributes, attributes.get("datacontenttype", JSON), data)


def _event(attributes: dict[str, str], content_type: str, data: bytes) -> Event:
    missing = [name for name in ("specversion", "id", "source", "type") if not attributes.get(name)]
    if missing:
        raise Poison(f"no CloudEvents attribute {', '.join(missing)}")
    if attributes["specversion"] != "1.0":
        raise Poison(f"CloudEvents version {attributes['specversion'][:20]!r}, not 1.0")
    parts = attributes["type"].split(".")
    ours = len(parts) == 3 and parts[0] == "moderato"
    return Event(
        id=attributes["id"],
        kind=parts[1] if ours else None,
        version=parts[2] if ours else None,
        source=attributes["source"].removeprefix("/sources/"),
        time=attributes.get("time"),
        content_type=content_type,
        data=data,
        attributes=attributes,
    )
