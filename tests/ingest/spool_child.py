"""A receiver in a process of its own that can be killed: python -m tests.ingest.spool_child DIRECTORY [POINT]

Kafka is a file, DIRECTORY/kafka, to which records are appended; it does not answer while DIRECTORY/away exists. With a
POINT the process kills itself there, once it is reached for the third time.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ingest import receiver
from ingest.receiver import Receiver
from ingest.spool.file import SpoolFile
from moderato.bus.connection import Connection
from moderato.codec import Headers
from moderato.errors import Retryable
from moderato.lifecycle import run, until_signal
from moderato.settings import Kafka, Spool
from tests.ingest.support import settings

R = TypeVar("R")


class FileKafka:
    """What comes in one turn of the event loop is one batch. Every other batch that is refused is written all the same:
    Kafka may take what it does not acknowledge."""

    def __init__(self, directory: Path) -> None:
        self._file = os.open(directory / "kafka", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._away = directory / "away"
        self._refused = 0
        self._batch: list[bytes] = []
        self._future: asyncio.Future[None] | None = None

    def __call__(self, connection: Connection, *, deadline: float) -> "FileKafka":
        return self

    async def start(self, topics: Iterable[str], *, patience: float = 30.0) -> None:
        return None

    async def stop(self) -> None:
        return None

    def publish(self, topic: str, key: bytes, value: bytes, headers: Headers) -> asyncio.Future[None]:
        if self._future is None:
            self._future = asyncio.ensure_future(self._end())
        line = [key.decode(), value.decode(), dict(headers)["ce_id"].decode()]
        self._batch.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        return self._future

    async def _end(self) -> None:
        batch, self._batch, self._future = self._batch, [], None
        away = self._away.exists()
        self._refused += away
        if not away or self._refused % 2:
            os.write(self._file, b"\n" + b"".join(batch))  # a kill may have cut off the one before
        await asyncio.sleep(0.002)
        if away:
            raise Retryable("no broker answers")


def kill_at(point: str) -> None:
    """Arms a point: before or after one of the file's steps."""
    moment, name = point.split("-")
    step: Callable[..., Any] = getattr(SpoolFile, name)
    calls = 0

    def killing(file: SpoolFile, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if moment == "before" and calls == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        result = step(file, *arguments)
        if moment == "after" and calls == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(SpoolFile, name, killing)


async def main(directory: Path) -> int:
    ended = until_signal()
    configured = settings().model_copy(update={"spool": Spool(directory=directory / "spool")})
    role = Receiver(configured, Connection("nowhere:9092", Kafka()))
    await role.start()
    print(role.port, flush=True)
    while not ended.is_set():
        await asyncio.sleep(0.02)
        # The end of draining is told by a file.
        (directory / "idle").touch() if role.note() is None else (directory / "idle").unlink(missing_ok=True)
    await role.stop()
    return 0


if __name__ == "__main__":
    where = Path(sys.argv[1])
    receiver.Publisher = FileKafka(where)  # type: ignore[misc, assignment]
    if len(sys.argv) > 2:
        kill_at(sys.argv[2])
    sys.exit(run(main(where)))
