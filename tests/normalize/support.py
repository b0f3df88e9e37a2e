"""Runs a mapping the way the worker does, on one body."""

from moderato import topics
from moderato.records import RawRef
from moderato.sources import Source
from normalize.mappings import MAPPINGS
from normalize.reading import Raw, Reading, TenantView, read
from normalize.scale import Tables, built_in

RECEIVED = "2026-11-21T08:00:00.000Z"
NORMALIZED = "2026-11-21T08:00:01.000Z"


def read_body(
    source: Source,
    body: bytes,
    content_type: str = "application/json",
    *,
    tables: Tables | None = None,
    raw_id: str = "raw-1",
    task_id: str | None = None,
    session_id: str | None = None,
    room: str | None = None,
    user: str | None = None,
    received: str = RECEIVED,
) -> Reading:
    raw = Raw(
        source=source,
        tenant="default",
        id=raw_id,
        body=body,
        content_type=content_type,
        received_at=received,
        ref=RawRef(topics.raw(source), 0, 7, raw_id),
        task_id=task_id,
        session_id=session_id,
        room=room,
        user=user,
    )
    return read(MAPPINGS[source], raw, TenantView(tables or built_in()), NORMALIZED)
