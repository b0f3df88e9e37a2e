"""Reads a stretch of topics from its beginning to its end, without a consumer group: nothing is committed.

The end is fixed when the reading begins, so that it comes to one however much is written meanwhile. Times become
offsets by Kafka's own index: a stretch is, in every partition, from the first record at or after one time up to the
first at or after another. Stretches that adjoin in time therefore neither overlap nor leave a record out.
"""

import asyncio
import contextlib
import heapq
import logging
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from moderato.bus.admin import Admin
from moderato.bus.bounded import bounded
from moderato.bus.connection import Connection
from moderato.bus.pieces import pieces
from moderato.bus.record import Record
from moderato.errors import Fatal

_CONNECT_DEADLINE = 5.0  # seconds
_START_DEADLINE = 10.0
_STOP_DEADLINE = 5.0
_SILENCE = 30.0  # seconds without a record, where there must be some
_TURN_MS = 200
_PIECE_BYTES = 1024 * 1024  # of values that are handed out at a time
_PIECE_RECORDS = 1000
_FETCH_BYTES = 1024 * 1024  # a partition; the memory that a reading takes is this times the partitions


@dataclass(frozen=True, slots=True)
class Stretch:
    """Offsets of one partition: from `start` up to but not including `end`; `oldest` is the first that Kafka has."""

    start: int
    end: int
    oldest: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)


