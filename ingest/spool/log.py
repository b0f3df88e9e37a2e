"""Reads SQLite's write-ahead log, to see what SQLite does not tell: where its checksums break, SQLite takes the log to
end, without a word about commits that stand behind.

The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = 32
_FRAME_HEADER = 24
_WORDS = {0x377F0682: "<", 0x377F0683: ">"}  # the log's magic tells in which order its checksums take bytes


class Frame(NamedTuple):
    """A version of a page; `commits` when it ends a transaction, `sound` while all checksums so far are right."""

    number: int
    commits: bool
    sound: bool
    page: bytes


def log_of(database: Path) -> Path:
    """Where the log of a database is."""
    return database.with_name(f"{database.name}-wal")


def passed_over(log: Path, page_size: int) -> bool:
    """Whether commits stand behind a place that is damaged. The last one may be: it was not over when the process
    was killed."""
    later = [frame.commits for frame in frames(log, page_size) if not frame.sound]
    return any(later[:-1])


def frames(log: Path, page_size: int) -> Iterator[Frame]:
    """The pages in a log, newer versions later. After a restart of the log older frames stand behind the newer ones,
    with another salt: these are left out, as far as the header can be trusted."""
    if not log.exists():
        return
    with log.open("rb") as file:
        header = file.read(_HEADER)
        order = _WORDS.get(int.from_bytes(header[:4], "big"))
        sums = _checksum(header[:24], (0, 0), order) if order else (0, 0)
        trusted = sound = order is not None and struct.pack(">II", *sums) == header[24:]
        while len(frame := file.read(_FRAME_HEADER + page_size)) == _FRAME_HEADER + page_size:
            if trusted and frame[8:16] != header[16:24]:
                continue
            page = frame[_FRAME_HEADER:]
            if sound and order:
                sums = _checksum(page, _checksum(frame[:8], sums, order), order)
                sound = struct.pack(">II", *sums) == frame[16:24]
            yield Frame(int.from_bytes(frame[:4], "big"), any(frame[4:8]), sound, page)


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for place in range(0, len(words), 2):
        first = (first + words[place] + second) & 0xFFFFFFFF
        second = (second + words[place + 1] + first) & 0xFFFFFFFF
    return first, second
