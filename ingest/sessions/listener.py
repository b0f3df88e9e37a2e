"""Hears what the vendors say of the sessions that are driven here: verdicts and signals, from now on.

Every controller reads both topics, and of a record that is of no session of its own only the headers. What was said
while nobody listened is not missed: a controller asks the vendors of what it takes up.
"""

import asyncio
import math
from collections.abc import Callable

import orjson
import structlog

from ingest.sessions.driver import Driver
from ingest.sessions.machine import News
from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.record import Record
from moderato.bus.table import Table
from moderato.records import SignalKind

log = structlog.get_logger(__name__)

_KINDS = {
    str(kind): kind
    for kind in (
        SignalKind.TASK_FAILED,
        SignalKind.TASK_ENDED,
        SignalKind.STREAM_UNREACHABLE,
        SignalKind.TOKEN_EXPIRED,
        SignalKind.ROOM_CLOSED,
    )
}
_OWN = "moderato."  # codes of signals that a controller made itself


class Listener:
    """`driver_of` gives the driver of a session, if it is driven here."""

    def __init__(self, connection: Connection, driver_of: Callable[[str], Driver | None]) -> None:
        self._table = Table(connection, [topics.VERDICTS, topics.SIGNALS], self.apply, since=math.inf)
        self._driver_of = driver_of
        self._telling: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listens from now on. Raises Fatal when Kafka or a topic cannot be had."""
        await self._table.start()

    async def stop(self) -> None:
        """Listens no more."""
        await self._table.stop()
        for telling in self._telling:
            telling.cancel()

    def apply(self, record: Record) -> None:
        """Takes in one record."""
        for name, value in record.headers:
            if name == "ce_sessionid" and value:
                driver = self._driver_of(value.decode(errors="replace"))
                if driver is not None:
                    self._tell(driver, record)
                return

    def _tell(self, driver: Driver, record: Record) -> None:
        news = _news(record) if record.topic == topics.SIGNALS else None
        if news is None or not (news.code or "").startswith(_OWN):
            driver.heard()
        if news is not None and not (news.code or "").startswith(_OWN):
            telling = asyncio.create_task(driver.signalled(news))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)


def _news(record: Record) -> News | None:
    try:
        signal = orjson.loads(record.value or b"null")
    except orjson.JSONDecodeError:
        return None
    kind = _KINDS.get(str(signal.get("kind"))) if isinstance(signal, dict) else None
    if kind is None:
        return None
    code, task = signal.get("code"), signal.get("task_id")
    return News(kind, code if isinstance(code, str) else None, task if isinstance(task, str) else None)
