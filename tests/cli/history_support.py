"""Topics with a history: raw records of real vendor bodies, and dead letters."""

import asyncio
from collections.abc import Sequence

import orjson
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.codec import encode
from moderato.dead_letters import dead_letter
from moderato.settings import Kafka
from moderato.sources import Source
from tests.moderato.bus.support import read_all

AT = "2026-11-21T08:00:00.000Z"


def raw(
    source: Source,
    number: int,
    value: bytes | None,
    *,
    tenant: str = "acme",
    content_type: str = "application/json",
) -> Message:
    """A raw record as the receiver writes it; its id is `<source>-<number>`."""
    key = f"{tenant}/task-{number}"
    headers = encode(
        "raw",
        id=f"{source}-{number}",
        source=source,
        tenant=tenant,
        key=key,
        time=AT,
        content_type=content_type,
    )
    return Message(topics.raw(source), key.encode(), value, headers)


def letter(
    message: Message,
    *,
    offset: int = 41,
    stage: str = "normalizer",
    reason: str = "not JSON",
    stack: str | None = None,
) -> Message:
    """The dead letter of a message that was consumed at partition 0."""
    record: ConsumerRecord[bytes, bytes] = ConsumerRecord(
        message.topic, 0, offset, 0, 0, message.key, message.value, None, 0, 0, tuple(message.headers)
    )
    return dead_letter(record, stage=stage, reason=reason, at=AT, stack=stack)


def publish(bootstrap: str, messages: Sequence[Message]) -> None:
    """Writes them one after the other, so that their order is kept."""

    async def main() -> None:
        publisher = Publisher(Connection(bootstrap, Kafka()), deadline=5)
        await publisher.start({each.topic for each in messages})
        try:
            for message in messages:
                await publisher.publish_all([message])
        finally:
            await publisher.stop()

    asyncio.run(main())


def read(bootstrap: str, topic: str, count: int) -> list["ConsumerRecord[bytes, bytes]"]:
    """The first `count` records of a topic."""
    return asyncio.run(read_all(Connection(bootstrap, Kafka()), topic, count))


def ids(records: Sequence["ConsumerRecord[bytes, bytes]"]) -> list[str]:
    """Their ce_ids, sorted."""
    return sorted(dict(record.headers)["ce_id"].decode() for record in records)


def verdicts(bootstrap: str, count: int, topic: str = topics.VERDICTS) -> list[dict[str, object]]:
    """The first `count` records of a topic as JSON."""
    return [orjson.loads(record.value or b"null") for record in read(bootstrap, topic, count)]
