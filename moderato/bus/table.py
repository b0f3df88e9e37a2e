"""A topic read whole and followed, without a consumer group: every process that wants it has all of it in memory.

aiokafka's consumer is known to stop silently. A look at the ends of the partitions therefore finds out whether
something is there and does not come; then the consumer is replaced, and goes on where the old one was.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from moderato.bus.bounded import bounded
from moderato.bus.connection import Connection
from moderato.bus.history import offsets_at
from moderato.bus.record import Record
from moderato.bus.refusal import unreachable
from moderato.errors import Fatal, Unserved

log = structlog.get_logger(__name__)

_TURN_MS = 200
_DEADLINE = 10.0  # seconds for one exchange with the brokers
_STALL = 15.0  # seconds behind the end with nothing coming
_LOOK = 5.0  # seconds between two looks at the ends
_RETRY = 1.0


class Table:
    """`apply` is given every record of `topics` in the order of its partition, and must not raise. `since`, epoch
    seconds: none that was written before; infinite: only what is written from the start on."""

    def __init__(
        self,
        connection: Connection,
        topics: Iterable[str],
        apply: Callable[[Record], None],
        *,
        since: float = -math.inf,
    ) -> None:
        self._connection = connection
        self.topics = tuple(topics)
        self._apply = apply
        self._since = since
        self._consumer: AIOKafkaConsumer | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._following: asyncio.Task[None] | None = None
        self._moved = asyncio.Condition()
        self._failure: str | None = None

    async def start(self) -> None:
        """Begins to read. Raises Fatal when Kafka or a topic cannot be had."""
        try:
            async with asyncio.timeout(_DEADLINE):
                consumer = await self._open()
                partitions = []
                for topic in self.topics:
                    found = consumer.partitions_for_topic(topic)
                    if not found:
                        raise Unserved(
                            f"{topic}: no such topic at {self._connection.bootstrap}; "
                            "it is made by: moderato topics create"
                        )
                    partitions += [TopicPartition(topic, number) for number in sorted(found)]
                self._positions = dict(await consumer.beginning_offsets(partitions))
                if self._since > -math.inf:
                    ends = await consumer.end_offsets(partitions)
                    self._positions = await offsets_at(
                        consumer, self._since, self._positions, ends, coarse=True
                    )
                self._seek(consumer)
        except (TimeoutError, KafkaError, OSError) as error:
            await self._close()
            raise await unreachable(self._connection, error) from error
        except Fatal:
            await self._close()
            raise
        self._following = asyncio.create_task(self._follow(), name=f"table {self.topics[0]}")

    async def stop(self) -> None:
        """Disconnects."""
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._close()

    async def caught_up(self, partitions: Iterable[int] | None = None) -> None:
        """Waits until all that was written up to now to these partitions (None: to all) is applied."""
        wanted = None if partitions is None else set(partitions)
        chosen = [place for place in self._positions if wanted is None or place.partition in wanted]
        ends = await self._ends(chosen)
        async with self._moved:
            await self._moved.wait_for(
                lambda: all(self._positions[place] >= end for place, end in ends.items())
            )

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        return sum(place.topic == topic for place in self._positions)

    def unready(self) -> str | None:
        """Why the table is not kept up now."""
        return self._failure

    async def _ends(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        while True:
            with contextlib.suppress(TimeoutError, KafkaError, OSError):
                if self._consumer is not None:
                    async with asyncio.timeout(_DEADLINE):
                        return dict(await self._consumer.end_offsets(places))
            await asyncio.sleep(_RETRY)

    async def _open(self) -> AIOKafkaConsumer:
        consumer = self._consumer = AIOKafkaConsumer(
            *self.topics,
            **self._connection.for_aiokafka(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._connection.fetch_wait_ms,
        )
        await consumer.start()
        return consumer

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        consumer.unsubscribe()
        consumer.assign(list(self._positions))
        for place, position in self._positions.items():
            consumer.seek(place, position)

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(Exception):
                await bounded(consumer.stop(), _DEADLINE)

    async def _follow(self) -> None:
        looked = moved = time.monotonic()
        while True:
            try:
                if self._consumer is None:
                    self._seek(await bounded(self._open(), _DEADLINE))
                    moved = time.monotonic()
                if await self._turn():
                    moved = time.monotonic()
                if time.monotonic() - looked > _LOOK:
                    looked = time.monotonic()
                    if await self._behind() and looked - moved > _STALL:
                        raise KafkaError("it has stalled")
                    self._failure = None
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # Whatever aiokafka did not foresee, too: another consumer has none of that.
                self._failure = f"{self.topics[0]} is not followed: {str(error) or 'no answer'}"
                log.warning("table_replaced", topic=self.topics[0], error=str(error) or type(error).__name__)
                await self._close()
                await asyncio.sleep(_RETRY)

    async def _turn(self) -> bool:
        consumer = self._consumer
        assert consumer is not None
        fetched: dict[TopicPartition, list[Record]] = await consumer.getmany(timeout_ms=_TURN_MS)
        for place, records in fetched.items():
            for record in records:
                self._apply(record)
            self._positions[place] = records[-1].offset + 1
        # The last offsets of a partition may hold no record any more.
        before = dict(self._positions)
        for place in self._positions:
            self._positions[place] = max(self._positions[place], await consumer.position(place))
        if fetched or before != self._positions:
            async with self._moved:
                self._moved.notify_all()
            return True
        return False

    async def _behind(self) -> bool:
        consumer = self._consumer
        assert consumer is not None
        async with asyncio.timeout(_DEADLINE):
            ends = await consumer.end_offsets(list(self._positions))
        return any(self._positions[place] < end for place, end in ends.items())
