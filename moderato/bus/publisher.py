"""Publishing with acks=all, in batches that we build ourselves.

aiokafka's `send()` costs a future, a batch look-up and a pure-Python murmur2 a record. Here what arrives while a batch
is on its way forms the next one, and everything in a batch waits on one future. Keys are placed by CRC-32, as
librdkafka's default partitioner places them.

The producer is not idempotent on purpose: aiokafka's idempotent producer never expires a batch, so that it hangs
while the brokers are away. Ids are deterministic, so a batch that was sent twice makes recognisable duplicates.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from moderato.bus.bounded import bounded
from moderato.bus.connection import Connection
from moderato.bus.refusal import lacking, unreachable
from moderato.codec import Headers
from moderato.errors import Poison, Retryable, Unserved

log = structlog.get_logger(__name__)

_MAX_BATCH_BYTES = (
    900_000  # below the broker's default limit of 1 MiB a request; a single larger record goes alone
)
_MAX_PENDING_BYTES = 64 * 1024 * 1024
_CONNECT_DEADLINE = 10.0  # seconds
_RENEWAL = (
    15.0  # seconds in which a partition takes nothing, however often it is tried: the producer is replaced
)
_ROUNDS = 2  # one on the wire, one being built


class Message(NamedTuple):
    """One record to publish. The key decides the partition."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


class _Shared(asyncio.Future[None]):
    """A future of many waiters: cancelling one of them does not end it for the others. That one is cancelled when the
    future ends, at the latest at the deadline; a future of its own for every record would cost more."""

    def cancel(self, msg: object = None) -> bool:
        return False


