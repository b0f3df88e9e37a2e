"""What somebody wants of a session, as a Kafka message: the API asks so, and an action that stops a session."""

import orjson

from moderato import topics
from moderato.bus.publisher import Message
from moderato.codec import encode
from moderato.records import SessionRequest


def request_message(request: SessionRequest, traceparent: str | None = None) -> Message:
    """One request, keyed by its session."""
    headers = encode(
        "session-request",
        id=f"{request.id}#{request.kind}",
        source=request.source,
        tenant=request.tenant,
        key=request.id,
        time=request.created_at,
        session_id=request.id,
        traceparent=traceparent,
    )
    return Message(topics.SESSION_REQUESTS, request.id.encode(), orjson.dumps(request), headers)
