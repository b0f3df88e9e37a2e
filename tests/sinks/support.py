"""Verdicts, actions and consumed records made by hand."""

from typing import Any

import orjson
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.codec import Headers, encode
from moderato.sources import Source

NOW = "2026-11-21T08:00:05.000Z"


def verdict(**changes: Any) -> dict[str, Any]:
    """A critical Shumei verdict on a speaker, as the normalizer writes it."""
    return {
        "id": "req-1#0",
        "source": "shumei_audio",
        "tenant": "acme",
        "session_id": "ses-1",
        "task_id": "task-1",
        "segment_id": "seg-1",
        "room": "lounge-7",
        "user": "u-42",
        "account": "acc-9",
        "file": None,
        "media": "audio",
        "decision": "block",
        "severity": "critical",
        "severity_level": 4,
        "category": "politics",
        "labels": [
            {"code": "politics", "category": "politics", "name": None, "level": None, "confidence": None}
        ],
        "confidence": None,
        "judge": "machine",
        "text": "…",
        "keywords": [],
        "evidence": [],
        "span": None,
        "occurred_at": "2026-11-21T08:00:00.000Z",
        "received_at": "2026-11-21T08:00:01.000Z",
        "normalized_at": "2026-11-21T08:00:02.000Z",
        "final": False,
        "unmapped": False,
        "degraded": False,
        "mapping": {"version": "2026.11.1", "rules": ["decision", "category", "grave"]},
        "raw": {"topic": "moderation.raw.shumei_audio", "partition": 0, "offset": 7, "id": "req-1"},
    } | changes


def action(**changes: Any) -> dict[str, Any]:
    """A kick as the policy writes it."""
    return {
        "id": "act_1",
        "tenant": "acme",
        "type": "kick",
        "target": {"kind": "user", "id": "u-42"},
        "mode": "enforce",
        "rule": {"id": "critical-kick", "version": "0123456789ab"},
        "source": "shumei_audio",
        "session_id": "ses-1",
        "task_id": "task-1",
        "room": "lounge-7",
        "user": "u-42",
        "account": None,
        "duration": None,
        "message": "Removed from the room.",
        "occurred_at": "2026-11-21T08:00:00.000Z",
        "created_at": "2026-11-21T08:00:02.000Z",
        "expires_at": None,
        "verdict": verdict(),
    } | changes


def consumed(
    kind: str,
    value: dict[str, Any] | bytes,
    *,
    headers: Headers | None = None,
    offset: int = 0,
    traceparent: str | None = None,
) -> Record:
    """A record as aiokafka gives it."""
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    if headers is None:
        headers = encode(
            kind,
            id="id-1",
            source=Source.SHUMEI_AUDIO,
            tenant="acme",
            key="acme/x",
            time=NOW,
            traceparent=traceparent,
        )
    topic = {"verdict": topics.VERDICTS, "action": topics.ACTIONS}[kind]
    return ConsumerRecord(topic, 3, offset, 0, 0, b"acme/x", body, None, 6, len(body), headers)


def header(message: Message, name: str) -> str:
    [value] = [content for key, content in message.headers if key == name]
    return value.decode()


def body_of(message: Message) -> dict[str, Any]:
    assert message.value is not None
    data: dict[str, Any] = orjson.loads(message.value)
    return data


def record_of(message: Message, *, value: bytes | None = None, offset: int = 0) -> Record:
    """A message as it is consumed, with another value if one is given."""
    value = message.value if value is None else value
    return ConsumerRecord(
        message.topic, 0, offset, 0, 0, message.key, value, None, 0, 0, tuple(message.headers)
    )
