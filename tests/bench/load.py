"""A closed-loop HTTP load over keep-alive connections: each sends its next request when the last one is answered."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Load:
    """What a load saw: answers by status, and every latency in seconds."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.latencies)

    def quantile(self, share: float) -> float:
        """A latency quantile in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load, requests: Sequence[bytes], first: int, step: int, end: float) -> None:
        self._load, self._requests, self._next, self._step, self._end = load, requests, first, step, end
        self._received = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += self._step

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        at = head.lower().index(b"content-length:") + 15
        if len(rest) < int(head[at:].split(b"\r\n", 1)[0]):
            return
        self._received = b""
        now = time.perf_counter()
        self._load.latencies.append(now - self._sent)
        status = int(head[9:12])
        self._load.statuses[status] = self._load.statuses.get(status, 0) + 1
        if now < self._end:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(error)


class _Idle(asyncio.Protocol):
    """Sends a request when it is told to, and is idle again when that is answered with 200."""

    def __init__(self, idle: "deque[_Idle]") -> None:
        self._idle = idle
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._idle.append(self)

    def send(self, request: bytes) -> None:
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"\r\n\r\n" in self._received:
            assert self._received.startswith(b"HTTP/1.1 200 "), self._received
            self._received = b""
            self._idle.append(self)

    def close(self) -> None:
        self._transport.close()


async def paced(
    port: int, path: str, body: Callable[[int], bytes], *, rate: float, connections: int, seconds: float
) -> list[float]:
    """Posts so many a second, whatever the answers take: when each was due, epoch seconds. One that found no idle
    connection was sent later, which counts."""
    loop = asyncio.get_running_loop()
    idle: deque[_Idle] = deque()
    made = [await loop.create_connection(lambda: _Idle(idle), "127.0.0.1", port) for _ in range(connections)]
    due: list[float] = []
    start = time.time()
    while (now := time.time()) < start + seconds:
        while len(due) < (now - start) * rate and idle:
            idle.popleft().send(_request(path, body(len(due))))
            due.append(start + len(due) / rate)
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.2)
    for _, protocol in made:
        protocol.close()
    return due


def _request(path: str, body: bytes) -> bytes:
    head = (
        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    return (head % (path, len(body))).encode() + body


async def post(port: int, path: str, bodies: Sequence[bytes], *, connections: int, seconds: float) -> Load:
    """Posts `bodies` in turn from `connections` connections for `seconds`."""
    requests = [_request(path, body) for body in bodies]
    load = Load()
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    end = start + seconds
    made = [
        await loop.create_connection(
            lambda first=first: _Connection(load, requests, first, connections, end), "127.0.0.1", port
        )
        for first in range(connections)
    ]
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(protocol.closed for _, protocol in made))
    load.seconds = time.perf_counter() - start
    return load
