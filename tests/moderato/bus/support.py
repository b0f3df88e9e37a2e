"""Reading topics back, without a group."""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from moderato.bus.connection import Connection


async def read_all(connection: Connection, topic: str, count: int) -> list["ConsumerRecord[bytes, bytes]"]:
    """The first `count` records of a topic, by partition and offset; fails after 10 s."""
    consumer = AIOKafkaConsumer(
        topic, **connection.for_aiokafka(), auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    records: list[ConsumerRecord[bytes, bytes]] = []
    try:
        async with asyncio.timeout(10):
            while len(records) < count:
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    records += batch
    finally:
        await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))
