"""A consumer whose end never comes: the stage goes on with another one."""

import asyncio
from collections.abc import Sequence

import pytest

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Publisher
from moderato.bus.record import Record
from moderato.bus.stage import Results, Stage
from tests.moderato.bus.support import until


class Never:
    """Takes every cancellation for somebody else's, as aiokafka does while it waits for its own tasks."""

    def __init__(self) -> None:
        self.asked = 0
        self.over = False

    async def __call__(self) -> None:
        self.asked += 1
        while not self.over:
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue


async def test_the_stage_goes_on_with_another(
    embedded_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderato.bus.stage._COMMIT_DEADLINE", 0.5)
    seen: list[bytes | None] = []

    async def handle(records: Sequence[Record]) -> Results:
        seen.extend(record.value for record in records)
        return Results(done=len(records))

    stage = Stage(
        "stuck", embedded_connection, consumes=[topics.VERDICTS], produces=[topics.SIGNALS], handle=handle
    )
    await stage.start()
    publisher = Publisher(embedded_connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    await publisher.publish(topics.VERDICTS, b"k", b"one", [])
    await until(lambda: seen == [b"one"])
    old, end = stage._consumer, Never()
    assert old is not None
    monkeypatch.setattr(old, "stop", end)
    stage._stalled = True
    try:
        await until(lambda: bool(end.asked) and stage._consumer not in (None, old))
        await publisher.publish(topics.VERDICTS, b"k", b"two", [])
        await until(lambda: b"two" in seen)
    finally:
        end.over = True
        await stage.stop()
        await publisher.stop()