class _Lane:
    """What waits for one partition, the future on which all of it waits, and when that ends at the latest."""

    __slots__ = ("acknowledged", "expires", "messages")

    def __init__(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        self.messages: list[Message] = []
        self.expires = loop.time() + deadline
        self.acknowledged = _Shared(loop=loop)
        # A waiter that went away (its client hung up) leaves nobody to take the error.
        self.acknowledged.add_done_callback(_retrieved)


def _retrieved(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()


class Publisher:
    """One Kafka producer. `deadline`: the seconds a record may take from `publish` to its acknowledgement."""

    def __init__(self, connection: Connection, *, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._producer: AIOKafkaProducer | None = None
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._partitions: dict[str, int] = {}
        self._pending_bytes = 0
        self._rounds: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._rebuilding: asyncio.Task[None] | None = None
        self._failing: dict[tuple[str, int], float] = {}
        """Since when partitions have taken nothing, by the loop's clock."""

    async def start(self, topics: Iterable[str], *, patience: float = 30.0) -> None:
        """Connects and learns the partitions of `topics`. Raises Fatal after `patience` s, or when one is missing."""
        self._loop = asyncio.get_running_loop()
        producer = self._make()
        try:
            async with asyncio.timeout(patience):
                await producer.start()
                self._producer = producer
                for topic in topics:
                    self._partitions[topic] = len(await producer.partitions_for(topic))
        except UnknownTopicOrPartitionError as error:
            await producer.stop()
            raise Unserved(
                f"{topic}: no such topic at {self._connection.bootstrap}; it is made by: moderato topics create"
            ) from error
        except (TimeoutError, KafkaError, OSError) as error:
            await producer.stop()
            raise await unreachable(self._connection, error) from error

    async def stop(self) -> None:
        """Waits for what is on its way, at most one deadline, and disconnects."""
        if self._rebuilding is not None:
            self._rebuilding.cancel()
        self._flush()
        if self._rounds:
            await asyncio.wait(self._rounds, timeout=self._deadline)
        if self._producer is not None:
            try:
                await bounded(self._producer.stop(), self._deadline)
            except TimeoutError:
                log.warning("publisher_stop_timed_out", seconds=self._deadline)

    def publish(self, topic: str, key: bytes, value: bytes | None, headers: Headers) -> asyncio.Future[None]:
        """Queues one record. The future ends when all in-sync replicas have it, or with Retryable or Poison.

        It is shared by all records of the batch, and cannot be cancelled."""
        size = len(key) + (len(value) if value is not None else 0) + 512
        if self._pending_bytes + size > _MAX_PENDING_BYTES:
            raise Retryable(f"{_MAX_PENDING_BYTES >> 20} MiB wait for Kafka already")
        self._pending_bytes += size
        place = (topic, zlib.crc32(key) % self._partitions[topic])
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = _Lane(self._loop, self._deadline)
        lane.messages.append(Message(topic, key, value, headers))
        if not self._scheduled and len(self._rounds) < _ROUNDS:
            self._scheduled = True
            self._loop.call_soon(self._flush)
        return lane.acknowledged

    async def publish_all(self, messages: Sequence[Message]) -> None:
        """Publishes a batch of records and waits for all of them. Raises Retryable or Poison when any was not taken."""
        expires = self._loop.time() + self._deadline
        lanes: dict[tuple[str, int], list[Message]] = {}
        for message in messages:
            place = (message.topic, zlib.crc32(message.key) % self._partitions[message.topic])
            lane = lanes.get(place)
            if lane is None:
                lane = lanes[place] = []
            lane.append(message)
        ends = await asyncio.gather(
            *(self._deliver(place, lane, expires) for place, lane in lanes.items()), return_exceptions=True
        )
        for end in ends:
            if end is not None:
                raise end

    def _make(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._connection.for_aiokafka(), acks="all", max_batch_size=_MAX_BATCH_BYTES, linger_ms=0
        )

    def _rebuild(self) -> None:
        if self._rebuilding is None or self._rebuilding.done():
            self._rebuilding = self._loop.create_task(self._replace())

    def _failed(self, place: tuple[str, int]) -> None:
        """aiokafka's producer can be stuck for a partition, or for a broker, while Kafka has long been back."""
        now = self._loop.time()
        if now - self._failing.setdefault(place, now) > _RENEWAL:
            self._failing.clear()
            self._rebuild()

    async def _replace(self) -> None:
        """Tries once to put another producer in the place of one that has ended; whoever publishes next asks again."""
        old, new = self._producer, self._make()
        try:
            await bounded(new.start(), _CONNECT_DEADLINE)
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("producer_not_replaced", error=str(error) or "no answer")
            await _dispose(new)
            return
        self._producer = new
        log.warning("producer_replaced")
        if old is not None:
            await _dispose(old)

    def _flush(self) -> None:
        self._scheduled = False
        if not self._lanes or len(self._rounds) >= _ROUNDS:
            return
        lanes, self._lanes = self._lanes, {}
        self._pending_bytes = 0
        task = self._loop.create_task(self._round(lanes))
        self._rounds.add(task)
        task.add_done_callback(self._round_done)

    def _round_done(self, task: asyncio.Task[None]) -> None:
        self._rounds.discard(task)
        self._flush()

    async def _round(self, lanes: dict[tuple[str, int], _Lane]) -> None:
        if len(lanes) == 1:
            [(place, lane)] = lanes.items()
            await self._settle(place, lane)
        else:
            await asyncio.gather(*(self._settle(place, lane) for place, lane in lanes.items()))

    async def _settle(self, place: tuple[str, int], lane: _Lane) -> None:
        try:
            await self._deliver(place, lane.messages, lane.expires)
        except (Retryable, Poison) as error:
            lane.acknowledged.set_exception(error)
        else:
            lane.acknowledged.set_result(None)

    async def _deliver(self, place: tuple[str, int], messages: Sequence[Message], expires: float) -> None:
        topic, partition = place
        producer = self._producer
        assert producer is not None
        if _is_dead(producer):
            self._rebuild()
            raise Retryable("Kafka's producer has ended; a new one is being made")
        try:
            async with asyncio.timeout_at(expires):
                waiting = []
                batch = producer.create_batch()
                for message in messages:
                    added = batch.append(
                        key=message.key, value=message.value, timestamp=None, headers=message.headers
                    )
                    if added is None:
                        waiting.append(await producer.send_batch(batch, topic, partition=partition))
                        batch = producer.create_batch()
                        batch.append(
                            key=message.key, value=message.value, timestamp=None, headers=message.headers
                        )
                waiting.append(await producer.send_batch(batch, topic, partition=partition))
                for acknowledgement in waiting:
                    await acknowledgement
            self._failing.pop(place, None)
        except TimeoutError:
            self._failed(place)
            raise Retryable(f"Kafka did not acknowledge within {self._deadline} s") from None
        except MessageSizeTooLargeError as error:
            raise Poison(f"{topic}: a record is larger than the topic's max.message.bytes") from error
        except KafkaError as error:
            self._failed(place)
            raise Retryable(
                f"Kafka refused the batch: {lacking(self._connection, error) or error}"
            ) from error


def _is_dead(producer: AIOKafkaProducer) -> bool:
    """Whether the task that sends has ended, on an error that aiokafka did not foresee; it does not begin again."""
    sender: asyncio.Task[None] | None = producer._sender.sender_task
    return sender is not None and sender.done()


async def _dispose(producer: AIOKafkaProducer) -> None:
    """Disconnects a producer that has ended, whose own end may be that error again, or one that is stuck."""
    with contextlib.suppress(Exception):
        await bounded(producer.stop(), _CONNECT_DEADLINE)
        return
    with contextlib.suppress(Exception):
        await bounded(producer.client.close(), _CONNECT_DEADLINE)
