"""A damaged spool database: set aside, with everything that can still be read of it in a new one.

The new database is complete before anything is renamed, and each rename leaves a state from which the next start goes
on, so that a process killed in the middle loses nothing.
"""

import itertools
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ingest.spool.carve import carve
from ingest.spool.log import log_of

_ROWS = 1000  # inserted at once
_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
    }
)


class Salvaged(NamedTuple):
    """What became of the entries of a damaged database. `lost`: how many are missing between those that are saved."""

    aside: Path
    saved: int
    lost: int


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is wrong, rather than the disk full or away for the moment."""
    code = _code(error)
    return code in _DAMAGE or code & 0xFF in _DAMAGE


def is_full(error: sqlite3.Error) -> bool:
    """Whether there is no space for what was to be written."""
    return _code(error) & 0xFF == sqlite3.SQLITE_FULL


def replace(database: Path, create: Callable[[Path], sqlite3.Connection], page_size: int) -> Salvaged:
    """Sets `database` aside and puts a new one in its place. Nothing may have it open. Raises sqlite3.Error or OSError
    when the new one cannot be written, and then nothing has changed."""
    fresh = _fresh(database)
    _discard(fresh)
    with closing(create(fresh)) as connection:
        found = carve(database, page_size)
        while rows := list(itertools.islice(found, _ROWS)):
            values = ",".join(["(?,?,?,?,?)"] * len(rows))
            connection.execute(
                f"INSERT OR IGNORE INTO entries (seq, at, bucket, topic, record) VALUES {values}",  # noqa: S608
                [column for row in rows for column in row],
            )
        first, last, saved = connection.execute("SELECT min(seq), max(seq), count(*) FROM entries").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if log_of(fresh).exists():
        raise OSError(f"{fresh} could not be completed")
    return Salvaged(_swap(database), saved, last - first + 1 - saved if saved else 0)


def finish(database: Path) -> None:
    """Ends a replacement that a kill has interrupted."""
    fresh = _fresh(database)
    if database.exists():
        _discard(fresh)
    elif fresh.exists():
        _swap(database)


def _code(error: sqlite3.Error) -> int:
    """SQLite's code, of which the low byte is the primary one; errors of Python's own have none."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE))


def _fresh(database: Path) -> Path:
    return database.with_name(f"{database.name}.new")


def _discard(database: Path) -> None:
    for path in (database, log_of(database)):
        path.unlink(missing_ok=True)


def _swap(database: Path) -> Path:
    aside = _aside(database)
    # The log goes with its database: beside the new one it would be taken for that one's.
    for path, target in ((database, aside), (log_of(database), log_of(aside))):
        if path.exists():
            path.rename(target)
    _fresh(database).rename(database)
    directory = os.open(database.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return aside


def _aside(database: Path) -> Path:
    """The first free name; but a log without its database belongs to the one that was renamed last."""
    number = 1
    while (aside := _numbered(database, number)).exists():
        number += 1
    orphaned = log_of(database).exists() and not database.exists()
    return _numbered(database, number - 1) if orphaned and number > 1 else aside


def _numbered(database: Path, number: int) -> Path:
    return database.with_name(f"{database.name}.corrupt-{number}")
