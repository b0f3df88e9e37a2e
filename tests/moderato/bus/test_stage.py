import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.stage import Results, Stage
from moderato.errors import Fatal, Retryable
from moderato.metrics import REGISTRY
from moderato.settings import Kafka
from tests.kafka.secured import Secured
from tests.moderato.bus.support import Breakable, read_all, until


async def fill(connection: Connection, count: int) -> None:
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    await publisher.publish_all([Message(topics.VERDICTS, b"k%d" % i, b"%d" % i, []) for i in range(count)])
    await publisher.stop()


async def copy(records: Sequence[Any]) -> Results:
    results = Results(done=len(records))
    for record in records:
        results.emit("signal", Message(topics.SIGNALS, record.key, record.value, []))
    return results


def stage(connection: Connection, handle: Any = copy, name: str = "copier") -> Stage:
    return Stage(name, connection, consumes=[topics.VERDICTS], produces=[topics.SIGNALS], handle=handle)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_every_record_is_handled_published_and_committed(connection: Connection) -> None:
    await fill(connection, 300)
    before = counted("moderato_stage_consumed_total", stage="copier")
    copier = stage(connection)
    await copier.start()
    copied = await read_all(connection, topics.SIGNALS, 300)
    assert {int(record.value) for record in copied} == set(range(300))
    await copier.stop()
    assert counted("moderato_stage_consumed_total", stage="copier") - before == 300
    assert counted("moderato_stage_produced_total", stage="copier", kind="signal") >= 300
    # A second run begins where the first one committed: a new record comes alone.
    await fill(connection, 1)
    seen: list[bytes] = []

    async def note(records: Sequence[Any]) -> Results:
        seen.extend(record.value for record in records)
        return Results(ignored=len(records))

    again = stage(connection, note)
    await again.start()
    await until(lambda: bool(seen))
    await again.stop()
    assert seen == [b"0"]


async def test_offsets_wait_for_the_acknowledgement(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that Kafka refuses is tried again, and nothing is committed before it is taken."""
    await fill(connection, 10)
    refusals = 2
    publish_all = Publisher.publish_all

    async def unwilling(self: Publisher, messages: Sequence[Message]) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise Retryable("not now")
        await publish_all(self, messages)

    monkeypatch.setattr(Publisher, "publish_all", unwilling)
    before = counted("moderato_stage_retries_total", stage="patient")
    copier = stage(connection, name="patient")
    with capture_logs() as logs:
        await copier.start()
        assert len(await read_all(connection, topics.SIGNALS, 10)) == 10
        await copier.stop()
    assert [entry["event"] for entry in logs].count("publish_retried") == 2
    assert counted("moderato_stage_retries_total", stage="patient") - before == 2


async def test_a_handler_that_fails_stops_the_stage_and_says_so(connection: Connection) -> None:
    await fill(connection, 1)

    async def broken(records: Sequence[Any]) -> Results:
        raise ZeroDivisionError("a bug")

    failing = stage(connection, broken, name="failing")
    await failing.start()
    await until(lambda: failing.unready() is not None)
    assert failing.unready() == failing.stuck() == "the stage has stopped: a bug"
    await failing.stop()
    # Nothing was committed: the record comes again.
    copier = stage(connection, name="failing")
    await copier.start()
    assert len(await read_all(connection, topics.SIGNALS, 1)) == 1
    await copier.stop()


async def test_a_stage_that_settles_nothing_is_stuck(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(connection, 1)
    monkeypatch.setattr("moderato.bus.stage._STALL", 0.05)
    monkeypatch.setattr("moderato.bus.stage._DRAIN_BUDGET", 0.05)

    async def never(self: Publisher, messages: Sequence[Message]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Publisher, "publish_all", never)
    copier = stage(connection, name="stuck")
    await copier.start()
    await until(lambda: copier.stuck() is not None)
    assert "nothing settled" in (copier.stuck() or "")
    await copier.stop()


async def test_a_stage_without_a_broker_refuses_to_start() -> None:
    unreachable = stage(Connection("127.0.0.1:1", Kafka(request_timeout=1)))
    with pytest.raises(Fatal, match=r"kafka\.bootstrap"):
        await unreachable.start()


async def test_the_broker_going_away_does_not_end_the_stage(
    breakable: Breakable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderato.bus.stage._DRAIN_BUDGET", 0.5)
    copier = stage(breakable.connection, name="lonely")
    await copier.start()
    breakable.take_away()
    await asyncio.sleep(0.5)
    assert copier.unready() is None
    breakable.bring_back()
    await copier.stop()


@pytest.mark.kafka
async def test_what_a_broker_misses_while_it_is_frozen_is_made_up_for(
    secured_connection: Connection, secured_kafka: Secured
) -> None:
    await fill(secured_connection, 100)
    copier = stage(secured_connection, name="thawed")
    await copier.start()
    assert len(await read_all(secured_connection, topics.SIGNALS, 100)) == 100
    secured_kafka.broker.freeze()
    filling = asyncio.create_task(fill(secured_connection, 100))
    await asyncio.sleep(1)
    assert not filling.done()
    secured_kafka.broker.thaw()
    await filling
    copied = await read_all(secured_connection, topics.SIGNALS, 200)
    await copier.stop()
    assert sorted(int(record.value) for record in copied) == sorted([*range(100), *range(100)])
