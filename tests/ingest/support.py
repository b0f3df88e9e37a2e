"""A receiver on the embedded broker, and what a vendor and a downstream reader see of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from ingest.receiver import Receiver
from moderato import codec, topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.metrics import REGISTRY
from moderato.settings import Settings
from moderato.sources import Source
from tests.ports import receiver_port

TOKEN = "a-token-of-the-tests"
OLD_TOKEN = "the-token-before-that"
KEYS = ("the-new-key-" + "n" * 32, "the-old-key-" + "o" * 32)
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

SECRETS: dict[Source, dict[str, str]] = {
    Source.AGORA_VOICE: {"uid": "1234567890123456", "seed": "test"},
    Source.AGORA_VIDEO: {},
    Source.AGORA_NCS: {"secret": "secret"},
    Source.SHUMEI_AUDIO: {},
    Source.SHUMEI_VIDEO: {},
    Source.IFLYTEK_AUDIO: {},
    Source.YIDUN_AUDIO: {"secret_id": "a-secret-id-1", "secret_key": "a-secret-key-1"},
    Source.YUNXIN_RTC: {"app_secret": "app-secret-1"},
}


def settings(
    *, secrets: Mapping[Source, dict[str, str]] = SECRETS, http: Mapping[str, Any] = {}, keys: bool = True
) -> Settings:
    """All sources of the tenant `default`, and only Shumei audio of the tenant `other`."""
    sources = {source: {"tokens": (TOKEN, OLD_TOKEN), "secrets": names} for source, names in secrets.items()}
    return Settings(
        **{
            "http": {"host": "127.0.0.1", "port": receiver_port(), **http},
            "capability_keys": KEYS if keys else (),
            "tenants": {
                "default": {"sources": sources},
                "other": {"sources": {"shumei_audio": {"tokens": ("a-token-of-another-tenant",)}}},
            },
        }
    )


class Bench:
    """A receiver that listens, a client, and the raw records since it started."""

    def __init__(self, receiver: Receiver, client: aiohttp.ClientSession, bootstrap: str) -> None:
        self.receiver = receiver
        self.client = client
        self.url = f"http://127.0.0.1:{receiver.port}"
        self._bootstrap = bootstrap
        self._starts: dict[Source, int] = {}
        self._counts = counts()

    async def mark(self) -> None:
        """Records before this moment do not count."""
        async with _consumer(self._bootstrap) as consumer:
            places = [TopicPartition(topics.raw(source), 0) for source in Source]
            consumer.assign(places)  # all at once: each topic that it has to ask for costs 100 ms
            ends = await consumer.end_offsets(places)
            self._starts = {source: ends[TopicPartition(topics.raw(source), 0)] for source in Source}

    def path(self, source: str, *, tenant: str = "default", token: str = TOKEN) -> str:
        return f"/v1/callbacks/{source}/{tenant}/{token}"

    async def post(
        self,
        source: str,
        body: Any,
        headers: Mapping[str, str] = JSON,
        *,
        tenant: str = "default",
        token: str = TOKEN,
        method: str = "POST",
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, JSON body and headers of the answer to one callback."""
        url = self.url + self.path(source, tenant=tenant, token=token)
        async with self.client.request(
            method, url, data=body, headers=headers, skip_auto_headers=("Content-Type",)
        ) as answer:
            text = await answer.read()
            return answer.status, codec.orjson.loads(text) if text else None, answer.headers

    async def raw(self, data: bytes, *, until_close: bool = True) -> bytes:
        """Sends bytes over a connection of their own and gives all that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.receiver.port)
        writer.write(data)
        await writer.drain()
        answer = await reader.read() if until_close else await reader.read(65536)
        writer.close()
        return answer

    async def records(self, source: Source) -> list[tuple[bytes, codec.Event]]:
        """Key and event of every raw record of a source."""
        async with _consumer(self._bootstrap) as consumer:
            place = TopicPartition(topics.raw(source), 0)
            consumer.assign([place])
            consumer.seek(place, self._starts[source])
            end = (await consumer.end_offsets([place]))[place]
            found = []
            while await consumer.position(place) < end:
                record = await consumer.getone()
                found.append((record.key, codec.decode(record.headers, record.value)))
            return found

    def counted(self) -> dict[str, float]:
        """What the receiver's counters gained: received, published, spooled, and each error code."""
        now = counts()
        return {name: gained for name in now if (gained := now[name] - self._counts.get(name, 0.0))}

    async def until(self, counted: Mapping[str, float]) -> None:
        """Waits until the counters have gained this much, at most 5 s."""
        async with asyncio.timeout(5):
            while self.counted() != counted:  # noqa: ASYNC110 - counters tell nobody
                await asyncio.sleep(0)


def counts() -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            name = {
                "moderato_callbacks_received_total": "received",
                "moderato_callbacks_published_total": "published",
                "moderato_callbacks_spooled_total": "spooled",
                "moderato_callbacks_rejected_total": sample.labels.get("code", ""),
                "moderato_observed_signatures_total": sample.labels.get("result", ""),
            }.get(sample.name)
            if name:
                found[name] = found.get(name, 0.0) + sample.value
    return found


@asynccontextmanager
async def _consumer(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def receiving(broker: EmbeddedBroker, configured: Settings | None = None) -> AsyncIterator[Bench]:
    configured = configured or settings()
    kafka = configured.kafka.model_copy(update={"bootstrap": broker.bootstrap})
    receiver = Receiver(configured, Connection.of(kafka))
    await receiver.start()
    try:
        async with aiohttp.ClientSession() as client:
            bench = Bench(receiver, client, broker.bootstrap)
            await bench.mark()
            yield bench
    finally:
        await receiver.stop()
