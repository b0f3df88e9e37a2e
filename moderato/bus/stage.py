"""A stage: consumes topics in batches, turns each batch into messages, and commits when those are acknowledged.

While the results of one batch are on their way, the next is being made. Offsets are committed after the
acknowledgements, only for partitions that are still assigned. A rebalance waits, within a budget, until what is in
hand is settled.
"""

import asyncio
import collections
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from moderato import metrics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.errors import Fatal, Retryable

log = structlog.get_logger(__name__)

_FETCH_WAIT_MS = 200
_BATCH_RECORDS = 1000
_FETCH_BYTES = 1024 * 1024  # a partition
_RETRY_WAITS = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds; the last one repeats
_COMMIT_DEADLINE = 5.0
_DRAIN_BUDGET = 10.0
_SESSION_TIMEOUT_MS = 15_000
_REBALANCE_TIMEOUT_MS = 20_000  # the group waits so long for a member that drains
_JOIN_TIMEOUT_MS = 25_000  # the answer to a join comes when all members have joined: later than the above
_STALL = 60.0  # seconds with records in hand and nothing settled: the process is stuck


@dataclass(slots=True)
class Results:
    """What one batch of records gave: messages to publish, and how many records met which fate."""

    messages: list[Message] = field(default_factory=list)
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    done: int = 0
    ignored: int = 0
    dead_lettered: int = 0
    count: Callable[[], None] | None = None
    """Business metrics of the batch, counted once its messages are acknowledged."""

    def emit(self, kind: str, message: Message) -> None:
        """Adds a message of a kind (verdict, signal, action, outcome, dead_letter)."""
        self.messages.append(message)
        self.kinds[kind] += 1


Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
Handler = Callable[[Sequence[Record]], Awaitable[Results]]


@dataclass(slots=True)
class _Settlement:
    """A batch on its way: the task that publishes it, and the offsets to commit after that."""

    published: asyncio.Task[None]
    offsets: dict[TopicPartition, int]
    records: int
    results: Results


