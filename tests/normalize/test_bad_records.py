"""Records that nobody should have written to a raw topic: none of them stops the normalizer."""

import asyncio
import contextlib

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # re-exports without __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.codec import Headers, encode
from moderato.errors import Poison
from moderato.metrics import REGISTRY
from moderato.settings import Settings
from moderato.sources import Source
from normalize.worker import NAME, role
from tests.moderato.bus.support import read_all, until

pytestmark = pytest.mark.kafka

AT = "2026-11-21T08:00:00.000Z"
TOPIC = topics.raw(Source.SHUMEI_AUDIO)


@pytest.fixture
def roomy(kafka_connection: Connection) -> Connection:
    """A broker whose raw topic takes larger records than Moderato's own settings let it take."""
    client = AdminClient({"bootstrap.servers": kafka_connection.bootstrap})
    size = ConfigEntry("max.message.bytes", "8388608", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=[size])
    for future in client.incremental_alter_configs([topic]).values():
        future.result(10)
    return kafka_connection


def headers(content_type: str = "application/json", **changed: str) -> Headers:
    made = encode(
        "raw",
        id="1" * 32,
        source=Source.SHUMEI_AUDIO,
        tenant="default",
        key="default/t",
        time=AT,
        content_type=content_type,
    )
    return [(name, changed[name].encode() if name in changed else value) for name, value in made]


BAD: dict[str, tuple[bytes | None, Headers]] = {
    "no headers": (b'{"code":1100}', []),
    "foreign content type": (b"\x00\x01\x02", headers(content_type="image/png")),
    "unknown source": (b"{}", headers(ce_source="nobody")),
    "tombstone": (None, headers()),
    "tombstone without headers": (None, []),
    "five MiB": (b"x" * (5 * 1024 * 1024), headers()),
    "from a future version": (b"{}", headers(ce_type="moderato.raw.v2")),
}


def counted() -> float:
    return REGISTRY.get_sample_value("moderato_stage_consumed_total", {"stage": NAME}) or 0


async def taken(publisher: Publisher, message: Message) -> None:
    """Published; a broker hears of a topic's new limit a moment after the controller has confirmed it."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(Poison):
                return await publisher.publish(*message)


async def test_no_record_stops_the_normalizer_and_each_is_in_the_dead_letters(roomy: Connection) -> None:
    publisher = Publisher(roomy, deadline=10)
    await publisher.start([TOPIC])
    for value, each in BAD.values():
        await taken(publisher, Message(TOPIC, b"k", value, each))
    before = counted()
    normalizer = role(Settings(), roomy)
    await normalizer.start()
    await until(lambda: counted() >= before + len(BAD))
    await publisher.publish(TOPIC, b"k", b"not even JSON", headers())
    await until(lambda: counted() > before + len(BAD))
    assert normalizer.unready() is None
    await normalizer.stop()
    await publisher.stop()
    letters = await read_all(roomy, topics.DEAD_LETTERS, len(BAD) + 1)
    assert {int(dict(letter.headers)["dl_offset"]) for letter in letters} == set(range(len(BAD) + 1))
