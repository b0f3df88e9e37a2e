"""The spool between the event loop and the disk: what is answered, what is refused, and how it comes to Kafka."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ingest.brokers import Brokers
from ingest.spool import drain as drain_module
from ingest.spool import spool as module
from ingest.spool.drain import Drain
from ingest.spool.entry import decode
from ingest.spool.file import SpoolFile
from ingest.spool.spool import Spool
from moderato import metrics
from moderato.errors import Fatal, Retryable
from moderato.metrics import REGISTRY
from tests.ingest.spool_support import TOPIC, FakeKafka, put, small_disk, spool, until


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Spool]:
    opened = spool(tmp_path)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "_PAUSES", (0.001,))


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


def draining(spool: Spool, kafka: FakeKafka) -> Drain:
    return Drain(spool, Brokers(kafka.publish), {TOPIC})


async def values(spool: Spool) -> list[bytes]:
    return [decode(stored.record).value for stored in (await spool.read(100_000, 1 << 40)).entries]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [b"%06d" % number for number in range(start, start + count)]


# --- Storing


async def test_what_comes_while_a_commit_runs_goes_into_the_next(
    opened: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    go = threading.Event()
    append = SpoolFile.append

    def slow(file: SpoolFile, rows: Any) -> Any:
        go.wait(5)
        commits.append(len(rows))
        return append(file, rows)

    monkeypatch.setattr(SpoolFile, "append", slow)
    first = opened.store(TOPIC, b"k", b"0", [])
    await until(lambda: opened._writing is not None)
    later = {opened.store(TOPIC, b"k", b"%d" % number, []) for number in range(1, 50)}
    assert len(later) == 1
    assert not first.done()
    go.set()
    await asyncio.wait({first, *later})
    assert commits == [1, 49]
    assert await values(opened) == [b"%d" % number for number in range(50)]


async def test_commits_are_bounded(opened: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COMMIT_BYTES", 3000)
    futures = [opened.store(TOPIC, b"k", b"x" * 1000, []) for _ in range(9)]
    assert len(set(futures)) == 3
    monkeypatch.setattr(module, "_COMMIT_ENTRIES", 2)
    futures = [opened.store(TOPIC, b"k", b"y", []) for _ in range(6)]
    assert len(set(futures)) >= 3
    await asyncio.wait(set(futures))
    assert len(await values(opened)) == 15


async def test_it_knows_which_keys_have_something_spooled(opened: Spool) -> None:
    await put(opened, b"1", b"2", key=b"a")
    await put(opened, b"3", key=b"b")
    assert opened.holds(b"a")
    assert opened.holds(b"b")
    assert not opened.holds(b"c")
    batch = await opened.read(2, 1 << 30)
    await opened.remove(batch, batch.entries[:1])
    assert opened.holds(b"a")
    await opened.remove(batch, batch.entries[1:])
    assert not opened.holds(b"a")
    assert opened.holds(b"b")


async def test_the_next_start_finds_everything(opened: Spool, tmp_path: Path) -> None:
    await put(opened, *numbered(100), key=b"a")
    await opened.close()
    again = spool(tmp_path)
    with capture_logs() as logs:
        await again.open()
    assert [(entry["event"], entry.get("entries")) for entry in logs] == [("spool_found", 100)]
    assert again.topics == {TOPIC}
    assert again.holds(b"a")
    assert again.filled.is_set()
    assert await values(again) == numbered(100)
    await again.close()


async def test_its_state_is_told_by_metrics_and_in_words(opened: Spool) -> None:
    opened._epoch -= 100
    await put(opened, b"1", b"2")
    opened._epoch += 100
    assert metric("moderato_spool_entries") == 2
    assert metric("moderato_spool_bytes") == opened._state.bytes > 0
    assert 100 <= metric("moderato_spool_oldest_age_seconds") < 110
    assert str(opened).startswith("2 callbacks wait in the spool (0.0 MiB, the oldest for 10")
    await opened.close()
    assert metric("moderato_spool_entries") == metric("moderato_spool_oldest_age_seconds") == 0


async def test_an_age_does_not_follow_a_jump_of_the_clock(
    opened: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(opened, b"1")
    monkeypatch.setattr(time, "time", lambda: 9e9)
    assert opened.oldest_age() < 60
    assert opened.refusal() is None


async def test_what_waits_is_committed_before_it_closes(opened: Spool, tmp_path: Path) -> None:
    stored = opened.store(TOPIC, b"k", b"1", [])
    await opened.close()
    assert stored.done()
    assert stored.exception() is None
    with pytest.raises(Retryable, match="has ended"):
        opened.store(TOPIC, b"k", b"2", [])
    again = spool(tmp_path)
    await again.open()
    assert await values(again) == [b"1"]
    await again.close()


async def test_it_does_not_wait_for_a_disk_that_hangs_to_close(
    opened: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CLOSE_DEADLINE", 0.01)
    go = threading.Event()
    append = SpoolFile.append
    monkeypatch.setattr(SpoolFile, "append", lambda file, rows: (go.wait(10), append(file, rows))[1])
    opened.store(TOPIC, b"k", b"1", [])
    with capture_logs() as logs:
        await opened.close()
    assert [entry["event"] for entry in logs] == ["spool_close_timed_out"]
    go.set()


async def test_two_receivers_cannot_share_a_directory(opened: Spool, tmp_path: Path) -> None:
    second = spool(tmp_path)
    with pytest.raises(Fatal, match="another receiver uses it"):
        await second.open()
    await second.close()
    await put(opened, b"1")


# --- Refusing


def refused(logs: list[Any]) -> list[str]:
    return [entry["reason"] for entry in logs if entry["event"] == "spool_refuses"]


async def test_past_its_bytes_it_refuses_and_says_so_once(tmp_path: Path) -> None:
    small = spool(tmp_path, max_bytes=1024**2)
    await small.open()
    stored = 0
    with capture_logs() as logs:
        for _ in range(2000):
            try:
                await small.store(TOPIC, b"k", b"x" * 2000, [])
                stored += 1
            except Retryable:
                continue
        assert 300 < stored < 520
        assert refused(logs) == ["it holds spool.max_bytes, 1,048,576"]
        assert small.trouble() == small.refusal() == "it holds spool.max_bytes, 1,048,576"
        assert metric("moderato_spool_bytes") < 1.1 * 1024**2
        # A little room is not enough, so that it does not say so every second.
        batch = await small.read(10, 1 << 30)
        await small.remove(batch, batch.entries)
        assert small.refusal() is not None
        batch = await small.read(stored // 4, 1 << 30)
        await small.remove(batch, batch.entries)
        await put(small, b"1")
        assert [entry["event"] for entry in logs] == ["spool_refuses", "spool_accepts_again"]
    await small.close()


async def test_past_its_age_it_refuses(tmp_path: Path) -> None:
    small = spool(tmp_path, max_age=60)
    await small.open()
    await put(small, b"1")
    small._epoch += 61
    with pytest.raises(Retryable, match=r"its oldest callback has waited for spool.max_age, 60 s"):
        small.store(TOPIC, b"k", b"2", [])
    batch = await small.read(1, 1)
    await small.remove(batch, batch.entries)
    await put(small, b"3")
    await small.close()


async def test_more_than_the_disk_keeps_up_with_is_refused(
    opened: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING_BYTES", 10_000)
    futures = {opened.store(TOPIC, b"k", b"x" * 3000, []) for _ in range(4)}
    with pytest.raises(Retryable, match="its disk is too slow"):
        opened.store(TOPIC, b"k", b"x", [])
    await asyncio.wait(futures)
    await put(opened, b"1")


async def test_a_disk_that_hangs_is_not_waited_for(opened: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COMMIT_DEADLINE", 0.05)
    go = threading.Event()
    append = SpoolFile.append

    def hanging(file: SpoolFile, rows: Any) -> Any:
        go.wait(10)
        return append(file, rows)

    monkeypatch.setattr(SpoolFile, "append", hanging)
    stored = opened.store(TOPIC, b"k", b"1", [])
    with pytest.raises(Retryable, match=r"did not answer within 0\.05 s"):
        await stored
    with pytest.raises(Retryable, match="its disk does not answer"):
        opened.store(TOPIC, b"k", b"2", [])
    assert opened.trouble() == "its disk does not answer"
    go.set()
    await until(lambda: opened.refusal() is None)
    # It was not acknowledged, and is there after all: a duplicate when the vendor tries again.
    assert opened.holds(b"k")
    assert await values(opened) == [b"1"]


async def test_a_commit_that_fails_is_told_and_tried_again_after_a_while(
    opened: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(file: SpoolFile, rows: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(SpoolFile, "append", failing)
        futures = {opened.store(TOPIC, b"k", b"1", []) for _ in range(5)}
        for future in futures:
            with pytest.raises(Retryable, match="its disk failed: disk I/O error"):
                await future
        for _ in range(20):
            with pytest.raises(Retryable, match="disk I/O error"):
                opened.store(TOPIC, b"k", b"2", [])
        assert refused(logs) == ["its disk failed: disk I/O error"]
        assert not opened.holds(b"k")
    monkeypatch.setattr(module, "_TRY_AGAIN", 0.0)
    assert opened.refusal() is None
    assert opened.trouble() == "its disk failed: disk I/O error"
    await put(opened, b"3")
    assert opened.trouble() is None


async def test_on_a_full_disk_it_keeps_what_it_has_and_drains(
    tmp_path: Path, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TRY_AGAIN", 0.0)
    with small_disk(tmp_path / "disk", monkeypatch) as fill:
        full = spool(tmp_path / "disk")
        await full.open()
        stored: list[bytes] = []
        for number in range(100_000):
            try:
                await put_one(full, value := b"%06d" % number * 500)
                stored.append(value)
            except Retryable:
                break
        assert len(stored) > 500
        fill()
        with pytest.raises(Retryable, match="full"):
            await put_one(full, b"more")
        drain = draining(full, kafka)
        await until(lambda: not full.filled.is_set())
        assert kafka.values == stored
        await put_one(full, b"again")
        await until(lambda: kafka.values[-1] == b"again")
        await drain.stop()
        await full.close()


async def put_one(spool: Spool, value: bytes) -> None:
    await spool.store(TOPIC, b"k", value, [])


# --- Draining


async def test_the_oldest_goes_first_and_nothing_stays(opened: Spool, kafka: FakeKafka) -> None:
    drained = metric("moderato_callbacks_drained_total", source="shumei_audio")
    await put(opened, *numbered(1800))
    drain = draining(opened, kafka)
    await until(lambda: not opened.filled.is_set())
    assert kafka.values == numbered(1800)
    assert kafka.batches == [500, 500, 500, 300]
    assert metric("moderato_callbacks_drained_total", source="shumei_audio") - drained == 1800
    assert not opened.holds(b"k")
    await put(opened, b"next")
    await until(lambda: kafka.values[-1] == b"next")
    await drain.stop()


async def test_records_come_to_kafka_as_they_were(opened: Spool) -> None:
    seen: list[Any] = []

    def publish(*record: Any) -> asyncio.Future[None]:
        seen.append(record)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    headers = [("ce_id", "标识".encode()), ("content-type", b"application/json")]
    await opened.store(TOPIC, b"default/t", b'{"a":"\xff"}', headers)
    drain = Drain(opened, Brokers(publish), {TOPIC})
    await until(lambda: seen)
    await drain.stop()
    assert seen == [(TOPIC, b"default/t", b'{"a":"\xff"}', headers)]


async def test_while_kafka_is_away_one_entry_at_a_time_is_tried(opened: Spool, kafka: FakeKafka) -> None:
    kafka.away = True
    await put(opened, *numbered(600))
    drain = draining(opened, kafka)
    await until(lambda: kafka.attempts > 500 + 20)
    assert kafka.attempts < 600
    kafka.away = False
    await until(lambda: not opened.filled.is_set())
    assert kafka.values == numbered(600)
    assert kafka.batches[:2] == [1, 500]
    await drain.stop()


async def test_what_part_of_the_brokers_take_is_not_sent_again(opened: Spool) -> None:
    """Two partitions, one of them without its leader."""
    taken: list[bytes] = []
    away = True

    def publish(topic: str, key: bytes, value: bytes, headers: Any) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if away and key == b"b":
            future.set_exception(Retryable("no leader"))
        else:
            taken.append(value)
            future.set_result(None)
        return future

    for number in range(100):
        await put(opened, b"%d" % number, key=b"ab"[number % 2 : number % 2 + 1])
    drain = Drain(opened, Brokers(publish), {TOPIC})
    await until(lambda: opened._state.entries == 50)
    away = False
    await until(lambda: not opened.filled.is_set())
    await drain.stop()
    assert taken[:50] == [b"%d" % number for number in range(0, 100, 2)]
    assert taken[50:] == [b"%d" % number for number in range(1, 100, 2)]


async def test_when_too_much_waits_for_kafka_the_rest_is_tried_later(
    opened: Spool, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, room = kafka.publish, 30

    def narrow(*record: Any) -> asyncio.Future[None]:
        nonlocal room
        room -= 1
        if room < 0:
            room = 30
            raise Retryable("64 MiB wait for Kafka already")
        return publish(*record)

    monkeypatch.setattr(kafka, "publish", narrow)
    await put(opened, *numbered(100))
    drain = draining(opened, kafka)
    await until(lambda: not opened.filled.is_set())
    await drain.stop()
    assert kafka.values == numbered(100)


async def test_a_corrupt_entry_is_set_aside_and_the_others_go_on(
    opened: Spool, kafka: FakeKafka, tmp_path: Path
) -> None:
    corrupt = metric("moderato_spool_set_aside_total", reason="corrupt")
    await put(opened, *numbered(10))
    change(opened, "UPDATE entries SET record = x'00' WHERE seq = 3")
    change(opened, "UPDATE entries SET record = substr(record, 1, 40) WHERE seq = 5")
    drain = draining(opened, kafka)
    with capture_logs() as logs:
        await until(lambda: not opened.filled.is_set())
    await drain.stop()
    assert kafka.values == [b"%06d" % number for number in (0, 1, 3, 5, 6, 7, 8, 9)]
    assert metric("moderato_spool_set_aside_total", reason="corrupt") - corrupt == 2
    assert [entry["number"] for entry in logs if entry["event"] == "spooled_callback_set_aside"] == [3, 5]
    await opened.close()
    with sqlite3.connect(tmp_path / "spool.sqlite") as connection:
        rows = connection.execute("SELECT seq, reason FROM set_aside").fetchall()
    assert [number for number, _ in rows] == [3, 5]
    assert all(reason.startswith("corrupt: its ") for _, reason in rows)


async def test_an_entry_for_an_unknown_topic_is_set_aside(opened: Spool, kafka: FakeKafka) -> None:
    await opened.store("moderation.raw.nobody", b"k", b"1", [])
    await put(opened, b"2")
    drain = draining(opened, kafka)
    await until(lambda: not opened.filled.is_set())
    await drain.stop()
    assert kafka.values == [b"2"]


async def test_an_entry_that_kafka_refuses_is_set_aside_and_its_neighbours_are_not(
    opened: Spool, kafka: FakeKafka
) -> None:
    before = metric("moderato_spool_set_aside_total", reason="refused")
    await put(opened, *numbered(20))
    kafka.too_large = lambda value: value == b"%06d" % 7
    drain = draining(opened, kafka)
    await until(lambda: not opened.filled.is_set())
    await drain.stop()
    assert kafka.values == [value for value in numbered(20) if value != b"%06d" % 7]
    assert metric("moderato_spool_set_aside_total", reason="refused") - before == 1


async def test_when_kafka_leaves_while_a_refused_entry_is_looked_for_the_rest_waits(
    opened: Spool, kafka: FakeKafka
) -> None:
    await put(opened, *numbered(20))

    def leaving(value: bytes) -> bool:
        kafka.away = True
        return True

    kafka.too_large = leaving
    drain = draining(opened, kafka)
    await until(lambda: kafka.attempts > 22)
    kafka.too_large, kafka.away = lambda value: False, False
    await until(lambda: not opened.filled.is_set())
    await drain.stop()
    assert kafka.values == numbered(20)


async def test_what_kafka_has_is_not_sent_again_because_the_disk_does_not_forget_it(
    opened: Spool, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(opened, *numbered(10))
    attempts = 0
    remove = SpoolFile.remove

    def failing(file: SpoolFile, *arguments: Any) -> Any:
        nonlocal attempts
        attempts += 1
        if attempts < 5:
            raise sqlite3.OperationalError("database or disk is full")
        return remove(file, *arguments)

    monkeypatch.setattr(SpoolFile, "remove", failing)
    drain = draining(opened, kafka)
    await until(lambda: not opened.filled.is_set())
    await drain.stop()
    assert attempts == 5
    assert kafka.values == numbered(10)


async def test_a_file_that_cannot_be_read_for_a_while_is_tried_again(
    opened: Spool, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(opened, *numbered(10))
    errors: list[Exception] = [sqlite3.OperationalError("disk I/O error"), ValueError("a bug")]
    read = SpoolFile.read

    def failing(file: SpoolFile, *arguments: Any) -> Any:
        if errors:
            raise errors.pop()
        return read(file, *arguments)

    monkeypatch.setattr(SpoolFile, "read", failing)
    drain = draining(opened, kafka)
    with capture_logs() as logs:
        await until(lambda: not opened.filled.is_set())
    await drain.stop()
    assert kafka.values == numbered(10)
    assert "drain_failed" in [entry["event"] for entry in logs]


async def test_damage_found_while_draining_costs_no_more_than_it_hit(
    tmp_path: Path, kafka: FakeKafka
) -> None:
    opened = spool(tmp_path)
    await opened.open()
    await put(opened, *(value * 300 for value in numbered(3000)))
    change(opened, "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA shrink_memory")
    with (tmp_path / "spool.sqlite").open("r+b") as file:
        file.seek(300 * 8192)
        file.write(b"\xff" * 8192)
    drain = draining(opened, kafka)
    await until(lambda: not opened.filled.is_set())
    await put(opened, b"later")
    await until(lambda: kafka.values[-1] == b"later")
    await drain.stop()
    assert not opened.holds(b"k")
    await opened.close()
    assert 2990 <= len(set(kafka.values)) < 3001
    assert (tmp_path / "spool.sqlite.corrupt-1").exists()


async def test_it_stops_between_two_batches(opened: Spool, kafka: FakeKafka) -> None:
    kafka.hold = asyncio.Event()
    await put(opened, *numbered(1200))
    drain = draining(opened, kafka)
    await until(lambda: kafka.attempts == 500)
    stopping = asyncio.create_task(drain.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    kafka.hold.set()
    await stopping
    assert kafka.values == numbered(500)
    assert await values(opened) == numbered(700, 500)


async def test_it_does_not_wait_for_kafka_to_stop(
    opened: Spool, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "_STOP_DEADLINE", 0.01)
    kafka.hold = asyncio.Event()
    await put(opened, b"1")
    drain = draining(opened, kafka)
    await until(lambda: kafka.attempts)
    await drain.stop()
    kafka.hold.set()
    await until(lambda: kafka.taken)
    assert await values(opened) == [b"1"]


def change(spool: Spool, *statements: str) -> None:
    """Changes the file behind the spool's back, in its thread."""

    def run() -> None:
        assert spool._file._connection is not None
        for statement in statements:
            spool._file._connection.execute(statement)

    spool._thread.submit(run).result()


def test_every_reason_for_setting_aside_is_counted_from_the_start(opened: Spool) -> None:
    [family] = metrics.SPOOL_SET_ASIDE.collect()
    assert {sample.labels["reason"] for sample in family.samples} == {"corrupt", "damaged", "refused"}
