"""Sessions and their requests as Kafka messages, there and back."""

import zlib
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from moderato import topics
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.codec import decode, encode
from moderato.errors import Poison
from moderato.records import Session, SessionRequest

_SESSION = TypeAdapter(Session)
_REQUEST = TypeAdapter(SessionRequest)


def partition_of(session_id: str, partitions: int) -> int:
    """Where a session's records and its requests are: the publisher places keys so."""
    return zlib.crc32(session_id.encode()) % partitions


def session_message(session: Session) -> Message:
    """The record of a session as it is now."""
    headers = encode(
        "session",
        id=f"{session.id}#{session.updated_at}",
        source=session.source,
        tenant=session.tenant,
        key=session.id,
        time=session.updated_at,
        session_id=session.id,
    )
    return Message(topics.SESSIONS, session.id.encode(), orjson.dumps(session), headers)


def tombstone(session_id: str) -> Message:
    """What removes a session's record."""
    return Message(topics.SESSIONS, session_id.encode(), None, [])


def read_session(record: Record) -> Session:
    """Raises Poison for what is no session."""
    session: Session = _read(record, "session", _SESSION)
    return session


def read_request(record: Record) -> SessionRequest:
    """Raises Poison for what is no request, and for one to start nothing."""
    request: SessionRequest = _read(record, "session-request", _REQUEST)
    if request.kind == "start" and request.parameters is None:
        raise Poison("a request to start without parameters")
    if (record.key or b"").decode(errors="replace") != request.id:
        raise Poison("a request whose key is not its session's id")
    return request


def _read(record: Record, kind: str, adapter: Any) -> Any:
    event = decode(record.headers, record.value)
    if (event.kind, event.version) != (kind, "v1"):
        raise Poison(f"a {event.type[:60]!r} where a moderato.{kind}.v1 is due")
    try:
        return adapter.validate_json(event.data)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or kind}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise Poison(f"not a {kind}: {faults}") from error
