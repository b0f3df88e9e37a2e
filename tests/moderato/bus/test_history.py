"""Reading a stretch of topics: all of it, nothing else, and an end."""

import asyncio
import itertools
import math
import time
from collections.abc import Sequence
from unittest import mock

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from moderato import topics
from moderato.bus.admin import Admin
from moderato.bus.connection import Connection
from moderato.bus.history import History, Stretch, history
from moderato.bus.publisher import Message, Publisher
from moderato.errors import Fatal
from moderato.settings import Kafka

BOTH = (topics.VERDICTS, topics.SIGNALS)


async def fill(connection: Connection, topic: str, values: Sequence[int]) -> None:
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topic])
    await publisher.publish_all([Message(topic, b"%d" % value, b"%d" % value, []) for value in values])
    await publisher.stop()


async def values(opened: History) -> list[int]:
    return [int(record.value or 0) async for batch in opened.batches() for record in batch]


async def test_everything_is_read_once_each_partition_in_order(connection: Connection) -> None:
    await fill(connection, topics.VERDICTS, range(2500))
    await fill(connection, topics.SIGNALS, range(2500, 2600))
    async with history(connection, BOTH) as opened:
        assert len(opened) == 2600
        seen: dict[tuple[str, int], list[int]] = {}
        async for batch in opened.batches():
            for record in batch:
                seen.setdefault((record.topic, record.partition), []).append(record.offset)
        assert sum(map(len, seen.values())) == 2600
        assert all(offsets == list(range(len(offsets))) for offsets in seen.values())
        assert opened.place().count("(all)") == len(seen)


async def test_what_is_written_meanwhile_is_not_read(connection: Connection) -> None:
    await fill(connection, topics.VERDICTS, range(10))
    async with history(connection, [topics.VERDICTS]) as opened:
        await fill(connection, topics.VERDICTS, range(10, 500))
        assert sorted(await values(opened)) == list(range(10))


async def test_an_empty_topic_ends_at_once(connection: Connection) -> None:
    async with history(connection, [topics.VERDICTS]) as opened:
        assert len(opened) == 0
        assert await values(opened) == []
        assert opened.place() == ""


async def test_it_ends_early_when_told_and_knows_where(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderato.bus.history._PIECE_BYTES", 100)
    await fill(connection, topics.VERDICTS, range(3000))
    ended = asyncio.Event()
    handed = 0
    async with history(connection, [topics.VERDICTS]) as opened:
        async for batch in opened.batches(ended):
            handed += len(batch)
            ended.set()
        assert sum(opened.reached.values()) == handed
        assert 0 < handed < 3000


async def test_a_single_record_is_read_by_its_offset(connection: Connection) -> None:
    await fill(connection, topics.VERDICTS, range(100))
    async with history(connection, [topics.VERDICTS]) as opened:
        place = next(place for place, stretch in opened.stretches.items() if len(stretch) > 7)
        opened.only(place, 7)
        [batch] = [batch async for batch in opened.batches()]
    assert [(record.partition, record.offset) for record in batch] == [(place.partition, 7)]


@pytest.mark.kafka
async def test_ranges_that_adjoin_leave_nothing_out_and_nothing_twice(kafka_connection: Connection) -> None:
    cuts = []
    for round in range(3):
        await fill(kafka_connection, topics.VERDICTS, range(round * 50, round * 50 + 50))
        await asyncio.sleep(0.02)  # Kafka counts milliseconds
        cuts.append(time.time())
        await asyncio.sleep(0.02)
    bounds = [-math.inf, cuts[0], cuts[1], math.inf]
    read = []
    for since, until in itertools.pairwise(bounds):
        async with history(kafka_connection, [topics.VERDICTS], since=since, until=until) as opened:
            read.append(sorted(await values(opened)))
    assert read == [list(range(50)), list(range(50, 100)), list(range(100, 150))]
    async with history(kafka_connection, [topics.VERDICTS], since=cuts[2]) as opened:
        assert len(opened) == 0


@pytest.mark.kafka
async def test_what_was_deleted_is_passed_over(kafka_connection: Connection) -> None:
    await fill(kafka_connection, topics.VERDICTS, range(100))
    admin = Admin(kafka_connection)
    ends = admin.ends([topics.VERDICTS])
    admin.delete_before(topics.VERDICTS, {0: 5})
    async with history(kafka_connection, [topics.VERDICTS]) as opened:
        assert opened.stretches[TopicPartition(topics.VERDICTS, 0)].oldest == 5
        # Deleted while it is open.
        await asyncio.to_thread(admin.delete_before, topics.VERDICTS, {0: 9})
        assert len(await values(opened)) in (91, 95)
    assert admin.oldest([topics.VERDICTS])[topics.VERDICTS, 0] == 9
    admin.delete_before(topics.VERDICTS, {0: ends[topics.VERDICTS, 0], 1: ends[topics.VERDICTS, 1]})
    async with history(kafka_connection, [topics.VERDICTS]) as opened:
        assert len(opened) == 0


async def test_a_stretch_all_of_which_is_deleted_while_it_is_open_ends() -> None:
    consumer = mock.Mock()
    place = TopicPartition("t", 0)
    consumer.assignment.return_value = {place}
    consumer.paused.return_value = set()
    consumer.getmany = mock.AsyncMock(return_value={})
    consumer.position = mock.AsyncMock(return_value=10)
    opened = History(consumer, {place: Stretch(3, 10, 0)})
    assert [batch async for batch in opened.batches()] == []


async def test_the_embedded_broker_cannot_look_up_times(embedded_connection: Connection) -> None:
    await fill(embedded_connection, topics.VERDICTS, range(10))
    with pytest.raises(Fatal, match="cannot look up times"):
        async with history(embedded_connection, [topics.VERDICTS], since=time.time()):
            pass


async def test_an_empty_range_and_a_missing_topic_are_told(embedded_connection: Connection) -> None:
    for since, until in ((5.0, 5.0), (math.inf, math.inf), (6.0, 5.0)):
        with pytest.raises(Fatal, match="--from must be before --to"):
            async with history(embedded_connection, [topics.VERDICTS], since=since, until=until):
                pass
    with pytest.raises(Fatal, match=r"moderation\.none: no such topic"):
        async with history(embedded_connection, ["moderation.none"]):
            pass


async def test_brokers_that_stop_answering_are_told(
    embedded_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(embedded_connection, topics.VERDICTS, range(10))
    monkeypatch.setattr("moderato.bus.history._SILENCE", 0.0)
    async with history(embedded_connection, [topics.VERDICTS]) as opened:
        with (
            mock.patch.object(opened._consumer, "getmany", return_value={}),
            pytest.raises(Fatal, match=r"gave nothing for 0 s; read up to .* offset 0 of"),
        ):
            await values(opened)
        with (
            mock.patch.object(opened._consumer, "getmany", side_effect=KafkaError("no leader")),
            pytest.raises(Fatal, match="no leader"),
        ):
            await values(opened)
    with (
        mock.patch("moderato.bus.history.AIOKafkaConsumer.start", side_effect=TimeoutError),
        pytest.raises(Fatal, match=r"kafka\.bootstrap .*: no answer"),
    ):
        async with history(embedded_connection, [topics.VERDICTS]):
            pass


async def test_nobody_there_is_told() -> None:
    with (
        mock.patch("moderato.bus.history._CONNECT_DEADLINE", 0.5),
        pytest.raises(Fatal, match=r"kafka\.bootstrap 127\.0\.0\.1:1"),
    ):
        async with history(Connection("127.0.0.1:1", Kafka()), [topics.VERDICTS]):
            pass


async def test_a_groups_commits_are_told_for_what_it_has_committed(connection: Connection) -> None:
    await fill(connection, topics.VERDICTS, range(10))

    def look() -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], int]]:
        admin = Admin(connection)
        places = [(topics.VERDICTS, 0), (topics.VERDICTS, 1)]
        return admin.ends([topics.VERDICTS]), admin.committed("moderato.nobody", places)

    ends, committed = await asyncio.to_thread(look)
    assert sum(ends.values()) == 10
    assert committed == {}