class History:
    """What is to be read, by partition, and how far it is read."""

    def __init__(self, consumer: AIOKafkaConsumer, stretches: Mapping[TopicPartition, Stretch]) -> None:
        self._consumer = consumer
        self.stretches = dict(stretches)
        self.reached = {partition: stretch.start for partition, stretch in stretches.items()}
        """The next offset of every partition that has not been handed out, or whose batch is still in hand."""

    def __len__(self) -> int:
        """Records in the stretch; fewer may come, where Kafka has deleted some."""
        return sum(map(len, self.stretches.values()))

    async def batches(self, ended: asyncio.Event | None = None) -> AsyncGenerator[list[Record], None]:
        """The records, each partition's in order; ends early when `ended` is set.

        Raises Fatal when Kafka does not give what it has."""
        heard = time.monotonic()
        left = self._open(self.stretches)
        while left and not (ended and ended.is_set()):
            fetched = await self._fetch(left)
            for piece in pieces(fetched, _PIECE_BYTES):
                if records := self._within(piece):
                    yield records
                for partition, batch in piece.items():
                    self.reached[partition] = min(batch[-1].offset + 1, self.stretches[partition].end)
                if ended and ended.is_set():
                    return
            if fetched or await self._moved(left):
                heard = time.monotonic()
                left = self._open(left)
            elif time.monotonic() - heard > _SILENCE:
                raise Fatal(f"Kafka gave nothing for {_SILENCE:.0f} s; read up to {self.place()}")

    async def merged(self, ended: asyncio.Event | None = None) -> AsyncGenerator[list[Record], None]:
        """The records of all partitions in the order of their timestamps, as far as that of each partition allows;
        ends early when `ended` is set. In memory are two fetches a partition.

        Raises Fatal when Kafka does not give what it has."""
        heard = time.monotonic()
        waiting: dict[TopicPartition, deque[Record]] = {partition: deque() for partition in self.stretches}
        while not (ended and ended.is_set()):
            waiting = {partition: waiting[partition] for partition in self._open(waiting)}
            if not waiting:
                return
            # A partition of which nothing is here may have the oldest record: no other goes on before.
            lacking = [partition for partition, records in waiting.items() if not records]
            fetched = await self._fetch(lacking) if lacking else {}
            for partition, batch in fetched.items():
                waiting[partition].extend(self._within({partition: batch}))
                if not waiting[partition]:
                    self.reached[partition] = self.stretches[partition].end
            if fetched or await self._moved([each for each in lacking if not waiting[each]]):
                heard = time.monotonic()
            elif lacking and time.monotonic() - heard > _SILENCE:
                raise Fatal(f"Kafka gave nothing for {_SILENCE:.0f} s; read up to {self.place()}")
            while records := _oldest(waiting):
                yield records
                for record in records:
                    self.reached[TopicPartition(record.topic, record.partition)] = record.offset + 1
                if ended and ended.is_set():
                    return
                heard = time.monotonic()

    async def _fetch(self, left: Sequence[TopicPartition]) -> dict[TopicPartition, list[Record]]:
        try:
            # All that is there: what is left in its buffers keeps the consumer from fetching more.
            fetched: dict[TopicPartition, list[Record]] = await self._consumer.getmany(
                *left, timeout_ms=_TURN_MS
            )
        except KafkaError as error:
            raise Fatal(f"Kafka does not give its records: {error}; read up to {self.place()}") from error
        return fetched

    def _within(self, piece: Mapping[TopicPartition, Sequence[Record]]) -> list[Record]:
        return [
            record
            for partition, batch in piece.items()
            for record in batch
            if record.offset < self.stretches[partition].end
        ]

    def only(self, partition: TopicPartition, offset: int) -> None:
        """Reads nothing but the record at one offset (or, where Kafka has deleted that, nothing)."""
        self.stretches = {partition: Stretch(offset, offset + 1, self.stretches[partition].oldest)}
        self.reached = {partition: offset}
        self._consumer.seek(partition, offset)

    def newest(self, partitions: Iterable[TopicPartition], most: int) -> None:
        """Reads nothing but these partitions, of each at most so many offsets before its end."""
        self.stretches = {
            partition: replace(stretch, start=max(stretch.start, stretch.end - most))
            for partition in partitions
            for stretch in [self.stretches[partition]]
        }
        for partition, stretch in self.stretches.items():
            self.reached[partition] = stretch.start
            self._consumer.seek(partition, stretch.start)

    def before(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Reads nothing but these partitions, each up to an offset."""
        self.stretches = {
            partition: replace(self.stretches[partition], end=offset) for partition, offset in offsets.items()
        }

    def place(self) -> str:
        """Where the reading stands, for people: of every partition that has something to read."""
        return ", ".join(
            f"{partition.topic} partition {partition.partition} offset {self.reached[partition]}"
            + (" (all)" if self.reached[partition] >= stretch.end else f" of {stretch.end}")
            for partition, stretch in self.stretches.items()
            if stretch
        )

    def _open(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        left = [
            partition for partition in partitions if self.reached[partition] < self.stretches[partition].end
        ]
        if done := set(self._consumer.assignment()) - set(left) - self._consumer.paused():
            self._consumer.pause(*done)
        return left

    async def _moved(self, partitions: Iterable[TopicPartition]) -> bool:
        """Passes over offsets that hold no record (any more): the end of a stretch may be such a one."""
        moved = False
        for partition in partitions:
            position = await self._consumer.position(partition)
            if position > self.reached[partition]:
                self.reached[partition], moved = position, True
        return moved


def _oldest(waiting: Mapping[TopicPartition, deque[Record]]) -> list[Record]:
    """Takes out what comes next of all partitions, a piece at most; nothing while one of them is empty."""
    if not all(waiting.values()):
        return []
    heap = [(records[0].timestamp, place, records) for place, records in enumerate(waiting.values())]
    heapq.heapify(heap)
    taken: list[Record] = []
    while heap and len(taken) < _PIECE_RECORDS:
        _, place, records = heap[0]
        taken.append(records.popleft())
        if not records:
            break
        heapq.heapreplace(heap, (records[0].timestamp, place, records))
    return taken


@contextlib.asynccontextmanager
async def history(
    connection: Connection,
    topics: Iterable[str],
    *,
    since: float = -math.inf,
    until: float = math.inf,
    service: bool = False,
) -> AsyncIterator[History]:
    """Opens the records of `topics` from `since` up to `until`, epoch seconds; infinite: all there is. `service`: who
    reads is no command: the log stays as it is, and brokers that cannot look up times give all that they have.

    Raises Fatal when the brokers or a topic cannot be had."""
    if since >= until:
        raise Fatal("the range is empty: --from must be before --to")
    partitions = await _partitions(connection, topics)
    if not service:
        # What aiokafka has to say about a broker that is not there would stand between the lines of a command.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    consumer = AIOKafkaConsumer(
        **connection.for_aiokafka(),
        enable_auto_commit=False,
        # What is deleted while it is being read is passed over.
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_wait_ms=connection.fetch_wait_ms,
    )
    try:
        try:
            async with asyncio.timeout(_START_DEADLINE):
                await consumer.start()
                consumer.assign(partitions)
                stretches = await _stretches(consumer, partitions, since, until, coarse=service)
                for partition, stretch in stretches.items():
                    consumer.seek(partition, stretch.start)
        except (TimeoutError, KafkaError, OSError) as error:
            raise Fatal(f"kafka.bootstrap {connection.bootstrap}: {str(error) or 'no answer'}") from error
        yield History(consumer, stretches)
    finally:
        with contextlib.suppress(TimeoutError):
            await bounded(consumer.stop(), _STOP_DEADLINE)


async def _partitions(connection: Connection, topics: Iterable[str]) -> list[TopicPartition]:
    # Metadata of all topics at once, since asking for one may make it. librdkafka tells better why nobody answers, too.
    cluster = await asyncio.to_thread(lambda: Admin(connection, deadline=_CONNECT_DEADLINE).cluster())
    found: list[TopicPartition] = []
    for topic in topics:
        count = cluster.partitions.get(topic, 0)
        if not count:
            raise Fatal(
                f"{topic}: no such topic at {connection.bootstrap}; it is made by: moderato topics create"
            )
        found += [TopicPartition(topic, number) for number in range(count)]
    return found


async def _stretches(
    consumer: AIOKafkaConsumer,
    partitions: list[TopicPartition],
    since: float,
    until: float,
    *,
    coarse: bool,
) -> dict[TopicPartition, Stretch]:
    oldest: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    starts = await offsets_at(consumer, since, oldest, ends, coarse=coarse) if since > -math.inf else oldest
    stops = await offsets_at(consumer, until, oldest, ends) if until < math.inf else ends
    return {
        partition: Stretch(max(starts[partition], oldest[partition]), stops[partition], oldest[partition])
        for partition in partitions
    }


async def offsets_at(
    consumer: AIOKafkaConsumer,
    moment: float,
    oldest: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    *,
    coarse: bool = False,
) -> dict[TopicPartition, int]:
    """The first offset at or after `moment` in every partition, or its end. `coarse`: the oldest where the brokers
    cannot look up times."""
    if moment == math.inf:
        return dict(ends)
    milliseconds = max(0, math.ceil(moment * 1000))
    found = await consumer.offsets_for_times(dict.fromkeys(ends, milliseconds))
    unknown = [
        partition for partition in ends if not found[partition] and oldest[partition] < ends[partition]
    ]
    if unknown and not any((await consumer.offsets_for_times(dict.fromkeys(unknown, 0))).values()):
        if coarse:
            return dict(oldest)
        raise Fatal(
            "these brokers cannot look up times, as the embedded broker cannot: give --from beginning --to now"
        )
    return {
        partition: found[partition].offset if found[partition] else end for partition, end in ends.items()
    }
