import asyncio
import zlib
from collections.abc import AsyncIterator

import pytest

from moderato import topics
from moderato.bus import publisher as module
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.errors import Fatal, Retryable
from moderato.settings import Kafka
from tests.moderato.bus.support import Breakable, read_all


@pytest.fixture
async def publisher(connection: Connection) -> AsyncIterator[Publisher]:
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS, topics.SIGNALS])
    yield publisher
    await publisher.stop()


async def test_what_is_acknowledged_can_be_read_with_key_value_and_headers(
    connection: Connection, publisher: Publisher
) -> None:
    await publisher.publish(topics.VERDICTS, b"key", b"value", [("ce_id", b"1")])
    [record] = await read_all(connection, topics.VERDICTS, 1)
    assert (record.key, record.value, list(record.headers)) == (b"key", b"value", [("ce_id", b"1")])


async def test_many_records_share_batches_and_keep_their_order_within_a_key(
    connection: Connection, publisher: Publisher
) -> None:
    waiting = [publisher.publish(topics.VERDICTS, b"key%d" % (i % 7), b"%d" % i, []) for i in range(500)]
    assert len({id(future) for future in waiting}) < 10
    await asyncio.gather(*waiting)
    records = await read_all(connection, topics.VERDICTS, 500)
    for key in {record.key for record in records}:
        numbers = [int(record.value) for record in records if record.key == key]
        assert numbers == sorted(numbers)
        assert {record.partition for record in records if record.key == key} == {zlib.crc32(key) % 2}


async def test_records_published_while_a_batch_is_on_its_way_follow_in_the_next(
    connection: Connection, publisher: Publisher
) -> None:
    async def one(number: int) -> None:
        await asyncio.sleep(number % 5 / 1000)
        await publisher.publish(topics.SIGNALS, b"k", b"%d" % number, [])

    await asyncio.gather(*(one(number) for number in range(200)))
    records = await read_all(connection, topics.SIGNALS, 200)
    assert {int(record.value) for record in records} == set(range(200))


async def test_a_batch_of_messages_goes_to_several_topics(
    connection: Connection, publisher: Publisher
) -> None:
    await publisher.publish_all(
        [Message(topics.VERDICTS, b"a", b"1", []), Message(topics.SIGNALS, b"b", None, [("x", b"y")])]
    )
    assert [record.value for record in await read_all(connection, topics.VERDICTS, 1)] == [b"1"]
    assert [record.value for record in await read_all(connection, topics.SIGNALS, 1)] == [None]


async def test_more_than_one_batch_holds_is_split(connection: Connection, publisher: Publisher) -> None:
    values = [bytes([i]) * 300_000 for i in range(8)] + [b"z" * 1_500_000]
    await publisher.publish_all([Message(topics.VERDICTS, b"k", value, []) for value in values])
    assert [record.value for record in await read_all(connection, topics.VERDICTS, 9)] == values


async def test_without_a_broker_a_record_is_given_up_at_its_deadline(breakable: Breakable) -> None:
    publisher = Publisher(breakable.connection, deadline=0.3)
    await publisher.start([topics.VERDICTS])
    breakable.take_away()
    with pytest.raises(Retryable, match=r"did not acknowledge within 0\.3 s|refused"):
        await publisher.publish(topics.VERDICTS, b"k", b"v", [])
    with pytest.raises(Retryable):
        await publisher.publish_all([Message(topics.VERDICTS, b"k", b"v", [])])
    await publisher.stop()


async def test_more_than_the_cap_is_refused_at_once(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_PENDING_BYTES", 2000)
    first = publisher.publish(topics.VERDICTS, b"k", b"v" * 1000, [])
    with pytest.raises(Retryable, match="wait for Kafka already"):
        publisher.publish(topics.VERDICTS, b"k", b"v" * 1000, [])
    await first
    await publisher.publish(topics.VERDICTS, b"k", b"v" * 1000, [])


async def test_an_unreachable_broker_is_a_clear_configuration_error() -> None:
    publisher = Publisher(Connection("127.0.0.1:1", Kafka()), deadline=1)
    with pytest.raises(Fatal, match=r"kafka\.bootstrap 127\.0\.0\.1:1"):
        await publisher.start([topics.VERDICTS], patience=2)
