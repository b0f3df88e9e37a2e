"""The spool's SQLite file. Everything here blocks: it is called in the spool's own thread, and in no other.

Each step is one SQL statement for a whole batch. Python's sqlite3 gives up the interpreter's lock at every row, and
beside a busy event loop takes 5 ms to get it back: a row at a time would be 200 rows a second.
"""

import fcntl
import os
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import orjson
import structlog

from ingest.spool import salvage
from ingest.spool.log import log_of, passed_over
from ingest.spool.reserve import Reserve
from moderato import metrics
from moderato.errors import Fatal, Retryable

log = structlog.get_logger(__name__)

T = TypeVar("T")

_APPLICATION_ID = 0x4D4F4453  # "MODS", in the file's header
_SCHEMA_VERSION = 1
_PAGE = 8192  # bytes
_SHRINK = 2048  # pages; an empty file larger than this gives its space back
_LOG_PAGES = 512  # 4 MiB of write-ahead log, then it is copied into the database

_PRAGMAS = (
    f"PRAGMA page_size = {_PAGE}",
    # Nobody else opens it, so that no shared memory is needed beside it.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # every commit is fsynced
    f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}",
    f"PRAGMA journal_size_limit = {_LOG_PAGES * _PAGE}",
    "PRAGMA temp_store = MEMORY",
    # What people said does not stay on the disk once it is in Kafka, nor comes up again when a file is salvaged.
    "PRAGMA secure_delete = ON",
)
# AUTOINCREMENT: a number is never used twice, so that a deletion that is tried again deletes nothing newer.
_SCHEMA = f"""
BEGIN;
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    topic BLOB NOT NULL,
    record BLOB NOT NULL
);
CREATE TABLE set_aside (seq INTEGER, at INTEGER, topic BLOB, reason TEXT, record BLOB);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
COMMIT;
"""
# What stands in the columns is read with care: damage that SQLite does not notice must not stop the others.
_STATE = """
SELECT (SELECT ifnull(CAST(at AS INTEGER), 0) FROM entries ORDER BY seq LIMIT 1),
       (SELECT page_count FROM pragma_page_count()) - (SELECT freelist_count FROM pragma_freelist_count())
"""
_LAST_OF_BATCH = """
SELECT max(seq) FROM (
    SELECT seq, sum(bytes) OVER (ORDER BY seq) - bytes AS before
    FROM (SELECT seq, ifnull(length(record), 0) AS bytes FROM entries ORDER BY seq LIMIT ?)
) WHERE before < ?
"""
_READ = """
SELECT json_group_array(json_array(seq, CAST(bucket AS INTEGER), hex(record))) FROM entries WHERE seq <= ?
"""
_DELETE = "DELETE FROM entries WHERE seq IN (SELECT value FROM json_each(?))"
_SET_ASIDE = """
INSERT INTO set_aside
SELECT seq, at, topic, ?, record FROM entries WHERE seq IN (SELECT value FROM json_each(?))
"""


class Row(NamedTuple):
    """One entry to spool; `at` in epoch milliseconds, `bucket` stands for its key."""

    at: int
    bucket: int
    topic: bytes
    record: bytes


class Stored(NamedTuple):
    """One entry that is spooled."""

    seq: int
    bucket: int
    record: bytes


class Batch(NamedTuple):
    """The oldest entries. Their numbers are theirs as long as the file is of the same `generation`."""

    generation: int
    entries: Sequence[Stored]


class State(NamedTuple):
    """`bytes`: what the entries take on disk. `oldest`: since when the oldest waits (epoch ms); None when empty."""

    generation: int
    entries: int
    bytes: int
    oldest: int | None


class Contents(NamedTuple):
    """What a start finds: the topics it is for, and how many entries each bucket has."""

    topics: frozenset[str]
    buckets: "array[int]"


def fault_of(directory: Path) -> str | None:
    """Why a directory could not be used or made, as far as can be told without doing so."""
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not existing.is_dir():
        return f"{existing} is not a directory"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{existing} cannot be written"
    return None


