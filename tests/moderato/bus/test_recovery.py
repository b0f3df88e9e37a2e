"""Brokers that go and come back: a stage and a publisher go on by themselves, and lose nothing."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from confluent_kafka.admin import AdminClient
from structlog.testing import capture_logs

from moderato import topics
from moderato.bus import publisher as publishing
from moderato.bus import stage as module
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.stage import FencedInstanceIdError, Results, Stage, group_of
from moderato.errors import Retryable
from moderato.metrics import REGISTRY
from moderato.settings import Kafka
from tests.kafka.brokers import Cluster
from tests.kafka.secured import Secured
from tests.moderato.bus.support import until

OUTAGE = 6.0  # seconds


class Copier:
    """A stage that copies verdicts to signals and notes what it was given, and one who publishes verdicts."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.seen: set[bytes] = set()
        self.sent = 0
        self.stage = Stage(
            name, connection, consumes=[topics.VERDICTS], produces=[topics.SIGNALS], handle=self._copy
        )
        self.publisher = Publisher(connection, deadline=3)

    async def _copy(self, records: Sequence[Any]) -> Results:
        results = Results(done=len(records))
        for record in records:
            self.seen.add(record.value)
            results.emit("signal", Message(topics.SIGNALS, record.key, record.value, []))
        return results

    async def pass_through(self, within: float) -> float:
        """A record published until it is taken, and then handled: the seconds it took."""
        self.sent += 1
        value, begun = b"%d" % self.sent, time.monotonic()
        async with asyncio.timeout(within):
            for partition in (b"a", b"b", b"c", b"d"):
                taken = False
                while not taken:
                    with contextlib.suppress(Retryable):
                        await self.publisher.publish(topics.VERDICTS, partition, value, [])
                        taken = True
            while value not in self.seen:  # noqa: ASYNC110 - what is waited for happens in the stage's own task
                await asyncio.sleep(0.01)
        return time.monotonic() - begun


@contextlib.asynccontextmanager
async def copying(connection: Connection, name: str) -> AsyncIterator[Copier]:
    copier = Copier(connection, name)
    await copier.publisher.start([topics.VERDICTS])
    await copier.stage.start()
    try:
        await copier.pass_through(20)
        yield copier
    finally:
        await copier.stage.stop()
        await copier.publisher.stop()


@pytest.mark.kafka
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_after_all_brokers_were_away_the_stage_goes_on_without_a_restart(
    secured_kafka: Secured, secured_connection: Connection, how: str
) -> None:
    broker = secured_kafka.broker
    async with copying(secured_connection, f"outage-{how}") as copier:
        if how == "killed":
            broker.kill()
        else:
            broker.freeze()
        with pytest.raises(TimeoutError):
            await copier.pass_through(OUTAGE)
        assert copier.stage.stuck() is None
        if how == "killed":
            await asyncio.to_thread(secured_kafka.cluster.restart, 1)
        else:
            broker.thaw()
        await copier.pass_through(30)
        assert copier.stage.unready() is None


@pytest.mark.kafka
async def test_with_one_of_three_brokers_dead_the_rate_is_back_within_ten_seconds(
    kafka_cluster: Cluster,
) -> None:
    connection = Connection(kafka_cluster.bootstrap, Kafka())
    async with copying(connection, "one-of-three") as copier:
        kafka_cluster.brokers[1].kill()
        try:
            await copier.pass_through(10)
        finally:
            await asyncio.to_thread(kafka_cluster.restart, 1)
        await copier.pass_through(10)


