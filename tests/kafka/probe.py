"""Is a broker there? One Metadata request over a plain socket, without a client that retries and caches."""

import socket
import struct

_METADATA, _VERSION = 3, 1
_NO_TOPICS = 0


def brokers_known_at(port: int, patience: float = 2.0) -> set[int]:
    """The ids of the brokers that the one at this loopback port knows to be alive; none when it does not answer within
    `patience` seconds."""
    body = struct.pack(">hhih2si", _METADATA, _VERSION, 1, 2, b"up", _NO_TOPICS)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            return _broker_ids(_exactly(connection, size))
    except (OSError, struct.error):
        return set()


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("closed in the middle of an answer")
        received += part
    return received


def _broker_ids(answer: bytes) -> set[int]:
    """Of a Metadata answer of version 1: correlation id, then an array of (node id, host, port, rack)."""
    (count,) = struct.unpack_from(">i", answer, 4)
    place, ids = 8, set()
    for _ in range(count):
        node, host = struct.unpack_from(">ih", answer, place)
        (rack,) = struct.unpack_from(">h", answer, place + 6 + host + 4)
        place += 6 + host + 4 + 2 + max(rack, 0)
        ids.add(node)
    return ids
