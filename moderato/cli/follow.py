"""Follows one topic without a consumer group: nothing is committed and nobody else's progress is touched."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from moderato.bus.admin import Admin
from moderato.bus.connection import Connection
from moderato.bus.record import Record
from moderato.errors import Fatal

_CONNECT_DEADLINE = 5.0  # seconds; Ctrl-C waits as long
_START_DEADLINE = 10.0
_STOP_DEADLINE = 5.0
_TURN_MS = 200

# Takes one record; whether more are wanted.
Take = Callable[[Record], bool]


async def follow(
    connection: Connection,
    topic: str,
    take: Take,
    *,
    from_beginning: bool,
    started: Callable[[int], None],
    ended: asyncio.Event,
) -> None:
    """Gives every record to `take` until it has enough or `ended` is set. `started` is told the number of partitions.

    Partitions that are added meanwhile are not followed. Raises Fatal when the brokers or the topic cannot be had."""
    # Metadata of all topics at once, since asking for one may make it. librdkafka tells better why nobody answers, too.
    cluster = await asyncio.to_thread(lambda: Admin(connection, deadline=_CONNECT_DEADLINE).cluster())
    count = cluster.partitions.get(topic, 0)
    if not count:
        raise Fatal(
            f"{topic}: no such topic at {connection.bootstrap}; it is made by: moderato topics create"
        )
    partitions = [TopicPartition(topic, number) for number in range(count)]
    # What aiokafka has to say about a broker that is not there would stand between the records.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    consumer = AIOKafkaConsumer(**connection.for_aiokafka(), enable_auto_commit=False)
    try:
        await _begin(consumer, connection, partitions, from_beginning)
        started(count)
        wanted = True
        while wanted and not ended.is_set():
            fetched = await consumer.getmany(timeout_ms=_TURN_MS)
            records = (record for batch in fetched.values() for record in batch)
            wanted = all(take(record) for record in records)
    finally:
        async with asyncio.timeout(_STOP_DEADLINE):
            await consumer.stop()


async def _begin(
    consumer: AIOKafkaConsumer,
    connection: Connection,
    partitions: Sequence[TopicPartition],
    from_beginning: bool,
) -> None:
    try:
        async with asyncio.timeout(_START_DEADLINE):
            await consumer.start()
            consumer.assign(partitions)
            # Settled here, so that what is written from now on is seen.
            seek = consumer.seek_to_beginning if from_beginning else consumer.seek_to_end
            await seek(*partitions)
    except (TimeoutError, KafkaError, OSError) as error:
        raise Fatal(f"kafka.bootstrap {connection.bootstrap}: {str(error) or 'no answer'}") from error
