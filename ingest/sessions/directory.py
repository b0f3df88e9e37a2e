"""All sessions, read from Kafka by every process that runs or shows them.

A session whose request has been written and which no controller has taken up yet is shown as requested.
"""

from collections.abc import Iterable, Iterator

import structlog

from ingest.sessions.machine import requested
from ingest.sessions.wire import partition_of, read_request, read_session
from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.record import Record
from moderato.bus.table import Table
from moderato.errors import Fatal, Poison
from moderato.records import RawRef, Session

log = structlog.get_logger(__name__)


class Directory:
    """`get` and `all` are of what has been read up to now."""

    def __init__(self, connection: Connection) -> None:
        self._table = Table(connection, [topics.SESSIONS, topics.SESSION_REQUESTS], self.apply)
        self._sessions: dict[str, Session] = {}
        self._requested: dict[str, Session] = {}

    async def start(self) -> None:
        """Reads all there is, and goes on reading. Raises Fatal when Kafka or a topic cannot be had."""
        await self._table.start()
        counts = [self._table.partitions(topic) for topic in (topics.SESSIONS, topics.SESSION_REQUESTS)]
        if counts[0] != counts[1]:
            await self._table.stop()
            raise Fatal(
                f"{topics.SESSIONS} has {counts[0]} partitions and {topics.SESSION_REQUESTS} {counts[1]}: "
                "they need as many each (see: moderato topics check)"
            )
        await self.caught_up()

    async def stop(self) -> None:
        """Disconnects."""
        await self._table.stop()

    async def caught_up(self, partitions: Iterable[int] | None = None) -> None:
        """Waits until everything that was written up to now has been read."""
        await self._table.caught_up(partitions)

    def unready(self) -> str | None:
        """Why what is shown may be old."""
        return self._table.unready()

    @property
    def partitions(self) -> int:
        """How many there are of either topic."""
        return self._table.partitions(topics.SESSIONS)

    def get(self, session_id: str) -> Session | None:
        """The session, if there is one."""
        return self._sessions.get(session_id) or self._requested.get(session_id)

    def all(self) -> Iterator[Session]:
        """Every session, in no order."""
        yield from self._sessions.values()
        yield from self._requested.values()

    def taken_up(self, partitions: Iterable[int]) -> list[Session]:
        """The sessions of some partitions that a controller has written down."""
        wanted, count = set(partitions), self.partitions
        return [session for session in self._sessions.values() if partition_of(session.id, count) in wanted]

    def taken_up_as(self, session_id: str) -> Session | None:
        """The session as a controller wrote it down last; None when none has."""
        return self._sessions.get(session_id)

    def note(self, session: Session) -> None:
        """A session whose request was just written: it is shown at once."""
        if session.id not in self._sessions:
            self._requested.setdefault(session.id, session)

    def apply(self, record: Record) -> None:
        """Takes in one record of either topic."""
        try:
            if record.topic == topics.SESSIONS:
                self._apply_session(record)
            else:
                self._apply_request(record)
        except Poison as error:
            log.warning(
                "session_record_unreadable",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=str(error),
            )

    def _apply_session(self, record: Record) -> None:
        key = (record.key or b"").decode(errors="replace")
        if record.value is None:
            self._sessions.pop(key, None)
        else:
            session = read_session(record)
            self._sessions[session.id] = session
        self._requested.pop(key, None)

    def _apply_request(self, record: Record) -> None:
        request = read_request(record)
        if request.kind == "start":
            at = RawRef(record.topic, record.partition, record.offset, request.id)
            self.note(requested(request, at))
