"""A stage: consumes topics in batches, turns each batch into messages, and commits when those are acknowledged.

While the results of one batch are on their way, the next is being made. Offsets are committed after the
acknowledgements, only for partitions that are still assigned. A rebalance waits, within a budget, until what is in
hand is settled; what is not by then is given up, and comes again to whoever has the partition.

Memory is bounded without pausing partitions: aiokafka asks a broker for more only when what it brought last is taken,
so that it holds one answer a broker, and a fetch is worked off in pieces, of which two are in hand at once. Heartbeats
go on meanwhile in a task of aiokafka's.

aiokafka's consumer is known to stop silently, most often after all brokers were away. A watch therefore compares
positions with the ends of the partitions; when the brokers answer and nothing comes, the consumer is replaced.
"""

import asyncio
import collections
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    BrokerResponseError,
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    kafka_errors,
)

from moderato import metrics, tracing
from moderato.bus.bounded import bounded
from moderato.bus.connection import Connection
from moderato.bus.limits import DeadLetterLimit
from moderato.bus.pieces import pieces
from moderato.bus.progress import Progress, stacks
from moderato.bus.publisher import Message, Publisher
from moderato.bus.record import Record
from moderato.bus.refusal import answers, lacking, unreachable
from moderato.dead_letters import last_reason
from moderato.errors import Fatal, Retryable
from moderato.settings import DeadLetters

log = structlog.get_logger(__name__)

_FETCH_WAIT_MS = 200
_BATCH_RECORDS = 1000
_FETCH_BYTES = 1024 * 1024  # a partition
_ANSWER_BYTES = 16 * 1024 * 1024  # a broker's answer to one fetch
_PIECE_BYTES = 4 * 1024 * 1024  # values handled at once
_FETCH_DEADLINE = 5.0  # seconds; a fetch waits for the end of a rebalance
_RETRY_WAITS = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds; the last one repeats
_COMMIT_DEADLINE = 5.0
_DRAIN_BUDGET = 10.0
_SESSION_TIMEOUT_MS = 15_000
_REBALANCE_TIMEOUT_MS = 20_000  # the group waits so long for a member that drains
_JOIN_TIMEOUT_MS = 25_000  # the answer to a join comes when all members have joined: later than the above
# A stage may wait for Kafka for as long as it takes: it is no reason to leave the group. A stage that hangs is noticed
# by `stuck`.
_MAX_POLL_INTERVAL_MS = 24 * 3600 * 1000
_STALL = 60.0  # seconds with work due and nothing settled, while the brokers answer: the process is stuck
_LAG_PERIOD = 15.0  # seconds between two looks at the ends of the partitions
_LAG_PERIOD_DUE = 5.0  # the same while there is a lag, or the brokers do not answer
_LAG_DEADLINE = 5.0
_RENEWAL = 15.0  # seconds with a lag, nothing in hand and nothing fetched: the consumer is replaced
_CONNECT_DEADLINE = 10.0
_CUTS = 10  # half a second each; a task may take a cancellation for that of another
_JOINING = (
    30.0  # seconds without an answer to a join, with brokers that answer: longer than the group's own waits
)


class FencedInstanceIdError(BrokerResponseError):  # type: ignore[misc] # aiokafka is untyped
    """Another process has joined the group under this one's name. Kafka has this code and aiokafka has not."""

    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "Another process has joined the group under this name"


kafka_errors.setdefault(FencedInstanceIdError.errno, FencedInstanceIdError)


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


Handler = Callable[[Sequence[Record]], Awaitable[Results]]


@dataclass(slots=True)
class _Settlement:
    """A batch on its way: the task that publishes it, and the offsets to commit after that."""

    published: asyncio.Task[None]
    offsets: dict[TopicPartition, int]
    epoch: int
    records: int
    results: Results


class Owner(Protocol):
    """Somebody for whom owning a partition means more than its records."""

    async def released(self) -> None:
        """No partition is owned any more. Called before another member gets them, and may be called again."""

    def acquired(self, partitions: Collection[int]) -> None:
        """These are owned now, and no others. Their records are handed over after this."""


def group_of(stage: str) -> str:
    """The consumer group of a stage."""
    return f"moderato.{stage}"