async def test_a_consumer_that_stalls_while_the_brokers_answer_is_replaced(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAG_PERIOD", 0.05)
    monkeypatch.setattr(module, "_LAG_PERIOD_DUE", 0.05)
    monkeypatch.setattr(module, "_RENEWAL", 0.2)
    with capture_logs() as logs:
        async with copying(connection, "stalling") as copier:
            consumer = copier.stage._consumer
            assert consumer is not None
            # What the known defects look like from outside: nothing is fetched, and no error is raised.
            consumer.pause(*consumer.assignment())
            await copier.pass_through(20)
            assert copier.stage._consumer is not consumer
    assert "consumer_replaced" in [entry["event"] for entry in logs]


async def test_the_lag_is_known_when_nothing_is_fetched(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAG_PERIOD", 0.05)
    async with copying(connection, "lagging") as copier:
        consumer = copier.stage._consumer
        assert consumer is not None
        consumer.pause(*consumer.assignment())
        await copier.publisher.publish_all([Message(topics.VERDICTS, b"k", b"v", [])] * 3)
        await until(
            lambda: (REGISTRY.get_sample_value("moderato_stage_lag_records", {"stage": "lagging"}) or 0) >= 3
        )
        monkeypatch.setattr(module, "_STALL", 0.0)
        with capture_logs() as logs:
            await until(lambda: copier.stage.stuck() is not None)
            assert "nothing settled" in (copier.stage.stuck() or "")
        # The stacks are logged once and not with every probe.
        [dump] = [entry for entry in logs if entry["event"] == "stage_stuck"]
        assert "stage lagging" in dump["stacks"] or "_run" in dump["stacks"]


async def test_an_error_of_the_consumer_is_mended_by_another_consumer(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with copying(connection, "failing-consumer") as copier:
        consumer = copier.stage._consumer
        assert consumer is not None
        await consumer.stop()  # from now on it raises
        await copier.pass_through(20)
        assert copier.stage._consumer is not consumer


async def test_a_process_whose_name_another_one_has_taken_stops_and_says_so(connection: Connection) -> None:
    async with copying(connection, "fenced") as copier:

        async def fenced(**_: object) -> None:
            raise FencedInstanceIdError

        assert copier.stage._consumer is not None
        copier.stage._consumer.getmany = fenced
        await until(lambda: copier.stage.stuck() is not None)
        assert "kafka.static_membership: another process is" in (copier.stage.stuck() or "")


def members(connection: Connection, stage: str) -> list[str | None]:
    """The lasting names of a group's members."""
    group = group_of(stage)
    client = AdminClient({"bootstrap.servers": connection.bootstrap})
    found = client.describe_consumer_groups([group])[group].result(10)
    return [member.group_instance_id for member in found.members]


@pytest.mark.kafka
async def test_a_static_member_stays_in_the_group_while_it_is_away_and_another_one_leaves(
    kafka_connection: Connection,
) -> None:
    async with copying(kafka_connection, "leaving"):
        assert len(members(kafka_connection, "leaving")) == 1
    assert members(kafka_connection, "leaving") == []

    static = Connection(kafka_connection.bootstrap, Kafka(static_membership=True))
    async with copying(static, "static"):
        pass
    assert members(static, "static") == [socket.gethostname()]
    async with copying(static, "static") as copier:
        assert members(static, "static") == [socket.gethostname()]
        # For the tests that follow: it leaves after all.
        assert copier.stage._consumer is not None
        copier.stage._consumer._coordinator._group_instance_id = None
    assert members(static, "static") == []


async def test_what_cannot_be_drained_in_time_is_given_up_and_comes_again(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_DRAIN_BUDGET", 0.2)
    async with copying(connection, "draining") as copier:
        publish_all: Callable[..., Any] = Publisher.publish_all
        begun = asyncio.Event()

        async def never(self: Publisher, messages: Sequence[Message]) -> None:
            begun.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(copier.stage._publisher, "publish_all", lambda m: never(copier.publisher, m))
        await copier.publisher.publish(topics.VERDICTS, b"k", b"again", [])
        await asyncio.wait_for(begun.wait(), 20)
        before = REGISTRY.get_sample_value("moderato_stage_consumed_total", {"stage": "draining"}) or 0
        listener = module._Listener(copier.stage)
        with capture_logs() as logs:
            await listener.on_partitions_revoked([])
        assert [entry["event"] for entry in logs] == ["drain_timed_out"]
        monkeypatch.setattr(
            copier.stage._publisher, "publish_all", lambda m: publish_all(copier.stage._publisher, m)
        )
        # The rebalance would have begun again at what is committed; here another consumer does.
        copier.seen.clear()
        copier.stage._stalled = True
        await until(lambda: b"again" in copier.seen)
        await until(
            lambda: (
                (REGISTRY.get_sample_value("moderato_stage_consumed_total", {"stage": "draining"}) or 0)
                > before
            )
        )


async def test_a_producer_whose_sender_has_ended_is_replaced(connection: Connection) -> None:
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    await publisher.publish(topics.VERDICTS, b"k", b"1", [])
    ended = publisher._producer
    assert ended is not None
    ended._sender.sender_task.cancel()
    await asyncio.wait([ended._sender.sender_task])
    with pytest.raises(Retryable, match="a new one is being made"):
        await publisher.publish(topics.VERDICTS, b"k", b"2", [])
    assert publisher._rebuilding is not None
    await publisher._rebuilding
    await publisher.publish(topics.VERDICTS, b"k", b"3", [])
    await publisher.stop()


async def test_a_waiter_that_is_cancelled_takes_no_record_from_the_others(connection: Connection) -> None:
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])

    async def one() -> None:
        await publisher.publish(topics.VERDICTS, b"k", b"v", [])

    leaving, staying = asyncio.create_task(one()), asyncio.create_task(one())
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await publisher.stop()


async def test_a_record_behind_a_running_batch_ends_within_its_own_deadline(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(connection, deadline=0.5)
    await publisher.start([topics.VERDICTS])

    async def unanswered(*_: object, **__: object) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    assert publisher._producer is not None
    monkeypatch.setattr(publisher._producer, "send_batch", unanswered)
    first = publisher.publish(topics.VERDICTS, b"a", b"1", [])
    await asyncio.sleep(0.1)
    second = publisher.publish(topics.VERDICTS, b"b", b"2", [])
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    third = publisher.publish(topics.VERDICTS, b"c", b"3", [])
    ends = await asyncio.gather(first, second, third, return_exceptions=True)
    assert all(isinstance(end, Retryable) for end in ends)
    assert time.monotonic() - begun < 0.75
    await publisher.stop()


async def test_a_producer_that_is_stuck_for_a_partition_is_replaced(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen after connections were reset: the sender takes the partition for being on its way for ever."""
    monkeypatch.setattr(publishing, "_RENEWAL", 0.5)
    publisher = Publisher(connection, deadline=0.3)
    await publisher.start([topics.VERDICTS])
    stuck = publisher._producer
    assert stuck is not None
    stuck._sender._muted_partitions |= {TopicPartition(topics.VERDICTS, number) for number in range(2)}
    async with asyncio.timeout(60):
        while True:
            try:
                await publisher.publish_all([Message(topics.VERDICTS, b"k", b"v", [])])
                break
            except Retryable:
                continue
    assert publisher._producer is not stuck
    await publisher.stop()
