"""The second stage of the policy: consumes strikes, counts them, and emits the actions of rules that count.

Its windows are in memory only. When a partition comes from another member, or begins again after a crash, its next
record is not the one that was expected: then the partition's windows are made anew from the records before it, without
emitting anything. What was not committed is counted again after that, with the same actions and the same ids."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import structlog
from aiokafka import TopicPartition

from moderato import metrics, topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.bus.stage import Results
from moderato.errors import Fatal, Poison
from moderato.times import epoch, now
from sinks.events import opened, require_texts
from sinks.policy.brakes import Brakes
from sinks.policy.evaluate import Evaluator
from sinks.policy.results import Demanded, action_messages, emit_news, results_of
from sinks.policy.windows import LATENESS, Windows

log = structlog.get_logger(__name__)

NAME = "counter"
SUBJECTS = 1_000_000
"""Subjects that are kept at once by a process that has all partitions."""

_REQUIRED = (
    "id",
    "source",
    "tenant",
    "decision",
    "severity",
    "category",
    "judge",
    "media",
    "occurred_at",
    "normalized_at",
)
_SKEW = 300.0  # seconds by which the clocks of our machines may differ
_RETRY = 2.0  # seconds until the log is asked again, when Kafka did not give it

Past: TypeAlias = Callable[
    [Mapping[TopicPartition, int], float], AbstractAsyncContextManager[AsyncIterator[list[Record]]]
]


class Counter:
    """The handler of the stage. `current` gives the policy that is in effect; `past` opens the records before given
    offsets, from a time on."""

    def __init__(
        self,
        current: Callable[[], Evaluator],
        past: Past,
        brakes: Brakes,
        clock: Callable[[], str] = now,
    ) -> None:
        self._current = current
        self._brakes = brakes
        self._past = past
        self._clock = clock
        self._partitions = next(topic.partitions for topic in topics.ALL if topic.name == topics.STRIKES)
        self._windows: dict[TopicPartition, Windows] = {}
        self._expected: dict[TopicPartition, int] = {}
        self._counted: frozenset[str] = frozenset()

    async def handle(self, records: Sequence[Record]) -> Results:
        """One batch of strikes -> actions and dead letters; a strike that completes no count is ignored."""
        evaluator = self._current()
        self._brakes.use(evaluator.policy)
        if evaluator.windows != self._counted:
            self._counted = evaluator.windows
            self._expected.clear()
        firsts: dict[TopicPartition, Record] = {}
        for record in records:
            firsts.setdefault(_place(record), record)
        await self._follow(evaluator, firsts)
        at = self._clock()
        results = results_of(
            records, NAME, at, lambda record, demanded: self._messages(evaluator, record, at, demanded)
        )
        for record in records:
            self._expected[_place(record)] = record.offset + 1
        emit_news(results, self._brakes, epoch(at) or 0.0)
        metrics.POLICY_SUBJECTS.set(sum(map(len, self._windows.values())))
        return results

    async def _follow(self, evaluator: Evaluator, firsts: Mapping[TopicPartition, Record]) -> None:
        """Makes the windows anew of partitions that do not go on where they stood."""
        strange = {
            place: record.offset
            for place, record in firsts.items()
            if self._expected.get(place) != record.offset
        }
        while strange:
            # Taken away first: a failure half-way must not leave windows that look complete.
            for place in strange:
                self._expected.pop(place, None)
                self._windows[place] = Windows(SUBJECTS // self._partitions)
            earlier = {place: offset for place, offset in strange.items() if offset}
            if not earlier or not evaluator.longest:
                return
            known = min((_known(firsts[place]) for place in earlier), default=-math.inf)
            try:
                strikes = await self._rebuild(
                    evaluator, earlier, known - evaluator.longest - LATENESS - _SKEW
                )
            except Fatal as error:
                log.warning("windows_not_rebuilt", error=str(error), wait=_RETRY)
                await asyncio.sleep(_RETRY)
            else:
                log.info("windows_rebuilt", partitions=len(earlier), strikes=strikes)
                return

    async def _rebuild(
        self, evaluator: Evaluator, offsets: Mapping[TopicPartition, int], since: float
    ) -> int:
        strikes = 0
        at = self._clock()
        async with self._past(offsets, since) as batches:
            async for batch in batches:
                results_of(batch, NAME, at, lambda record, _: self._messages(evaluator, record, at, None))
                strikes += len(batch)
                await asyncio.sleep(0)
        return strikes

    def _messages(
        self, evaluator: Evaluator, record: Record, at: str, demanded: Demanded | None
    ) -> list[tuple[str, Message]]:
        event, verdict = opened(record, "strike")
        require_texts(verdict, _REQUIRED)
        windows = self._windows[_place(record)]
        late, evicted = windows.late, windows.evicted
        actions = evaluator.count(verdict, (record.key or b"").decode("utf-8", "replace"), windows, at)
        if demanded is None:
            return []
        metrics.POLICY_LATE.inc(windows.late - late)
        metrics.POLICY_EVICTED.inc(windows.evicted - evicted)
        return action_messages(self._brakes.applied(actions, epoch(at) or 0.0), event, demanded)


def past(connection: Connection) -> Past:
    """The strikes as Kafka has them."""

    @contextlib.asynccontextmanager
    async def opened_before(
        offsets: Mapping[TopicPartition, int], since: float
    ) -> AsyncIterator[AsyncIterator[list[Record]]]:
        async with history(connection, [topics.STRIKES], since=since, service=True) as strikes:
            strikes.before(offsets)
            yield strikes.batches()

    return opened_before


def _place(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _known(record: Record) -> float:
    """When a strike became known; everything there is has to be read when it does not say so."""
    with contextlib.suppress(Poison):
        known = epoch(str(opened(record, "strike")[1].get("normalized_at")))
        return -math.inf if known is None else known
    return -math.inf