class Stage:
    """A role that consumes and produces; its consumer group is `moderato.<name>`. `deadline` in seconds a batch;
    `batch` is the most records that `handle` is given at once. A process that dies is missed after
    `session_timeout_ms`. Past `limits` the stage halts: see bus/limits.py."""

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
        limits: DeadLetters = DeadLetters(),  # noqa: B008 - frozen
        owner: Owner | None = None,
        session_timeout_ms: int | None = None,
    ) -> None:
        self.name = name
        self._connection = connection
        self._consumes = tuple(consumes)
        self._produces = tuple(produces)
        self._handle = handle
        self._batch = batch
        self.owner = owner
        self._session_timeout_ms = session_timeout_ms or _SESSION_TIMEOUT_MS
        self._limit = DeadLetterLimit(limits)
        self._publisher = Publisher(connection, deadline=deadline)
        self._consumer: AIOKafkaConsumer | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        # Held while a batch is handled and settled; a rebalance takes it to get between two batches. Not held while
        # fetching: aiokafka's getmany() waits for the end of a rebalance, which waits for this.
        self._gate = asyncio.Lock()
        self._joined = False  # the group has said which partitions are this member's, if only none
        self._generation = 0  # one more: what is fetched and not begun comes again
        self._epoch = 0  # one more: offsets of before may not be committed any more
        self._settlements: collections.deque[_Settlement] = collections.deque()
        self._uncommitted: dict[TopicPartition, int] = {}
        self._lags: dict[TopicPartition, int] = {}
        self._progress = Progress()
        self._watch_task: asyncio.Task[None] | None = None
        self._stalled = False
        self._dumped = False
        self._failure: str | None = None
        self._halt: str | None = None

    async def start(self) -> None:
        """Connects, joins the group and begins to work. Raises Fatal when Kafka or a topic cannot be had."""
        metrics.STAGE_HALTED.labels(self.name).set(0)
        metrics.STAGE_RETRIES.labels(self.name)
        # A topic to consume that is not there, or that we may not see, would else only be waited for.
        await self._publisher.start([*self._produces, *self._consumes])
        try:
            async with asyncio.timeout(30.0):
                await self._join()
        except (TimeoutError, KafkaError, OSError) as error:
            raise await unreachable(self._connection, error) from error
        self._loop_task = asyncio.create_task(self._run(), name=f"stage {self.name}")
        self._watch_task = asyncio.create_task(self._watch(), name=f"watch of stage {self.name}")

    async def _join(self) -> None:
        """Makes a consumer and joins the group."""
        self._joined = False
        settings = self._connection.settings
        consumer = self._consumer = AIOKafkaConsumer(
            **self._connection.for_aiokafka() | {"request_timeout_ms": _JOIN_TIMEOUT_MS},
            group_id=group_of(self.name),
            group_instance_id=socket.gethostname() if settings.static_membership else None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_bytes=_ANSWER_BYTES,
            fetch_max_wait_ms=self._connection.fetch_wait_ms,
            session_timeout_ms=self._session_timeout_ms,
            heartbeat_interval_ms=self._session_timeout_ms // 5,
            rebalance_timeout_ms=_REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
        )
        await consumer.start()
        # Asks the group's coordinator: a group that we may not use says so now and not in the log later.
        await consumer.committed(TopicPartition(self._consumes[0], 0))
        consumer.subscribe(self._consumes, listener=_Listener(self))

    def unready(self) -> str | None:
        """Not ready while the loop has failed or halted; a stage without partitions is ready, it may get some."""
        return self._failure or self._halt

    def note(self) -> str | None:
        """Nothing: a stage can work or cannot."""
        return None

    def stuck(self) -> str | None:
        """Stuck when the loop has ended on an error, or when there is work and none was settled for a minute in which
        the brokers answered.

        Not when it has halted: a restart would only begin to count again."""
        if self._failure:
            return self._failure
        if self._halt or self._progress.still() <= _STALL:
            self._dumped = False
            return None
        reason = f"nothing settled for {_STALL:.0f} s with records to be done"
        if not self._dumped:
            self._dumped = True
            log.error("stage_stuck", stage=self.name, reason=reason, stacks=stacks())
        return reason

    async def stop(self) -> None:
        """Finishes the piece in hand, commits it, leaves the group (a static member does not), disconnects."""
        self._stopping.set()
        if self._watch_task:
            self._watch_task.cancel()
        if self._loop_task:
            await asyncio.wait([self._loop_task], timeout=_DRAIN_BUDGET)
            self._loop_task.cancel()
        self.abandon()
        try:
            await self._leave()
        finally:
            await self._publisher.stop()

    async def settled(self) -> None:
        """Waits until everything in hand is acknowledged and committed; what was fetched and not begun is dropped."""
        self._generation += 1
        async with self._gate:
            await self._settle(keep=0)

    def abandon(self) -> None:
        """Gives up what is in hand: it is not committed, so that it comes again."""
        self._generation += 1
        while self._settlements:
            self._settlements.popleft().published.cancel()

    def reassigned(self) -> None:
        """Partitions are assigned anew: what was in hand before is no longer this stage's to commit."""
        self._joined = True
        self._epoch += 1
        self._uncommitted = {}

    def revoked(self) -> None:
        """The partitions are to be assigned anew: until then there may be work, and nobody knows."""
        self._joined = False

    async def _run(self) -> None:
        try:
            while not self._stopping.is_set() and not self._halt:
                await self._recovering_turn()
            await self.settled()
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                self._failure = "the stage has stopped: it was cancelled from within"
                log.exception("stage_failed", stage=self.name, error=self._failure)
            raise
        except Exception as error:
            missing = lacking(self._connection, error)
            self._failure = f"the stage has stopped: {missing or error}"
            log.error("stage_failed", stage=self.name, error=self._failure, exc_info=missing is None)

    async def _recovering_turn(self) -> None:
        """One turn; a consumer that has failed or stalled is replaced."""
        reason = "stalled"
        if not self._stalled:
            try:
                return await self._turn()
            except KafkaError as error:
                if lacking(self._connection, error):
                    raise
                if _is_fenced(error):
                    raise Fatal(
                        f"kafka.static_membership: another process is {socket.gethostname()!r} in this group"
                    ) from error
                reason = str(error)
        log.warning("consumer_replaced", stage=self.name, reason=reason)
        await self._renew()

    async def _renew(self) -> None:
        """Replaces the consumer; tries until the brokers take it, or the stage is to stop."""
        self._generation += 1
        self.reassigned()
        if self.owner is not None:
            await self.owner.released()
        for attempt in range(1_000_000_000):
            await self._leave()
            if self._stopping.is_set():
                return
            try:
                await bounded(self._join(), _CONNECT_DEADLINE)
            except (TimeoutError, KafkaError, OSError) as error:
                if lacking(self._connection, error):
                    raise
                log.warning("consumer_refused", stage=self.name, error=str(error) or "no answer")
                await asyncio.sleep(_RETRY_WAITS[min(attempt, len(_RETRY_WAITS) - 1)])
            else:
                break
        self._stalled = False
        self._progress.made()

    async def _leave(self) -> None:
        """Leaves the group and disconnects, at once when the brokers do not answer."""
        if self._consumer is None:
            return
        consumer, self._consumer = self._consumer, None
        try:
            await bounded(consumer.stop(), _COMMIT_DEADLINE)
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("consumer_stop_failed", stage=self.name, error=str(error) or "no answer")
            await _cut_off(consumer)

    async def _turn(self) -> None:
        fetched = await self._fetch()
        generation = self._generation
        for piece in pieces(fetched, _PIECE_BYTES):
            async with self._gate:
                # After a rebalance the consumer begins again at the committed offsets: these records come again.
                if generation != self._generation or self._stopping.is_set() or self._halt:
                    return
                await self._begin(piece)
                await self._settle(keep=1)
        if not fetched:
            async with self._gate:
                await self._settle(keep=0)
                await self._commit({})

    async def _fetch(self) -> dict[TopicPartition, list[Record]]:
        assert self._consumer is not None
        try:
            fetching = self._consumer.getmany(
                timeout_ms=0 if self._settlements else _FETCH_WAIT_MS, max_records=self._batch
            )
            fetched: dict[TopicPartition, list[Record]] = await bounded(fetching, _FETCH_DEADLINE)
            return fetched
        except TimeoutError:
            return {}
        except KafkaError:
            raise
        except Exception as error:
            # A task of aiokafka's has ended on something that it did not foresee: another consumer has none of that.
            raise KafkaError(f"{type(error).__name__}: {error}") from error

    async def _begin(self, fetched: dict[TopicPartition, Sequence[Record]]) -> None:
        """Handles a piece and starts to publish what it gave."""
        records = [record for batch in fetched.values() for record in batch]
        positions = {partition: batch[-1].offset + 1 for partition, batch in fetched.items()}
        epoch = self._epoch
        self._progress.due(True)
        began = time.time() if tracing.ACTIVE else 0.0
        results = await self._handle(records)
        if tracing.ACTIVE:
            tracing.ACTIVE.processed(self.name, group_of(self.name), records, began, time.time())
        if reason := self._limit.exceeded(len(records), results.dead_lettered):
            # This batch is neither written nor committed; what was begun before it still is.
            last = last_reason(results.messages)
            self._halt = (
                f"halted: {reason}; mend the cause or raise the limit, then restart; the last one: {last}"
            )
            metrics.STAGE_HALTED.labels(self.name).set(1)
            log.error("stage_halted", stage=self.name, reason=reason, last=last)
            return
        published = asyncio.create_task(self._publish(results.messages))
        self._settlements.append(_Settlement(published, positions, epoch, len(records), results))
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
            await asyncio.wait([settlement.published])
            if settlement.published.cancelled():
                if self._settlements and self._settlements[0] is settlement:
                    raise KafkaError("what was being written was cancelled from within")
                continue  # given up
            settlement.published.result()
            self._settlements.popleft()
            if settlement.epoch == self._epoch:
                await self._commit(settlement.offsets)
            self._progress.made()
            self._progress.due(bool(self._settlements) or any(self._lags.values()))
            self._count(settlement)

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commits `offsets` and those for which there was no time before."""
        if self._consumer is None:
            return
        owned = self._consumer.assignment()
        self._uncommitted = {
            partition: offset
            for partition, offset in (self._uncommitted | offsets).items()
            if partition in owned
        }
        if not self._uncommitted:
            return
        try:
            await bounded(self._consumer.commit(self._uncommitted), _COMMIT_DEADLINE)
        except (CommitFailedError, IllegalStateError) as error:
            # Another member owns the partitions now and will do this batch again: duplicates with the same ids.
            log.warning("commit_dropped", stage=self.name, error=str(error))
        except (TimeoutError, KafkaError) as error:
            log.warning("commit_postponed", stage=self.name, error=str(error) or "no answer")
            return
        self._uncommitted = {}

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
        if self._consumer is None:
            return
        assigned = self._consumer.assignment()
        self._lags = {partition: lag for partition, lag in self._lags.items() if partition in assigned}
        for partition, position in positions.items():
            end = self._consumer.highwater(partition)
            self._lags[partition] = max(0, end - position) if end is not None else 0
        metrics.STAGE_LAG.labels(self.name).set(sum(self._lags.values()))

    async def _watch(self) -> None:
        """Looks from time to time at what there is to do, also when nothing is fetched."""
        due = False
        while True:
            await asyncio.sleep(_LAG_PERIOD_DUE if due else _LAG_PERIOD)
            try:
                due = await self._look()
            except Exception:
                # Whatever aiokafka says to a question about its state: the watch goes on.
                log.exception("watch_failed", stage=self.name)
                due = True
                self._progress.due(True)
            limit = _RENEWAL if self._joined else _JOINING
            if self._progress.still() > limit and not self._gate.locked():
                self._stalled = True

    async def _look(self) -> bool:
        """Whether there is something to do, or nobody can tell."""
        try:
            self._lags = await bounded(self._ends(), _LAG_DEADLINE)
            # Without a consumer, which is being replaced, or partitions, nobody knows what there is to do.
            due = (
                self._consumer is None
                or not self._joined
                or bool(self._settlements)
                or self._gate.locked()
                or any(self._lags.values())
            )
            metrics.STAGE_LAG.labels(self.name).set(sum(self._lags.values()))
        except (TimeoutError, KafkaError, OSError):
            due = True
            if not await answers(self._connection):
                # Neither a restart nor another consumer would help.
                self._progress.made()
        self._progress.due(due)
        return due

    async def _ends(self) -> dict[TopicPartition, int]:
        """How many records of each assigned partition are not fetched yet."""
        consumer = self._consumer
        if consumer is None or not (assigned := consumer.assignment()):
            return {}
        ends = await consumer.end_offsets(list(assigned))
        return {
            partition: max(0, end - await consumer.position(partition)) for partition, end in ends.items()
        }


async def _cut_off(consumer: AIOKafkaConsumer) -> None:
    """Ends a consumer that does not end itself: else it would go on to send heartbeats, and keep its partitions."""
    coordinator = consumer._coordinator
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    tasks = {task for name in names if (task := getattr(coordinator, name, None)) and not task.done()}
    for _ in range(_CUTS):
        for task in tasks:
            task.cancel()
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=0.5)
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        await bounded(consumer._client.close(), _COMMIT_DEADLINE)


def _is_fenced(error: KafkaError) -> bool:
    # A heartbeat's error comes wrapped, as text.
    return isinstance(error, FencedInstanceIdError) or FencedInstanceIdError.message in str(error)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Settles what is in hand before partitions go to another member."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._stage.revoked()
        try:
            async with asyncio.timeout(_DRAIN_BUDGET):
                await self._stage.settled()
        except TimeoutError:
            log.warning("drain_timed_out", stage=self._stage.name, seconds=_DRAIN_BUDGET)
            self._stage.abandon()
        if self._stage.owner is not None:
            await self._stage.owner.released()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._stage.reassigned()
        if self._stage.owner is not None:
            self._stage.owner.acquired({place.partition for place in assigned})
        metrics.REBALANCES.labels(self._stage.name).inc()
        log.info("partitions_assigned", stage=self._stage.name, partitions=len(list(assigned)))
