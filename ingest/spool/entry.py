"""One spooled callback as bytes, with a checksum over all of it.

A version byte, CRC-32 of the rest (big endian, as everything here), the lengths of topic, key and value, the number of
headers, then topic, key and value, then for each header the lengths of its name and value and these.
"""

import struct
import zlib
from typing import NamedTuple

from moderato.codec import Headers
from moderato.errors import Poison

_VERSION = 1
_PREFIX = struct.Struct(">BI")
_HEAD = struct.Struct(">HIIH")
_HEADER = struct.Struct(">HI")


class Entry(NamedTuple):
    """One record for Kafka."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


def encode(entry: Entry) -> bytes:
    """The entry as bytes. Names are at most 64 KiB long."""
    topic = entry.topic.encode()
    parts = [
        _HEAD.pack(len(topic), len(entry.key), len(entry.value), len(entry.headers)),
        topic,
        entry.key,
        entry.value,
    ]
    for name, value in entry.headers:
        encoded = name.encode()
        parts += (_HEADER.pack(len(encoded), len(value)), encoded, value)
    content = b"".join(parts)
    return _PREFIX.pack(_VERSION, zlib.crc32(content)) + content


def decode(data: bytes) -> Entry:
    """The entry that was encoded. Raises Poison for anything else."""
    try:
        version, checksum = _PREFIX.unpack_from(data)
        if version != _VERSION:
            raise Poison(f"its format has version {version}, not {_VERSION}")
        if zlib.crc32(memoryview(data)[_PREFIX.size :]) != checksum:
            raise Poison("its checksum is wrong")
        return _content(data)
    except (struct.error, UnicodeDecodeError):
        raise Poison("its lengths are wrong") from None


def _content(data: bytes) -> Entry:
    topic, key, value, headers = _HEAD.unpack_from(data, _PREFIX.size)
    at = _PREFIX.size + _HEAD.size
    entry = Entry(
        data[at : (at := at + topic)].decode(), data[at : (at := at + key)], data[at : (at := at + value)], []
    )
    for _ in range(headers):
        name, value = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        entry.headers.append((data[at : (at := at + name)].decode(), data[at : (at := at + value)]))
    if at != len(data):
        raise Poison("its lengths are wrong")
    return entry
