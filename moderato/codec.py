"""CloudEvents 1.0 over Kafka: binary mode is written, binary and structured mode are read.

In binary mode the attributes are headers `ce_*`, `content-type` says what the value is, and the value is the data:
the vendor's bytes for raw, the record's JSON for everything else.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

import base64
import binascii
from collections.abc import Iterable

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
    for kind in (
        *("raw", "verdict", "signal", "strike", "action", "outcome"),
        *("session", "session-request", "brake", "tally"),
    )
}
_SOURCES: dict[Source | None, Header] = {
    source: ("ce_source", f"/sources/{source}".encode()) for source in Source
}
_SOURCES[None] = ("ce_source", b"/policy")


class Event:
    """One CloudEvent read from Kafka. `kind` and `version` are None for a type that is not ours; `time` is RFC 3339;
    `attributes` are all of them by the names of their headers, `ce_*`."""

    __slots__ = ("attributes", "content_type", "data", "id", "kind", "source", "time", "type", "version")

    def __init__(self, attributes: dict[str, str], content_type: str, data: bytes) -> None:
        self.id = attributes["ce_id"]
        self.type = attributes["ce_type"]
        self.kind: str | None
        self.version: str | None
        self.kind, self.version = _KINDS.get(self.type) or _kind_of(self.type)
        self.source = attributes["ce_source"].removeprefix("/sources/")
        self.time = attributes.get("ce_time")
        self.content_type = content_type
        self.data = data
        self.attributes = attributes

    def attribute(self, name: str) -> str | None:
        """An extension attribute: tenant, sessionid, partitionkey, room, user, traceparent."""
        return self.attributes.get("ce_" + name)


_KINDS = {header[1].decode(): (kind, "v1") for kind, header in _TYPES.items()}
_REQUIRED = ("ce_specversion", "ce_id", "ce_source", "ce_type")


def _kind_of(type_: str) -> tuple[str, str] | tuple[None, None]:
    parts = type_.split(".")
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == "moderato" else (None, None)


def encode(
    kind: str,
    *,
    id: str,
    source: Source | None,
    tenant: str,
    key: str,
    time: str,
    session_id: str | None = None,
    content_type: str | None = None,
    room: str | None = None,
    user: str | None = None,
    traceparent: str | None = None,
) -> Headers:
    """Headers of one message in binary mode. `source` is None for what comes from no vendor; `key` is the partition
    key; room and user are the session token's."""
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
        found = {name: content.decode() for name, content in headers if content is not None}
    except UnicodeDecodeError as error:
        raise Poison("a header that is not UTF-8") from error
    content_type = found.get("content-type") or found.get("Content-Type") or ""
    if content_type.lower().startswith(STRUCTURED):
        return _structured(value)
    return _event(found, content_type, value)


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
        f"ce_{name}": text
        for name, text in envelope.items()
        if name not in ("data", "data_base64") and isinstance(text, str)
    }
    return _event(attributes, attributes.get("ce_datacontenttype", JSON), data)


def _event(attributes: dict[str, str], content_type: str, data: bytes) -> Event:
    get = attributes.get
    if not (get("ce_id") and get("ce_source") and get("ce_type") and get("ce_specversion") == "1.0"):
        raise Poison(_fault(attributes))
    return Event(attributes, content_type, data)


def _fault(attributes: dict[str, str]) -> str:
    """Why these are not the attributes of an event."""
    if missing := [name[3:] for name in _REQUIRED if not attributes.get(name)]:
        return f"no CloudEvents attribute {', '.join(missing)}"
    return f"CloudEvents version {attributes['ce_specversion'][:20]!r}, not 1.0"
