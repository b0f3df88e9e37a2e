"""Reading topics back, without a group."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from moderato.bus.connection import Connection


@dataclass(frozen=True, slots=True)
class Breakable:
    """A broker that a test may take away; the embedded one does not come back."""

    connection: Connection
    take_away: Callable[[], None]
    bring_back: Callable[[], None]


async def read_all(connection: Connection, topic: str, count: int) -> list["ConsumerRecord[bytes, bytes]"]:
    """The first `count` records of a topic, by partition and offset; fails after 20 s."""
    return await read_until(connection, topic, lambda records: len(records) >= count)


async def read_until(
    connection: Connection, topic: str, enough: Callable[[list["ConsumerRecord[bytes, bytes]"]], bool]
) -> list["ConsumerRecord[bytes, bytes]"]:
    """The records of a topic from its beginning until there are enough, by partition and offset; fails after 20 s."""
    consumer = AIOKafkaConsumer(
        topic,
        **connection.for_aiokafka(),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        # A broker hears the end of a TLS connection only when it has answered the fetch that it holds back.
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    records: list[ConsumerRecord[bytes, bytes]] = []
    try:
        async with asyncio.timeout(20):
            while not enough(records):
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    records += batch
    finally:
        await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that a stage does; fails after 20 s."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in the stage's own task
            await asyncio.sleep(0.01)
