"""The spool as the receiver's event loop sees it: commits in batches, in a thread of its own, up to a cap.

What arrives while a commit runs goes into the next, and everything in a commit waits on one future. In memory stands
only what waits for its commit, and a table of fixed size that tells which keys have something spooled.
"""

import asyncio
import sqlite3
import time
import zlib
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

import structlog

from ingest.spool.entry import Entry, encode
from ingest.spool.file import Batch, Row, SpoolFile, State, Stored
from moderato import metrics, settings
from moderato.codec import Headers
from moderato.errors import Retryable

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# 16 MiB of counters; keys that share one wait for each other's entries, which does no harm.
_BUCKETS = 1 << 22
_COMMIT_BYTES = 4 * 1024 * 1024
_COMMIT_ENTRIES = 4000  # SQLite takes 32,766 parameters a statement
_MAX_WAITING_BYTES = 32 * 1024 * 1024
_OVERHEAD = 64  # bytes that a row has besides its record
_COMMIT_DEADLINE = 1.0  # seconds
_TRY_AGAIN = 1.0  # seconds after a commit that failed
_TROUBLE = 10.0  # seconds that such a failure keeps the receiver unready; without traffic nothing tells that it is over
_CLOSE_DEADLINE = 2.0  # seconds
_ALMOST_EMPTY = 500  # entries: a batch of the drain
_FREE_AGAIN = 0.9  # of the cap: a full spool takes nothing until it is down to this


class _Commit:
    """What is committed together, and the future on which all of it waits."""

    __slots__ = ("bytes", "expiry", "rows", "stored")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.rows: list[Row] = []
        self.bytes = 0
        self.stored: asyncio.Future[None] = loop.create_future()
        self.expiry = loop.call_later(_COMMIT_DEADLINE, self._expire)

    def fail(self, error: Exception) -> None:
        if not self.stored.done():
            self.stored.set_exception(error)
            # A waiter that went away (its client hung up) leaves nobody to take the error.
            self.stored.exception()

    def succeed(self) -> None:
        if not self.stored.done():
            self.stored.set_result(None)

    def _expire(self) -> None:
        self.fail(Retryable(f"the spool's disk did not answer within {_COMMIT_DEADLINE:g} s"))


