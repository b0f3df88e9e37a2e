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


async def test_a_join_that_is_not_answered_is_begun_anew_and_the_watch_outlives_what_it_did_not_expect(
    embedded_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_JOINING", "_LAG_PERIOD", "_LAG_PERIOD_DUE"):
        monkeypatch.setattr(f"moderato.bus.stage.{name}", 0.2)

    async def handle(records: Sequence[Record]) -> Results:
        return Results(done=len(records))

    stage = Stage(
        "unanswered",
        embedded_connection,
        consumes=[topics.VERDICTS],
        produces=[topics.SIGNALS],
        handle=handle,
    )
    await stage.start()
    try:
        await until(lambda: stage._joined)
        first = stage._consumer
        asked = 0

        async def unforeseen() -> dict[object, int]:
            nonlocal asked
            asked += 1
            raise AssertionError

        with monkeypatch.context() as patch:
            patch.setattr(stage, "_ends", unforeseen)
            await until(lambda: asked > 1)
        stage.revoked()
        await until(lambda: stage._consumer not in (None, first) and stage._joined)
    finally:
        await stage.stop()
