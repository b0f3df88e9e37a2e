"""Kafka as the spool's tests need it, and spools on disks of any kind."""

import asyncio
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.spool import file
from ingest.spool.spool import Spool
from moderato import settings
from moderato.bus.connection import Connection
from moderato.codec import Headers
from moderato.errors import Poison, Retryable

TOPIC = "moderation.raw.shumei_audio"


class FakeKafka:
    """Takes records, or is away, or finds some too large; what comes in one turn of the event loop shares a future."""

    def __init__(self) -> None:
        self.away = False
        self.too_large: Callable[[bytes], bool] = lambda value: False
        self.hold: asyncio.Event | None = None
        """While set to an event that is not set, acknowledgements wait for it."""
        self.taken: list[tuple[bytes, bytes]] = []
        self.attempts = 0
        self.held = 0  # batches whose acknowledgement waits
        self.batches: list[int] = []
        self._batch: list[tuple[bytes, bytes]] = []
        self._future: asyncio.Future[None] | None = None

    def __call__(self, connection: Connection, *, deadline: float) -> "FakeKafka":
        return self

    async def start(self, topics: Iterable[str], *, patience: float = 30.0) -> None:
        self.topics = sorted(topics)

    async def stop(self) -> None:
        return None

    def publish(self, topic: str, key: bytes, value: bytes, headers: Headers) -> asyncio.Future[None]:
        self.attempts += 1
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
            self._future.add_done_callback(lambda done: done.exception())
            self._ending = asyncio.create_task(self._end())
        self._batch.append((key, value))
        return self._future

    @property
    def values(self) -> list[bytes]:
        return [value for _, value in self.taken]

    async def _end(self) -> None:
        future, batch = self._future, self._batch
        self._future, self._batch = None, []
        assert future is not None
        if self.hold is not None:
            self.held += 1
            await self.hold.wait()
            self.held -= 1
        if self.away:
            future.set_exception(Retryable("no broker answers"))
        elif any(self.too_large(value) for _, value in batch):
            future.set_exception(Poison("too large"))
        else:
            self.batches.append(len(batch))
            self.taken += batch
            future.set_result(None)


def spool(directory: Path, **changes: float) -> Spool:
    return Spool(settings.Spool(directory=directory, **changes))


async def put(spool: Spool, *values: bytes, key: bytes = b"k") -> None:
    """Spools values and waits until they are on the disk."""
    await asyncio.wait({spool.store(TOPIC, key, value, [("ce_id", value)]) for value in values})


async def until(reached: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)


@contextmanager
def small_disk(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A disk of 24 MiB at `directory`, where that may be mounted; elsewhere a database that may not grow, which is what
    SQLite sees of a full disk. Gives a function that fills up what is left."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(directory)], capture_output=True, check=False
    )
    if mounted.returncode:
        monkeypatch.setattr(file, "_PRAGMAS", (*file._PRAGMAS, "PRAGMA max_page_count = 800"))
        yield lambda: None
        return

    def fill() -> None:
        with (directory / "other").open("ab", buffering=0) as other:
            try:
                while True:
                    other.write(bytes(4096))
            except OSError:
                return

    try:
        yield fill
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
