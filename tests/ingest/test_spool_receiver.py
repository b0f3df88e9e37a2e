"""The receiver with a spool: what vendors are answered while Kafka is away, and what Kafka has afterwards."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ingest import receiver as receiver_module
from ingest.receiver import Receiver
from ingest.routes import check_settings
from ingest.spool import drain as drain_module
from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.errors import Fatal, Unreachable
from moderato.metrics import REGISTRY
from moderato.settings import Kafka, Settings, Spool
from moderato.sources import Source
from tests.ingest import support
from tests.ingest.spool_support import FakeKafka, until
from tests.ingest.support import Bench, receiving


def body(number: int, task: str = "t") -> bytes:
    return b'{"requestId":"%s_%d","btId":"%s"}' % (task.encode(), number, task.encode())


def settings(directory: Path, http: Mapping[str, Any] = {}, **spool: Any) -> Settings:
    return support.settings(http=http).model_copy(update={"spool": Spool(directory=directory, **spool)})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "_PAUSES", (0.001,))
    monkeypatch.setattr(receiver_module, "_RECONNECT", 0.01)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    fake = FakeKafka()
    monkeypatch.setattr(receiver_module, "Publisher", fake)
    return fake


@asynccontextmanager
async def spooling(broker: EmbeddedBroker, directory: Path, **changes: Any) -> AsyncIterator[Bench]:
    async with receiving(broker, settings(directory, **changes)) as bench:
        yield bench


async def post(bench: Bench, number: int, task: str = "t") -> int:
    return (await bench.post(Source.SHUMEI_AUDIO, body(number, task)))[0]


async def test_while_kafka_is_away_callbacks_are_acknowledged_and_come_to_kafka_later(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    async with spooling(broker, tmp_path) as bench:
        assert await post(bench, 0) == 200
        kafka.away = True
        for number in range(1, 101):
            assert await post(bench, number) == 200
        assert bench.counted() == {"received": 101, "published": 1, "spooled": 100}
        assert bench.receiver.unready() is None
        note = bench.receiver.note()
        assert note is not None
        assert note.startswith(
            "spooling: Kafka does not acknowledge callbacks (no broker answers); 100 callbacks"
        )
        assert REGISTRY.get_sample_value("moderato_spooling") == 1
        kafka.away = False
        await until(lambda: len(kafka.taken) == 101)
        assert kafka.values == [body(number) for number in range(101)]
        await until(lambda: bench.receiver.note() is None)
        assert REGISTRY.get_sample_value("moderato_spooling") == 0
        assert await post(bench, 101) == 200
        assert bench.counted()["published"] == 2


async def test_only_the_first_callbacks_wait_for_a_kafka_that_is_away(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "_PAUSES", (60,))
    async with spooling(broker, tmp_path) as bench:
        kafka.away = True
        assert await post(bench, 0) == 200
        await until(lambda: kafka.attempts == 2)
        await asyncio.gather(*(post(bench, number, f"t{number}") for number in range(1, 200)))
        # One callback, and one probe; all others went to the spool without asking.
        assert kafka.attempts == 2
        assert bench.counted() == {"received": 200, "spooled": 200}


async def test_new_callbacks_of_a_task_do_not_overtake_its_spooled_ones(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    async with spooling(broker, tmp_path) as bench:
        kafka.away = True
        for number in range(520):
            assert await post(bench, number, "a") == 200
        kafka.away = False
        await until(lambda: kafka.taken)
        # The drain has begun: Kafka answers, and more than one batch still waits.
        for number in range(520, 560):
            assert await post(bench, number, "a") == 200
        await until(lambda: bench.receiver.note() is None)
        assert kafka.values == [body(number, "a") for number in range(560)]


async def test_a_task_that_always_has_a_callback_on_its_way_comes_back_to_kafka(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    async with spooling(broker, tmp_path) as bench:
        kafka.away = True
        assert await post(bench, 0) == 200
        kafka.away = False
        await until(lambda: kafka.taken)
        for number in range(1, 21):
            assert await post(bench, number) == 200
        assert kafka.values == [body(number) for number in range(21)]
        assert bench.counted()["published"] >= 19


async def test_when_kafka_leaves_again_nobody_waits_for_the_spool_to_be_empty(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.store._HAND_OVER", 0.01)
    async with spooling(broker, tmp_path) as bench:
        kafka.away = True
        assert await post(bench, 0, "a") == 200
        kafka.hold = asyncio.Event()
        await until(lambda: kafka.held)
        kafka.away = False
        bench.receiver._brokers.succeeded()
        assert await post(bench, 1, "a") == 200
        assert bench.counted() == {"received": 2, "spooled": 2}
        kafka.hold.set()
        await until(lambda: kafka.values == [body(0, "a"), body(1, "a")])


async def test_new_callbacks_of_other_tasks_do_not_wait_for_what_is_spooled(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    async with spooling(broker, tmp_path) as bench:
        kafka.away = True
        await asyncio.gather(*(post(bench, number, "a") for number in range(3000)))
        kafka.away = False
        await until(lambda: bench.receiver.note() and "draining" in str(bench.receiver.note()))
        assert await post(bench, 0, "b") == 200
        assert (b"default/b", body(0, "b")) in kafka.taken
        assert len(kafka.taken) < 3001
        assert bench.counted() == {"received": 3001, "spooled": 3000, "published": 1}


async def test_a_full_spool_is_a_503_and_not_ready_while_kafka_is_away(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    async with spooling(broker, tmp_path, max_bytes=1024**2) as bench:
        kafka.away = True
        with capture_logs() as logs:
            answers = [
                await bench.post(
                    Source.SHUMEI_AUDIO, b'{"requestId":"%d","x":"%s"}' % (number, b"x" * 50_000)
                )
                for number in range(40)
            ]
        refused = [answer for answer in answers if answer[0] != 200]
        assert 15 < len(refused) < 25
        for status, error, headers in refused:
            assert (status, error["error"]) == (503, "kafka_unavailable")
            assert int(headers["Retry-After"]) > 0
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
            "kafka_unavailable",
            "spool_refuses",
        ]
        unready = bench.receiver.unready()
        assert unready is not None
        assert unready.startswith(
            "Kafka does not acknowledge callbacks, and the spool takes nothing: it holds spool.max_bytes"
        )
        # Those refused were not tried on a Kafka that is known to be away.
        kafka.away = False
        await until(lambda: len(kafka.taken) == 40 - len(refused))
        await until(lambda: bench.receiver.unready() is None)
        assert await post(bench, 1) == 200


async def test_when_nothing_can_be_spooled_kafka_is_asked_all_the_same(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with spooling(broker, tmp_path) as bench:
        spool = bench.receiver._spool
        assert spool is not None
        monkeypatch.setattr(spool, "_full", lambda: "its disk is full")
        assert await post(bench, 0) == 200
        assert bench.receiver.note() == "the spool takes nothing: its disk is full"
        assert bench.receiver.unready() is None
        kafka.away = True
        assert await post(bench, 1) == 503
        assert bench.receiver.unready() == (
            "Kafka does not acknowledge callbacks, and the spool takes nothing: its disk is full"
        )
        kafka.away = False
        assert await post(bench, 2) == 200
        assert bench.receiver.unready() is None
        assert bench.counted() == {"received": 3, "published": 2, "kafka_unavailable": 1}


async def test_what_is_spooled_stays_for_the_next_start(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    async with spooling(broker, tmp_path) as bench:
        kafka.away = True
        for number in range(10):
            assert await post(bench, number) == 200
    assert kafka.taken == []
    kafka.away = False
    async with spooling(broker, tmp_path) as bench:
        await until(lambda: len(kafka.taken) == 10)
    assert kafka.values == [body(number) for number in range(10)]


async def test_a_source_that_is_no_longer_configured_is_still_drained(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    async with spooling(broker, tmp_path) as bench:
        kafka.away = True
        assert (await bench.post(Source.IFLYTEK_AUDIO, b'{"request_id":"1"}'))[0] == 200
    kafka.away = False
    fewer = support.settings(secrets={Source.SHUMEI_AUDIO: {}})
    async with receiving(broker, fewer.model_copy(update={"spool": Spool(directory=tmp_path)})):
        await until(lambda: kafka.taken)
        assert kafka.topics == [topics.raw(Source.IFLYTEK_AUDIO), topics.raw(Source.SHUMEI_AUDIO)]


async def test_requests_in_flight_at_the_end_are_spooled_when_kafka_does_not_take_them(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    kafka.hold, kafka.away = asyncio.Event(), True
    async with spooling(broker, tmp_path) as bench:
        posting = asyncio.create_task(post(bench, 0))
        await until(lambda: kafka.attempts)
        stopping = asyncio.create_task(bench.receiver.stop())
        await until(lambda: bench.receiver.unready() is not None)
        kafka.hold.set()
        assert await posting == 200
        await stopping
    kafka.hold, kafka.away = None, False
    async with spooling(broker, tmp_path):
        await until(lambda: kafka.values == [body(0)])


async def test_without_a_spool_there_is_nothing_to_note(broker: EmbeddedBroker, kafka: FakeKafka) -> None:
    async with receiving(broker) as bench:
        kafka.away = True
        assert await post(bench, 0) == 503
        assert bench.receiver.note() is None
        assert bench.receiver.unready() == "Kafka does not acknowledge callbacks"


# --- Starts


async def test_it_starts_and_spools_while_kafka_is_away(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = False
    attempts = 0

    async def start(topics: Iterable[str], *, patience: float) -> None:
        nonlocal attempts
        attempts += 1
        if not there:
            raise Unreachable("kafka.bootstrap k:1: no broker can be reached there")

    monkeypatch.setattr(kafka, "start", start)
    async with spooling(broker, tmp_path) as bench:
        spool = bench.receiver._spool
        assert spool is not None
        with monkeypatch.context() as patch:
            patch.setattr(spool, "_full", lambda: "its disk is full")
            assert await post(bench, 0) == 503
        assert await post(bench, 0) == 200
        note = bench.receiver.note()
        assert note is not None
        assert "1 callbacks wait" in note
        await until(lambda: attempts > 2)
        there = True
        await until(lambda: kafka.taken)
        await until(lambda: bench.receiver.note() is None)
        assert await post(bench, 1) == 200
        assert kafka.values == [body(0), body(1)]


async def test_it_ends_while_it_still_waits_for_kafka(tmp_path: Path) -> None:
    receiver = Receiver(settings(tmp_path), Connection("127.0.0.1:1", Kafka(request_timeout=0.5)))
    await receiver.start()
    assert receiver.unready() is None
    await receiver.stop()
    assert receiver.unready() == "not listening"


async def test_a_kafka_that_lets_nobody_in_is_still_fatal(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(topics: Iterable[str], *, patience: float) -> None:
        raise Fatal("kafka.sasl: user 'm' is not let in with this password")

    monkeypatch.setattr(kafka, "start", start)
    receiver = Receiver(settings(tmp_path), Connection(broker.bootstrap, Kafka()))
    with pytest.raises(Fatal, match="is not let in"):
        await receiver.start()
    await receiver.stop()


async def test_two_receivers_with_one_directory_are_told_apart(
    broker: EmbeddedBroker, kafka: FakeKafka, tmp_path: Path
) -> None:
    async with spooling(broker, tmp_path):
        second = Receiver(settings(tmp_path), Connection(broker.bootstrap, Kafka()))
        with pytest.raises(Fatal, match="each needs a directory of its own"):
            await second.start()
        await second.stop()


def test_a_directory_that_cannot_be_used_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert check_settings(settings(tmp_path)) == []
    assert check_settings(settings(tmp_path / "file")) == [
        f"spool.directory: {tmp_path / 'file'} is not a directory"
    ]


# --- With a broker


async def test_with_a_broker_that_dies_and_a_receiver_that_starts_without_one(tmp_path: Path) -> None:
    first = EmbeddedBroker()
    async with spooling(first, tmp_path, http={"publish_deadline": 0.3}) as bench:
        assert await post(bench, 0) == 200
        first.stop()
        answers = await asyncio.gather(*(post(bench, number) for number in range(1, 50)))
        assert set(answers) == {200}
        assert bench.counted() == {"received": 50, "published": 1, "spooled": 49}
    second = EmbeddedBroker()
    try:
        async with spooling(second, tmp_path) as bench:
            await until(lambda: bench.receiver.note() is None)
            bench._starts = dict.fromkeys(Source, 0)
            drained = await bench.records(Source.SHUMEI_AUDIO)
    finally:
        second.stop()
    assert sorted({event.id for _, event in drained}) == sorted(f"t_{number}" for number in range(1, 50))
    assert {event.data for _, event in drained} == {body(number) for number in range(1, 50)}
    assert {event.attribute("tenant") for _, event in drained} == {"default"}
