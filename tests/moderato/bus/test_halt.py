"""A stage that would empty its topic into the dead letters halts, and a dead letter that is not written blocks."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from structlog.testing import capture_logs

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.record import Record
from moderato.bus.stage import Results, Stage
from moderato.dead_letters import dead_letter
from moderato.errors import Retryable
from moderato.metrics import REGISTRY
from moderato.settings import DeadLetters
from tests.moderato.bus.support import read_all, until

AT = "2026-11-21T08:00:00.000Z"


async def fill(connection: Connection, values: Sequence[bytes]) -> None:
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    for value in values:
        await publisher.publish(topics.VERDICTS, b"k", value, [])  # one key: one partition, in order
    await publisher.stop()


async def judge(records: Sequence[Record]) -> Results:
    """Copies what is good; what is bad is a dead letter."""
    results = Results()
    for record in records:
        if record.value == b"bad":
            results.dead_lettered += 1
            results.emit("dead_letter", dead_letter(record, stage="judge", reason="bad", at=AT))
        else:
            results.done += 1
            results.emit("signal", Message(topics.SIGNALS, b"k", record.value, []))
    return results


def stage(connection: Connection, name: str, limits: DeadLetters, batch: int = 1000) -> Stage:
    return Stage(
        name,
        connection,
        consumes=[topics.VERDICTS],
        produces=[topics.SIGNALS, topics.DEAD_LETTERS],
        handle=judge,
        batch=batch,
        limits=limits,
    )


def value(name: str, stage: str) -> float:
    return REGISTRY.get_sample_value(f"moderato_stage_{name}", {"stage": stage}) or 0


def counter(name: str, stage: str) -> Callable[[], float]:
    """What is counted from here on."""
    before = value(name, stage)
    return lambda: value(name, stage) - before


async def test_a_poison_flood_halts_the_stage_which_says_so_and_writes_no_more(
    connection: Connection,
) -> None:
    await fill(connection, [b"good"] * 3 + [b"bad"] * 20)
    consumed, dead = counter("consumed_total", "halting"), counter("dead_lettered_total", "halting")
    halting = stage(connection, "halting", DeadLetters(max_consecutive=5), batch=1)
    with capture_logs() as logs:
        await halting.start()
        assert value("halted", "halting") == 0
        await until(lambda: halting.unready() is not None)
        await until(lambda: consumed() == 7)
        await halting.stop()
    said = halting.unready() or ""
    assert "halted: 5 records in a row would go to the dead letters" in said
    assert "the last one: bad (moderation.verdicts partition " in said
    # A restart would only begin to count again, and empty the topic bit by bit.
    assert halting.stuck() is None
    assert value("halted", "halting") == 1
    assert [entry["event"] for entry in logs].count("stage_halted") == 1
    assert dead() == 4

    # With a higher limit it goes on where it was: each letter is there once, and nothing was passed over.
    raised = stage(connection, "halting", DeadLetters())
    await raised.start()
    await until(lambda: consumed() == 23)
    await raised.stop()
    letters = await read_all(connection, topics.DEAD_LETTERS, 20)
    offsets = sorted(int(dict(each.headers)["dl_offset"]) for each in letters)
    assert offsets == list(range(3, 23))
    assert len(await read_all(connection, topics.SIGNALS, 3)) == 3


async def test_a_dead_letter_that_kafka_does_not_take_blocks_the_commit(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(connection, [b"good", b"bad", b"good"])
    publish_all = Publisher.publish_all
    refused = asyncio.Event()

    async def without_dead_letters(self: Publisher, messages: Sequence[Message]) -> None:
        if any(message.topic == topics.DEAD_LETTERS for message in messages):
            refused.set()
            raise Retryable("not now")
        await publish_all(self, messages)

    monkeypatch.setattr(Publisher, "publish_all", without_dead_letters)
    monkeypatch.setattr("moderato.bus.stage._DRAIN_BUDGET", 0.3)
    dead = counter("dead_lettered_total", "blocked")
    blocked = stage(connection, "blocked", DeadLetters(), batch=1)
    await blocked.start()
    await asyncio.wait_for(refused.wait(), 20)
    await blocked.stop()
    assert dead() == 0

    # The bad record and all behind it come again, to one that can write.
    monkeypatch.setattr(Publisher, "publish_all", publish_all)
    again = stage(connection, "blocked", DeadLetters())
    await again.start()
    [letter] = await read_all(connection, topics.DEAD_LETTERS, 1)
    assert dict(letter.headers)["dl_offset"] == b"1"
    await until(lambda: dead() == 1)
    await again.stop()
