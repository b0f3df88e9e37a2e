"""What a network does to connections: a TCP relay between our processes and one broker.

It runs in a thread of its own, so that it goes on whatever its user waits for."""

import asyncio
import contextlib
import socket
import struct
import threading
from enum import StrEnum

_CHUNK = 65_536
_LATENCY = 0.2  # seconds a chunk and direction
_LATE_CLOSE = 1.0  # seconds


class Mode(StrEnum):
    """What happens to new and to present connections."""

    PASS = "pass"
    LATENCY = "latency"
    HALF_OPEN = "half-open"  # they stay open, and nothing comes through any more
    RESET = "reset"  # present ones are reset, new ones as soon as they are there
    SLOW_CLOSE = "slow close"  # nothing comes through, and a while later they are closed


class Proxy:
    """Relays from `port` to `target`, both on loopback, from `start` until `close`."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self._mode = Mode.PASS
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._pairs: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def become(self, mode: Mode) -> None:
        """From now on, for all connections."""
        asyncio.run_coroutine_threadsafe(self._become(mode), self._loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _become(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.RESET:
            self._abort()
        if mode is Mode.SLOW_CLOSE:
            await asyncio.sleep(_LATE_CLOSE)
            for writer in list(self._writers):
                writer.close()
        if mode is Mode.PASS:
            # What was swallowed meanwhile cannot be made up for: such a connection is of no use any more.
            self._abort()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._abort()
        for pair in list(self._pairs):
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    def _abort(self) -> None:
        for writer in list(self._writers):
            reset = struct.pack("ii", 1, 0)
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        self._writers.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            if self._mode is Mode.RESET:
                self._abort()
                return
            if self._mode is Mode.SLOW_CLOSE:
                await asyncio.sleep(_LATE_CLOSE)
                return
            back, onward = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(onward)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._relay(reader, onward))
                group.create_task(self._relay(back, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for each in (writer, onward):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()
            self._pairs.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction; its end, whichever way, ends the other one too."""
        while chunk := await reader.read(_CHUNK):
            if self._mode is Mode.LATENCY:
                await asyncio.sleep(_LATENCY)
            if self._mode in (Mode.HALF_OPEN, Mode.SLOW_CLOSE):
                continue
            writer.write(chunk)
            await writer.drain()
        raise ConnectionResetError
