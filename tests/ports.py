"""Loopback ports that nothing else takes, nor anything that was there before goes on calling."""

import contextlib
import random
import socket

_BROKERS = range(20_000, 32_000)
_RECEIVERS = range(61_000, 65_536)


def free_ports(count: int) -> list[int]:
    """Free ports below those that the system gives to outgoing connections.

    Such a connection could take the port of a broker that is down for a while; a client that tries to reach that
    broker could even be connected with itself."""
    return _free(count, _BROKERS)


def receiver_port() -> int:
    """A free port above those that brokers have, embedded or real.

    The clients of a broker that has gone try to reach it for a while; a receiver in its place counts their bytes."""
    return _free(1, _RECEIVERS)[0]


def _free(count: int, among: range) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = random.choice(among)
        with socket.socket() as held, contextlib.suppress(OSError):
            held.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found
