"""Brings what is spooled to Kafka, the oldest first, in batches small enough that new callbacks get through beside it.

It is also the probe: while Kafka is away it tries one entry at a time, and no callback has to find out.
"""

import asyncio
import itertools
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from ingest.brokers import Brokers
from ingest.spool.entry import Entry, decode
from ingest.spool.file import Batch, Stored
from ingest.spool.spool import Spool
from moderato import metrics, topics
from moderato.errors import Poison, Retryable
from moderato.sources import Source

log = structlog.get_logger(__name__)

_BATCH_ENTRIES = 500
_BATCH_BYTES = 512 * 1024
_PAUSES = (0.1, 0.25, 0.5, 1.0)  # seconds; the last one repeats
_STOP_DEADLINE = 3.0  # seconds for the batch that is on its way
_SOURCES = {topics.raw(source): source for source in Source}


class _Readable(NamedTuple):
    """A spooled entry, and what it says."""

    stored: Stored
    entry: Entry


@dataclass(slots=True)
class _Published:
    """What became of entries. `failure` is why those that are in neither list have to be tried again."""

    taken: list[Stored] = field(default_factory=list)
    refused: list[_Readable] = field(default_factory=list)
    failure: Retryable | None = None


class Drain:
    """The task between a spool and the brokers. Entries for other topics than `topics` cannot be published."""

    def __init__(self, spool: Spool, brokers: Brokers, topics: Collection[str]) -> None:
        self._spool = spool
        self._brokers = brokers
        self._topics = topics
        self._turn = asyncio.Lock()
        for topic in topics:
            metrics.CALLBACKS_DRAINED.labels(_SOURCES[topic])
        self._task = asyncio.create_task(self._run(), name="drain")

    async def stop(self) -> None:
        """Ends after the batch that is on its way. What is published and not yet removed comes again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_DEADLINE):
                await self._turn.acquire()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        pauses = _pauses()
        while True:
            await self._spool.filled.wait()
            try:
                async with self._turn:
                    await self._drain_some()
            except Retryable as error:
                log.debug("drain_paused", reason=str(error))
                await asyncio.sleep(next(pauses))
            except Exception:
                log.exception("drain_failed")
                await asyncio.sleep(_PAUSES[-1])
            else:
                pauses = _pauses()

    async def _drain_some(self) -> None:
        """One batch. Raises Retryable when a part of it has to be tried again."""
        batch = await self._spool.read(1 if self._brokers.away else _BATCH_ENTRIES, _BATCH_BYTES)
        readable: list[_Readable] = []
        for stored in batch.entries:
            try:
                readable.append(_Readable(stored, self._read(stored)))
            except Poison as error:
                await self._set_aside(batch, stored, "corrupt", str(error))
        published = await self._publish(readable)
        await self._remove(batch, published.taken)
        for each in published.refused:
            await self._publish_alone(batch, each)
        if published.failure:
            raise published.failure

    def _read(self, stored: Stored) -> Entry:
        entry = decode(stored.record)
        if entry.topic not in self._topics:
            raise Poison("it is for a topic that this receiver does not know")
        return entry

    async def _publish(self, entries: Sequence[_Readable]) -> _Published:
        published = _Published()
        waiting: list[tuple[_Readable, asyncio.Future[None]]] = []
        for each in entries:
            try:
                waiting.append((each, self._brokers.publish(*each.entry)))
            except Retryable as error:
                published.failure = error
                break
        if waiting:
            # Not awaited one by one: a task that is cancelled cancels the future it awaits, and these are shared.
            await asyncio.wait({future for _, future in waiting})
        for each, future in waiting:
            try:
                future.result()
            except Retryable as error:
                published.failure = error
            except Poison:
                published.refused.append(each)
            else:
                published.taken.append(each.stored)
                metrics.CALLBACKS_DRAINED.labels(_SOURCES[each.entry.topic]).inc()
        if published.failure:
            self._brokers.failed(published.failure)
        elif published.taken:
            self._brokers.succeeded()
        return published

    async def _publish_alone(self, batch: Batch, each: _Readable) -> None:
        """A record that Kafka refuses takes those along that were sent with it: which one was it?"""
        published = await self._publish([each])
        if published.failure:
            raise published.failure
        if published.refused:
            await self._set_aside(batch, each.stored, "refused", "it is larger than the topic takes")
        else:
            await self._remove(batch, published.taken)

    async def _remove(self, batch: Batch, entries: Sequence[Stored]) -> None:
        """Tries until it is done: a full disk is no reason to publish the same again and again."""
        if not entries:
            return
        for pause in _pauses():
            try:
                return await self._spool.remove(batch, entries)
            except Retryable as error:
                log.warning("spool_not_removed", reason=str(error))
                await asyncio.sleep(pause)

    async def _set_aside(self, batch: Batch, stored: Stored, reason: str, detail: str) -> None:
        await self._spool.set_aside(batch, stored, f"{reason}: {detail}")
        metrics.SPOOL_SET_ASIDE.labels(reason).inc()
        log.error("spooled_callback_set_aside", number=stored.seq, reason=reason, detail=detail)


def _pauses() -> Iterator[float]:
    return itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1]))