class Stage:
    """A role that consumes and produces; its consumer group is `moderato.<name>`. `deadline` in seconds a batch;
    `batch` is the most records that `handle` is given at once."""

    def __init__(
        self,
        name: str,
        connection: Connection,
        *,
        consumes: Sequence[str],
        produces: Iterable[str],
        handle: Handler,
        deadline: float = 10.0,
        batch: int = _BATCH_RECORDS,
    ) -> None:
        self.name = name
        self._connection = connection
        self._consumes = tuple(consumes)
        self._produces = tuple(produces)
        self._handle = handle
        self._batch = batch
        self._publisher = Publisher(connection, deadline=deadline)
        self._consumer: AIOKafkaConsumer | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        # Held while a batch is handled and settled; a rebalance takes it to get between two batches. Not held while
        # fetching: aiokafka's getmany() waits for the end of a rebalance, which waits for this.
        self._gate = asyncio.Lock()
        self._generation = 0
        self._settlements: collections.deque[_Settlement] = collections.deque()
        self._lags: dict[TopicPartition, int] = {}
        self._progress = time.monotonic()
        self._failure: str | None = None

    async def start(self) -> None:
        """Connects, joins the group and begins to work. Raises Fatal when Kafka or a topic cannot be had."""
        await self._publisher.start(self._produces)
        self._consumer = AIOKafkaConsumer(
            **self._connection.for_aiokafka() | {"request_timeout_ms": _JOIN_TIMEOUT_MS},
            group_id=f"moderato.{self.name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=self._connection.fetch_wait_ms,
            session_timeout_ms=_SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=_SESSION_TIMEOUT_MS // 5,
            rebalance_timeout_ms=_REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=300_000,
        )
        try:
            async with asyncio.timeout(30.0):
                await self._consumer.start()
        except (TimeoutError, KafkaError, OSError) as error:
            raise Fatal(f"kafka.bootstrap {self._connection.bootstrap}: {str(error) or 'no answer'}") from error
        self._consumer.subscribe(self._consumes, listener=_Listener(self))
        self._loop_task = asyncio.create_task(self._run(), name=f"stage {self.name}")

    def unready(self) -> str | None:
        """Not ready while the loop has failed; a stage without partitions is ready, it may get some."""
        return self._failure

    def stuck(self) -> str | None:
        """Stuck when the loop has ended on an error, or when records are in hand and none was settled for a minute."""
        if self._failure:
            return self._failure
        if self._settlements and time.monotonic() - self._progress > _STALL:
            return f"nothing settled for {_STALL:.0f} s with records in hand"
        return None

    async def stop(self) -> None:
        """Finishes the batch in hand, commits it, leaves the group, disconnects."""
        self._stopping.set()
        if self._loop_task:
            await asyncio.wait([self._loop_task], timeout=_DRAIN_BUDGET)
            self._loop_task.cancel()
        for settlement in self._settlements:
            settlement.published.cancel()
        try:
            if self._consumer:
                async with asyncio.timeout(_COMMIT_DEADLINE):
                    await self._consumer.stop()
        finally:
            await self._publisher.stop()

    async def settled(self) -> None:
        """Waits until everything in hand is acknowledged and committed; what was fetched and not begun is dropped."""
        self._generation += 1
        async with self._gate:
            await self._settle(keep=0)

    async def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                await self._turn()
            await self._settle(keep=0)
        except Exception as error:
            self._failure = f"the stage has stopped: {error}"
            log.exception("stage_failed", stage=self.name)

    async def _turn(self) -> None:
        assert self._consumer is not None
        fetched = await self._consumer.getmany(
            timeout_ms=0 if self._settlements else _FETCH_WAIT_MS, max_records=self._batch
        )
        generation = self._generation
        async with self._gate:
            # After a rebalance the consumer begins again at the committed offsets: these records come again.
            if fetched and generation == self._generation:
                await self._begin(fetched)
            await self._settle(keep=1 if fetched else 0)

    async def _begin(self, fetched: dict[TopicPartition, list[Record]]) -> None:
        """Handles a batch and starts to publish what it gave."""
        records = [record for batch in fetched.values() for record in batch]
        positions = {partition: batch[-1].offset + 1 for partition, batch in fetched.items()}
        results = await self._handle(records)
        published = asyncio.create_task(self._publish(results.messages))
        self._settlements.append(_Settlement(published, positions, len(records), results))
        self._measure_lag(positions)

    async def _publish(self, messages: Sequence[Message]) -> None:
        """Tries until Kafka takes the whole batch: an offset may not pass over what was not written."""
        attempt = 0
        while messages:
            try:
                await self._publisher.publish_all(messages)
            except Retryable as error:
                wait = _RETRY_WAITS[min(attempt, len(_RETRY_WAITS) - 1)]
                metrics.STAGE_RETRIES.labels(self.name).inc()
                log.warning("publish_retried", stage=self.name, error=str(error), wait=wait)
                attempt += 1
                await asyncio.sleep(wait)
            else:
                return

    async def _settle(self, keep: int) -> None:
        """Waits for the oldest batches until `keep` are left, commits what was acknowledged, and counts it."""
        while len(self._settlements) > keep:
            settlement = self._settlements[0]
            await settlement.published
            self._settlements.popleft()
            await self._commit(settlement.offsets)
            self._progress = time.monotonic()
            self._count(settlement)

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        assert self._consumer is not None
        owned = self._consumer.assignment()
        offsets = {partition: offset for partition, offset in offsets.items() if partition in owned}
        if not offsets:
            return
        try:
            async with asyncio.timeout(_COMMIT_DEADLINE):
                await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            # Another member owns the partitions now and will do this batch again: duplicates with the same ids.
            log.warning("commit_dropped", stage=self.name, error=str(error))
        except (TimeoutError, KafkaError) as error:
            # A later commit covers this one.
            log.warning("commit_failed", stage=self.name, error=str(error) or "no answer")

    def _count(self, settlement: _Settlement) -> None:
        results = settlement.results
        metrics.STAGE_CONSUMED.labels(self.name).inc(settlement.records)
        metrics.STAGE_DONE.labels(self.name).inc(results.done)
        metrics.STAGE_IGNORED.labels(self.name).inc(results.ignored)
        metrics.STAGE_DEAD_LETTERED.labels(self.name).inc(results.dead_lettered)
        for kind, number in results.kinds.items():
            metrics.STAGE_PRODUCED.labels(self.name, kind).inc(number)
        if results.count:
            results.count()

    def _measure_lag(self, positions: dict[TopicPartition, int]) -> None:
        assert self._consumer is not None
        assigned = self._consumer.assignment()
        self._lags = {partition: lag for partition, lag in self._lags.items() if partition in assigned}
        for partition, position in positions.items():
            end = self._consumer.highwater(partition)
            self._lags[partition] = max(0, end - position) if end is not None else 0
        metrics.STAGE_LAG.labels(self.name).set(sum(self._lags.values()))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Settles what is in hand before partitions go to another member."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        try:
            async with asyncio.timeout(_DRAIN_BUDGET):
                await self._stage.settled()
        except TimeoutError:
            log.warning("drain_timed_out", stage=self._stage.name, seconds=_DRAIN_BUDGET)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        metrics.REBALANCES.labels(self._stage.name).inc()
        log.info("partitions_assigned", stage=self._stage.name, partitions=len(list(assigned)))
