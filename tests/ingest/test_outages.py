"""Kafka away, our own faults, and the end: nothing is acknowledged that is not stored, and the numbers add up."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ingest import brokers, receiver
from ingest.receiver import Receiver
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.codec import Headers
from moderato.errors import Fatal, Poison, Retryable
from moderato.sources import Source
from tests.ingest.support import TOKEN, Bench, receiving, settings

BODY = b'{"requestId":"t_1"}'


class FakePublisher:
    """Stands in for Kafka: each record gets the future that `answer` gives."""

    def __init__(self) -> None:
        self.answer: Callable[[], asyncio.Future[None]] = self.stored
        self.published = 0
        self.stopped_with: int | None = None

    def __call__(self, connection: Connection, *, deadline: float) -> "FakePublisher":
        return self

    async def start(self, topics: Iterable[str], *, patience: float = 30.0) -> None:
        self.topics = sorted(topics)

    async def stop(self) -> None:
        self.stopped_with = self.published

    def publish(self, topic: str, key: bytes, value: bytes, headers: Headers) -> asyncio.Future[None]:
        future = self.answer()
        self.published += 1
        return future

    def stored(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def failing(self, error: Exception) -> Callable[[], asyncio.Future[None]]:
        def answer() -> asyncio.Future[None]:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_exception(error)
            return future

        return answer


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakePublisher:
    fake = FakePublisher()
    monkeypatch.setattr(receiver, "Publisher", fake)
    return fake


async def test_when_kafka_is_gone_the_vendor_is_asked_to_come_again() -> None:
    broker = EmbeddedBroker()
    async with receiving(broker, settings(http={"publish_deadline": 0.5})) as bench:
        assert (await bench.post(Source.SHUMEI_AUDIO, BODY))[0] == 200
        broker.stop()
        started = time.monotonic()
        answers = await asyncio.gather(*(bench.post(Source.SHUMEI_AUDIO, BODY) for _ in range(20)))
        # One deadline for the batch on its way, one for the batch behind it.
        assert time.monotonic() - started < 2 * 0.5 + 0.5
        for status, error, headers in answers:
            assert (status, error["error"]) == (503, "kafka_unavailable")
            assert int(headers["Retry-After"]) > 0
        assert bench.counted() == {"received": 21, "published": 1, "kafka_unavailable": 20}
        assert bench.receiver.unready() == "Kafka does not acknowledge callbacks"
        assert bench.receiver.stuck() is None


async def test_it_is_ready_again_with_the_first_callback_that_kafka_takes(
    broker: EmbeddedBroker, kafka: FakePublisher
) -> None:
    async with receiving(broker) as bench:
        kafka.answer = kafka.failing(Retryable("no answer"))
        assert (await bench.post(Source.SHUMEI_AUDIO, BODY))[0] == 503
        assert (await bench.post(Source.SHUMEI_AUDIO, BODY))[0] == 503
        assert bench.receiver.unready() is not None
        kafka.answer = kafka.stored
        assert (await bench.post(Source.SHUMEI_AUDIO, BODY))[0] == 200
        assert bench.receiver.unready() is None


async def test_it_is_ready_again_after_a_while_without_traffic(
    broker: EmbeddedBroker, kafka: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(broker) as bench:
        kafka.answer = kafka.failing(Retryable("no answer"))
        assert (await bench.post(Source.SHUMEI_AUDIO, BODY))[0] == 503
        monkeypatch.setattr(brokers, "_NOT_READY_FOR", 0.0)
        assert bench.receiver.unready() is None


def backpressure() -> asyncio.Future[None]:
    raise Retryable("64 MiB wait for Kafka already")


async def test_too_much_waiting_for_kafka_is_a_503_as_well(
    broker: EmbeddedBroker, kafka: FakePublisher
) -> None:
    async with receiving(broker) as bench:
        kafka.answer = backpressure
        status, error, headers = await bench.post(Source.SHUMEI_AUDIO, BODY)
        assert (status, error["error"]) == (503, "kafka_unavailable")
        assert "Retry-After" in headers


@pytest.mark.parametrize("error", [Poison("larger than max.message.bytes"), RuntimeError("a fault of ours")])
async def test_a_fault_of_ours_is_never_the_vendors(
    broker: EmbeddedBroker, kafka: FakePublisher, error: Exception
) -> None:
    async with receiving(broker) as bench:
        kafka.answer = kafka.failing(error)
        status, answer, headers = await bench.post(Source.SHUMEI_AUDIO, BODY)
        assert (status, answer["error"]) == (503, "internal_error")
        assert str(error) not in answer["detail"]
        assert "Retry-After" in headers
        assert bench.counted() == {"received": 1, "internal_error": 1}


async def test_a_callback_whose_client_left_after_sending_it_is_stored(
    broker: EmbeddedBroker, kafka: FakePublisher
) -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    kafka.answer = lambda: waiting
    async with receiving(broker) as bench:
        _, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
        head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
        writer.write(head.encode() + BODY)
        await bench.until({"received": 1})
        writer.transport.abort()
        waiting.set_result(None)
        await bench.until({"received": 1, "published": 1})


# --- The end


async def test_it_ends_in_order_with_what_is_in_flight_answered(
    broker: EmbeddedBroker, kafka: FakePublisher
) -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with receiving(broker) as bench:
        kafka.answer = lambda: waiting
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
        head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
        writer.write(head.encode() + BODY)
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
        await bench.until({"received": 1})
        ending = asyncio.create_task(bench.receiver.stop())
        while bench.receiver.unready() is None:  # noqa: ASYNC110 - readiness tells nobody
            await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", bench.receiver.port)
        assert not ending.done()
        assert kafka.stopped_with is None
        waiting.set_result(None)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Connection: close\r\n" in answer
        await ending
        assert kafka.stopped_with == 1
        assert await idle_reader.read() == b""
        assert bench.counted() == {"received": 1, "published": 1}
        writer.close()
        idle_writer.close()


async def test_a_body_that_is_on_its_way_at_the_end_is_still_taken(
    broker: EmbeddedBroker, kafka: FakePublisher
) -> None:
    async with receiving(broker) as bench:
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
        head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
        writer.write(head.encode() + BODY[:5])
        await bench.until({"received": 1})
        ending = asyncio.create_task(bench.receiver.stop())
        await asyncio.sleep(0)
        writer.write(BODY[5:])
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
        await ending
        writer.close()
        assert bench.counted() == {"received": 1, "published": 1}


async def test_what_does_not_end_in_time_is_cut_off_and_not_acknowledged(
    broker: EmbeddedBroker, kafka: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "_DRAIN", 0.05)
    monkeypatch.setattr("ingest.server._CUT_OFF", 0.05)
    async with receiving(broker) as bench:
        streams = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
            head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
            writer.write(head.encode() + BODY[:5])
            streams.append((reader, writer))
        await bench.until({"received": 2})
        await bench.receiver.stop()
        for reader, writer in streams:
            assert await reader.read() == b""
            writer.close()
        assert kafka.published == 0
        assert bench.counted() == {"received": 2, "client_gone": 2}


async def test_after_the_end_nothing_is_published(broker: EmbeddedBroker, kafka: FakePublisher) -> None:
    async with receiving(broker) as bench:
        await bench.receiver.stop()
        with pytest.raises(Retryable, match="has ended"):
            await bench.receiver._store.put("topic", b"", b"", [])


async def test_it_reads_no_topic_but_those_of_its_sources(
    broker: EmbeddedBroker, kafka: FakePublisher
) -> None:
    async with receiving(broker, settings(secrets={Source.IFLYTEK_AUDIO: {}})):
        assert kafka.topics == ["moderation.raw.iflytek_audio", "moderation.raw.shumei_audio"]


async def test_a_port_that_is_taken_is_named(broker: EmbeddedBroker, bench: Bench) -> None:
    taken = settings(http={"port": bench.receiver.port})
    kafka = taken.kafka.model_copy(update={"bootstrap": broker.bootstrap})
    second = Receiver(taken, Connection.of(kafka))
    with pytest.raises(Fatal, match=r"http\.port"):
        await second.start()
    await second.stop()


async def test_a_load_of_all_kinds_adds_up(bench: Bench) -> None:
    async def one(number: int) -> int:
        kinds: list[dict[str, Any]] = [
            {"source": "shumei_audio", "body": BODY},
            {"source": "shumei_audio", "body": b""},
            {"source": "shumei_audio", "body": BODY, "token": TOKEN[::-1]},
            {"source": "nobody", "body": BODY},
            {"source": "yidun_audio", "body": b"a=1", "headers": {}},
        ]
        return (await bench.post(**kinds[number % len(kinds)]))[0]

    statuses = await asyncio.gather(*(one(number) for number in range(500)))
    assert sorted(set(statuses)) == [200, 400, 401, 404]
    counted = bench.counted()
    assert counted == {
        "received": 500,
        "published": 100,
        "empty_body": 100,
        "bad_token": 100,
        "unknown_source": 100,
        "missing_signature": 100,
    }
    assert len(await bench.records(Source.SHUMEI_AUDIO)) == 100
