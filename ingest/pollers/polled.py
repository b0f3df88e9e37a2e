"""A vendor's answer as the raw record that its callback would have made: under the same id, key and headers."""

from ingest.callbacks import identify
from moderato import topics
from moderato.bus.publisher import Message
from moderato.codec import JSON, encode
from moderato.sources import Source
from moderato.times import now


def polled(
    source: Source,
    tenant: str,
    body: bytes,
    *,
    session_id: str | None = None,
    room: str | None = None,
    user: str | None = None,
) -> Message:
    """One raw record. Session, room and user are those that a callback's signed token would carry."""
    identity = identify(source, body, JSON)
    key = f"{tenant}/{identity.task}"
    headers = encode(
        "raw",
        id=identity.id,
        source=source,
        tenant=tenant,
        key=key,
        time=now(),
        session_id=session_id,
        content_type=JSON,
        room=room,
        user=user,
    )
    return Message(topics.raw(source), key.encode(), body, headers)
