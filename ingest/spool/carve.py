"""Reads entries out of a damaged SQLite file page by page, without SQLite: it trusts the pages that lead to an entry,
and gives up, or passes over in silence, where one of them is damaged.

The format: https://www.sqlite.org/fileformat2.html
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ingest.spool.entry import decode
from ingest.spool.log import frames, log_of
from moderato.errors import Poison

_LEAF = 0x0D
_LEAF_HEADER = 8  # bytes; then two bytes for the place of each cell
_MOST = 8 * 1024 * 1024  # bytes; no entry is that long
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}  # bytes by serial type; the last two are 0 and 1

Pages = Callable[[int], bytes]
"""A page by its number, the first of which is 1."""


class Found(NamedTuple):
    """One entry. Topic and bucket come out of the record, whose checksum was right; `seq` and `at` are what the damaged
    file says."""

    seq: int
    at: int
    bucket: int
    topic: bytes
    record: bytes


def carve(database: Path, page_size: int) -> Iterator[Found]:
    """All entries with a right checksum, in no order, of a database and its write-ahead log.

    One may come twice, and one that was removed lately may come again."""
    pages = database.stat().st_size // page_size
    with database.open("rb") as file:

        def stored(number: int) -> bytes:
            if not 0 < number <= pages:
                return b""
            file.seek((number - 1) * page_size)
            return file.read(page_size)

        logged = {frame.number: frame.page for frame in frames(log_of(database), page_size)}
        for number in range(1, pages + 1):
            yield from _entries(stored(number), stored)
        for page in logged.values():
            yield from _entries(page, lambda number: logged.get(number) or stored(number))


def _entries(page: bytes, pages: Pages) -> Iterator[Found]:
    if not page or page[0] != _LEAF:
        return
    cells = int.from_bytes(page[3:5], "big")
    for place in range(_LEAF_HEADER, min(_LEAF_HEADER + 2 * cells, len(page) - 1), 2):
        try:
            yield _entry(page, int.from_bytes(page[place : place + 2], "big"), pages)
        except (Poison, IndexError, KeyError, ValueError):
            continue


def _entry(page: bytes, at: int, pages: Pages) -> Found:
    """Raises IndexError, KeyError, ValueError or Poison for what is no entry."""
    size, at = _varint(page, at)
    seq, at = _varint(page, at)
    payload = _payload(page, at, size, pages)
    end, at = _varint(payload, 0)
    types = []
    while at < end:
        kind, at = _varint(payload, at)
        types.append(kind)
    alias, *kinds = types
    if alias != 0 or len(kinds) != 4:  # `seq` is kept as the number of the row
        raise ValueError
    columns = []
    for kind in kinds:
        length = (kind - 12) // 2 if kind >= 12 else _INTEGERS[kind]
        columns.append(payload[at : at + length])
        at += length
    entry = decode(columns[3])
    # The file takes it modulo the number of buckets, a power of two.
    bucket = zlib.crc32(entry.key)
    return Found(seq, _integer(kinds[0], columns[0]), bucket, entry.topic.encode(), columns[3])


def _integer(kind: int, column: bytes) -> int:
    return kind - 8 if kind in (8, 9) else int.from_bytes(column, "big", signed=True)


def _payload(page: bytes, at: int, size: int, pages: Pages) -> bytes:
    """A cell's content; the part of a long one that has no room stands on a chain of other pages."""
    usable = len(page)
    if size > _MOST:
        raise ValueError
    if size <= usable - 35:
        return page[at : at + size]
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    if local > usable - 35:
        local = least
    parts = [page[at : at + local]]
    missing = size - local
    following = page[at + local : at + local + 4]
    while missing > 0:
        overflow = pages(int.from_bytes(following, "big"))
        following, part = overflow[:4], overflow[4 : 4 + missing]
        if not part:
            raise ValueError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer -> it and the place after it."""
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    return value << 8 | data[at], at + 1