async def at(connection: Connection, values: Sequence[tuple[int, int]]) -> None:
    """Writes (partition, timestamp in milliseconds)."""
    producer = AIOKafkaProducer(**connection.for_aiokafka())
    await producer.start()
    try:
        for partition, timestamp in values:
            await producer.send_and_wait(
                topics.VERDICTS, b"%d" % timestamp, partition=partition, timestamp_ms=timestamp
            )
    finally:
        await producer.stop()


async def test_partitions_are_merged_by_time_and_each_keeps_its_order(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderato.bus.history._PIECE_RECORDS", 7)
    begin = 1_795_248_000_000
    # One partition is far ahead of the other, and within one there is a step back.
    written = [(0, begin + 1000 * second) for second in range(60)]
    written += [(1, begin + 1000 * second + 500) for second in range(30)] + [(1, begin + 100)]
    await at(connection, written)
    async with history(connection, [topics.VERDICTS]) as opened:
        read = [(record.partition, record.timestamp) async for batch in opened.merged() for record in batch]
        assert opened.place().count("(all)") == 2
    assert sorted(read) == sorted(written)
    for partition in (0, 1):
        assert [each for each in read if each[0] == partition] == [
            each for each in written if each[0] == partition
        ]
    back = read.index((1, begin + 100))
    merged = read[:back] + read[back + 1 :]
    assert merged == sorted(merged, key=lambda each: each[1])
    # What goes back in time comes at once after the one before it.
    assert read[back - 1] == (1, begin + 29_500)


async def test_merging_ends_early_when_told_and_at_once_when_there_is_nothing(connection: Connection) -> None:
    async with history(connection, [topics.VERDICTS]) as opened:
        assert [batch async for batch in opened.merged()] == []
    await fill(connection, topics.VERDICTS, range(3000))
    ended = asyncio.Event()
    async with history(connection, [topics.VERDICTS]) as opened:
        handed = 0
        async for batch in opened.merged(ended):
            handed += len(batch)
            ended.set()
        assert sum(opened.reached.values()) == handed
        assert 0 < handed < 3000


async def test_merging_tells_of_brokers_that_stop_answering_and_passes_over_what_is_gone() -> None:
    consumer = mock.Mock()
    place = TopicPartition("t", 0)
    consumer.assignment.return_value = {place}
    consumer.paused.return_value = set()
    consumer.getmany = mock.AsyncMock(return_value={})
    consumer.position = mock.AsyncMock(return_value=10)
    assert [batch async for batch in History(consumer, {place: Stretch(3, 10, 0)}).merged()] == []
    with mock.patch("moderato.bus.history._SILENCE", 0.0), pytest.raises(Fatal, match="gave nothing for 0 s"):
        [batch async for batch in History(consumer, {place: Stretch(10, 12, 0)}).merged()]