class SpoolFile:
    """`directory` holds the database, its lock and its reserve. `buckets` is a power of two.

    Raises sqlite3.Error, OSError or Retryable when the disk does not do its part; the same can then be tried again."""

    def __init__(self, directory: Path, *, buckets: int) -> None:
        self.path = directory / "spool.sqlite"
        self._directory = directory
        self._buckets = buckets
        self._reserve = Reserve(directory / "spool.reserve")
        self._lock: IO[bytes] | None = None
        self._connection: sqlite3.Connection | None = None
        self._generation = 0
        self._entries = 0

    def open(self) -> tuple[State, Contents]:
        """Locks and checks the file; a damaged one is set aside, and what can be read of it goes on. Raises Fatal."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(self._directory / "spool.lock")
            salvage.finish(self.path)
            self._reserve.hold()
            self._connect()
            contents = self._contents()
            return self._state(), contents
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise Fatal(f"spool.directory {self._directory}: {error}") from error
        except Fatal:
            self.close()
            raise

    def append(self, rows: Sequence[Row]) -> State:
        """Spools rows in their order; when this returns they are on the disk."""
        if not self._reserve.hold():
            raise Retryable("its disk is full")
        values = ",".join(["(?,?,?,?)"] * len(rows))
        statement = f"INSERT INTO entries (at, bucket, topic, record) VALUES {values}"  # noqa: S608 - marks only

        def insert(connection: sqlite3.Connection) -> State:
            with _transaction(connection):
                connection.execute(statement, [column for row in rows for column in row])
            self._entries += len(rows)
            return self._state()

        return self._undamaged(insert)

    def read(self, entries: int, size: int) -> Batch:
        """The oldest entries, at most so many, and no more once they hold `size` bytes."""

        def select(connection: sqlite3.Connection) -> Batch:
            (last,) = connection.execute(_LAST_OF_BATCH, (entries, size)).fetchone()
            (found,) = connection.execute(_READ, (last,)).fetchone()
            stored = (
                Stored(seq, bucket, bytes.fromhex(record)) for seq, bucket, record in orjson.loads(found)
            )
            return Batch(self._generation, sorted(stored))

        return self._undamaged(select)

    def remove(self, batch: Batch, entries: Iterable[Stored]) -> State:
        """Deletes entries of a batch."""
        return self._take_out(batch, entries, None)

    def set_aside(self, batch: Batch, entries: Iterable[Stored], reason: str) -> State:
        """Moves entries of a batch to the table `set_aside`, for a person to look at."""
        return self._take_out(batch, entries, reason)

    def close(self) -> None:
        """Closes the file and gives the lock back."""
        self._disconnect()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_out(self, batch: Batch, entries: Iterable[Stored], reason: str | None) -> State:
        chosen = orjson.dumps([entry.seq for entry in entries]).decode()

        def delete(connection: sqlite3.Connection) -> State:
            if batch.generation == self._generation:
                with _transaction(connection):
                    if reason is not None:
                        connection.execute(_SET_ASIDE, (reason, chosen))
                    gone = connection.execute(_DELETE, (chosen,)).rowcount
                self._entries -= gone
            # Otherwise their numbers may be others' now, and they come again: duplicates with the same ids.
            state = self._state()
            if state.oldest is None:
                self._shrink(connection)
            return state

        try:
            return self._undamaged(delete)
        except sqlite3.OperationalError as error:
            if not salvage.is_full(error):
                raise
            self._reserve.release()
            return self._undamaged(delete)

    def _undamaged(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does it, and once more when the file turns out to be damaged and had to be replaced."""
        if self._connection is None:
            self._connect()
        assert self._connection is not None
        try:
            return work(self._connection)
        except sqlite3.DatabaseError as error:
            if not salvage.is_damage(error):
                raise
            self._replace(str(error))
            return work(self._connection)

    def _connect(self) -> None:
        self.path.touch(mode=0o600)
        try:
            fault = _silent_fault(self.path)
            if not fault:
                self._connection = _connection(self.path)
                fault = _fault(self._connection)
        except sqlite3.DatabaseError as error:
            if not salvage.is_damage(error):
                raise
            fault = str(error)
        if fault:
            self._replace(fault)

    def _replace(self, fault: str) -> None:
        self._disconnect()
        log.error("spool_damaged", file=str(self.path), fault=fault)
        salvaged = salvage.replace(self.path, _connection, _PAGE)
        self._generation += 1
        self._connection = _connection(self.path)
        self._entries = salvaged.saved
        metrics.SPOOL_SET_ASIDE.labels("damaged").inc(salvaged.lost)
        log.error("spool_salvaged", set_aside=str(salvaged.aside), entries=salvaged.saved, lost=salvaged.lost)

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _state(self) -> State:
        assert self._connection is not None
        oldest, pages = self._connection.execute(_STATE).fetchone()
        if oldest is None:
            self._entries = 0
        return State(self._generation, self._entries, pages * _PAGE, oldest)

    def _contents(self) -> Contents:
        assert self._connection is not None
        buckets = array("I", bytes(4 * self._buckets))
        self._entries = 0
        for (bucket,) in self._connection.execute("SELECT CAST(bucket AS INTEGER) FROM entries"):
            buckets[bucket % self._buckets] += 1
            self._entries += 1
        topics = self._connection.execute("SELECT DISTINCT CAST(topic AS BLOB) FROM entries")
        return Contents(frozenset(topic.decode("utf-8", "replace") for (topic,) in topics), buckets)

    def _shrink(self, connection: sqlite3.Connection) -> None:
        """Gives an empty file's space back."""
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if pages > _SHRINK or not self._reserve.held:
            with suppress(sqlite3.OperationalError):  # no space for it: another time
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _locked(path: Path) -> IO[bytes]:
    lock = path.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise Fatal(
            f"spool.directory {path.parent}: another receiver uses it; each needs a directory of its own"
        ) from None
    return lock


def _connection(path: Path) -> sqlite3.Connection:
    """A connection to a spool database, which is made when there is none."""
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _silent_fault(path: Path) -> str | None:
    """What SQLite would not only accept, but make away with in doing so. To be asked before it opens the file."""
    journal = log_of(path)
    if not journal.exists() or not journal.stat().st_size:
        return None
    if not path.stat().st_size:
        return "it is empty, but its write-ahead log is not"
    if passed_over(journal, _PAGE):
        return "its write-ahead log is damaged before its end"
    return None


def _fault(connection: sqlite3.Connection) -> str | None:
    """What is wrong with a database, as far as can be told without reading every entry. Raises Fatal for one that only
    another version of Moderato can read."""
    (checked,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if checked != "ok":
        return str(checked)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != _APPLICATION_ID:
        return "it is not a spool"
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != _SCHEMA_VERSION:
        raise Fatal(
            f"spool.directory: the spool has version {version}, this Moderato reads {_SCHEMA_VERSION}; "
            "let the Moderato that wrote it drain it first"
        )
    return None


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