class Spool:
    """The spool of one directory, used in one event loop."""

    def __init__(self, configured: settings.Spool) -> None:
        self._settings = configured
        self._file = SpoolFile(configured.directory, buckets=_BUCKETS)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._state = State(0, 0, 0, None)
        self._held = array("I")
        self._waiting: deque[_Commit] = deque()
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._writing: _Commit | None = None
        self._fault: str | None = None
        self._failed_at = 0.0
        self._accepting = True
        self._closed = False
        self._empty = asyncio.Event()
        self.filled = asyncio.Event()
        """Set while something is spooled."""
        self.topics: frozenset[str] = frozenset()
        """What was found spooled at the start is for these."""

    async def open(self) -> None:
        """Opens the directory and goes over what is there. Raises Fatal when it cannot be used."""
        self._loop = asyncio.get_running_loop()
        # Ages are not to follow jumps of the clock while this process lives.
        self._epoch = time.time() - time.monotonic()
        state, contents = await self._loop.run_in_executor(self._thread, self._file.open)
        self.topics, self._held = contents
        self._note(state)
        metrics.SPOOL_OLDEST_AGE.set_function(self.oldest_age)
        for reason in ("corrupt", "damaged", "refused"):
            metrics.SPOOL_SET_ASIDE.labels(reason)
        if state.entries:
            log.info("spool_found", entries=state.entries, bytes=state.bytes, oldest_age=self.oldest_age())

    async def close(self) -> None:
        """Commits what waits and closes the file; what is spooled stays for the next start."""
        if self._closed:
            return
        self._closed = True
        if self._held:
            closing = self._loop.create_task(self._close())
            if not (await asyncio.wait([closing], timeout=_CLOSE_DEADLINE))[0]:
                log.error("spool_close_timed_out", seconds=_CLOSE_DEADLINE)
                closing.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)
        metrics.SPOOL_OLDEST_AGE.set_function(float)
        metrics.SPOOL_ENTRIES.set(0)
        metrics.SPOOL_BYTES.set(0)

    def holds(self, key: bytes) -> bool:
        """Whether something with this key is spooled, or may be: nothing of the same key may overtake it."""
        return self._held[zlib.crc32(key) % _BUCKETS] > 0

    @property
    def almost_empty(self) -> bool:
        """Whether so little is spooled that it is worth waiting for its end."""
        return self._state.entries <= _ALMOST_EMPTY

    async def emptied(self, seconds: float) -> None:
        """Waits until nothing is spooled, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    def store(self, topic: str, key: bytes, value: bytes, headers: Headers) -> asyncio.Future[None]:
        """Queues one record. The future ends when it is fsynced, or with Retryable; it is shared with other records:
        await it, do not cancel it. Raises Retryable when nothing can be spooled just now."""
        if reason := self.refusal():
            if self._accepting:
                self._accepting = False
                log.error("spool_refuses", reason=reason)
            raise Retryable(f"the spool takes nothing: {reason}")
        record = encode(Entry(topic, key, value, headers))
        bucket = zlib.crc32(key) % _BUCKETS
        self._held[bucket] += 1
        self._empty.clear()
        commit = self._open_commit()
        commit.rows.append(Row(self._now(), bucket, topic.encode(), record))
        size = len(record) + _OVERHEAD
        commit.bytes += size
        self._waiting_bytes += size
        if self._writer is None:
            self._writer = self._loop.create_task(self._write())
        return commit.stored

    def refusal(self) -> str | None:
        """Why nothing can be spooled just now."""
        if self._closed:
            return "the receiver has ended"
        if self._fault and time.monotonic() - self._failed_at < _TRY_AGAIN:
            return self._fault
        return self._full()

    def trouble(self) -> str | None:
        """`refusal` for a readiness probe: a fault counts for longer than until it is tried again."""
        if self._fault and time.monotonic() - self._failed_at < _TROUBLE:
            return self._fault
        return self._full()

    def oldest_age(self) -> float:
        """How long the oldest entry has waited, in seconds; 0 when there is none."""
        oldest = self._state.oldest
        return 0.0 if oldest is None else max(0.0, (self._now() - oldest) / 1000)

    def __str__(self) -> str:
        waiting, size = self._state.entries, self._state.bytes / 1024**2
        return f"{waiting:,} callbacks wait in the spool ({size:.1f} MiB, the oldest for {self.oldest_age():.0f} s)"

    async def read(self, entries: int, size: int) -> Batch:
        """The oldest entries: at most so many, and no more once they hold `size` bytes. Raises Retryable."""
        return await self._run(self._file.read, entries, size)

    async def remove(self, batch: Batch, entries: Iterable[Stored]) -> None:
        """Forgets entries of a batch. Raises Retryable; they can then be removed again."""
        entries = list(entries)
        self._taken_out(batch, entries, await self._run(self._file.remove, batch, entries))

    async def set_aside(self, batch: Batch, entry: Stored, reason: str) -> None:
        """Takes an entry that cannot go to Kafka out of the way and keeps it. Raises Retryable likewise."""
        self._taken_out(batch, [entry], await self._run(self._file.set_aside, batch, [entry], reason))

    def _now(self) -> int:
        return round((self._epoch + time.monotonic()) * 1000)

    def _full(self) -> str | None:
        # A commit that was given up goes on all the same, and keeps the thread.
        if self._writing is not None and self._writing.stored.done():
            return "its disk does not answer"
        if self._waiting_bytes > _MAX_WAITING_BYTES:
            return "its disk is too slow"
        most = self._settings.max_bytes * (1.0 if self._accepting else _FREE_AGAIN)
        if self._state.bytes + self._waiting_bytes > most:
            return f"it holds spool.max_bytes, {self._settings.max_bytes:,}"
        if self.oldest_age() > self._settings.max_age:
            return f"its oldest callback has waited for spool.max_age, {self._settings.max_age:g} s"
        return None

    def _open_commit(self) -> _Commit:
        if self._waiting:
            last = self._waiting[-1]
            if last.bytes < _COMMIT_BYTES and len(last.rows) < _COMMIT_ENTRIES:
                return last
        commit = _Commit(self._loop)
        self._waiting.append(commit)
        return commit

    async def _write(self) -> None:
        while self._waiting:
            commit = self._waiting.popleft()
            self._writing = commit
            try:
                state = await self._run(self._file.append, commit.rows)
            except Exception as error:
                self._failed(commit, error)
            else:
                self._committed(commit, state)
            finally:
                commit.expiry.cancel()
                self._writing = None
                self._waiting_bytes -= commit.bytes
        self._writer = None

    def _committed(self, commit: _Commit, state: State) -> None:
        self._fault = None
        if not self._accepting:
            self._accepting = True
            log.info("spool_accepts_again")
        self._note(state)
        commit.succeed()

    def _failed(self, commit: _Commit, error: Exception) -> None:
        self._fault = str(error)
        self._failed_at = time.monotonic()
        if self._accepting:
            self._accepting = False
            log.error("spool_refuses", reason=self._fault)
        self._let_go(row.bucket for row in commit.rows)
        commit.fail(error)

    def _taken_out(self, batch: Batch, entries: Iterable[Stored], state: State) -> None:
        if batch.generation == state.generation:
            self._let_go(entry.bucket % _BUCKETS for entry in entries)
        self._note(state)

    def _let_go(self, buckets: Iterable[int]) -> None:
        for bucket in buckets:
            if self._held[bucket]:
                self._held[bucket] -= 1

    def _note(self, state: State) -> None:
        self._state = state
        metrics.SPOOL_ENTRIES.set(state.entries)
        metrics.SPOOL_BYTES.set(state.bytes)
        if state.oldest is not None:
            self.filled.set()
            return
        self.filled.clear()
        if self._writer is None:
            self._empty.set()
            # What damage took away was never let go.
            self._held = array("I", bytes(4 * _BUCKETS))

    async def _run(self, work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        try:
            return await self._loop.run_in_executor(self._thread, lambda: work(*arguments, **named))
        except (sqlite3.Error, OSError) as error:
            raise Retryable(f"its disk failed: {error}") from error

    async def _close(self) -> None:
        if self._writer is not None:
            await self._writer
        await self._run(self._file.close)
