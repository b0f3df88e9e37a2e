"""The signal that nobody watches a room: what a controller found out by itself, beside what the vendors tell."""

import orjson

from moderato import topics
from moderato.bus.publisher import Message
from moderato.codec import encode
from moderato.records import Session, SessionState, Signal, SignalKind

CODE = "moderato.unwatched"


def unwatched(session: Session) -> Message | None:
    """The signal of a session that just ceased to be watched; None when that is as it was asked for."""
    if session.state is SessionState.ENDED or session.fault is None:
        return None
    at = session.fault.at
    signal = Signal(
        id=f"{session.id}#unwatched#{at}",
        source=session.source,
        tenant=session.tenant,
        session_id=session.id,
        kind=SignalKind.TASK_FAILED,
        task_id=session.task.id if session.task else None,
        segment_id=None,
        room=session.room,
        user=session.user,
        code=CODE,
        message=" ".join(filter(None, (session.fault.code, session.fault.message))),
        text=None,
        span=None,
        occurred_at=at,
        received_at=at,
        normalized_at=at,
        raw=session.request,
    )
    key = f"{session.tenant}/{session.room or session.id}"
    headers = encode(
        "signal",
        id=signal.id,
        source=session.source,
        tenant=session.tenant,
        key=key,
        time=at,
        session_id=session.id,
    )
    return Message(topics.SIGNALS, key.encode(), orjson.dumps(signal), headers)
