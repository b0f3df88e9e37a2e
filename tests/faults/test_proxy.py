"""What the proxy does to connections, seen from both of their ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.proxy import Mode, Proxy
from tests.ports import free_ports

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echoing() -> AsyncIterator[Proxy]:
    """A proxy in front of a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(1000):
                writer.write(chunk)
        writer.close()

    port, target = free_ports(2)
    server = await asyncio.start_server(echo, "127.0.0.1", target)
    proxy = Proxy(port, target)
    await asyncio.to_thread(proxy.start)
    try:
        yield proxy
    finally:
        await asyncio.to_thread(proxy.close)
        server.close()


async def said(pair: Pair, word: bytes = b"ping") -> bytes:
    reader, writer = pair
    writer.write(word)
    async with asyncio.timeout(60):
        return await reader.read(1000)


async def connected(proxy: Proxy) -> Pair:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


@pytest.mark.parametrize("mode", [Mode.PASS, Mode.LATENCY])
async def test_what_passes_arrives(mode: Mode) -> None:
    async with echoing() as proxy:
        pair = await connected(proxy)
        await asyncio.to_thread(proxy.become, mode)
        with contextlib.suppress(OSError):
            if mode is Mode.PASS:
                pair = await connected(proxy)
        assert await said(pair) == b"ping"


async def test_half_open_connections_stay_and_say_nothing() -> None:
    async with echoing() as proxy:
        pair = await connected(proxy)
        assert await said(pair) == b"ping"
        await asyncio.to_thread(proxy.become, Mode.HALF_OPEN)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await said(pair)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await said(await connected(proxy))


@pytest.mark.parametrize("mode", [Mode.RESET, Mode.SLOW_CLOSE])
async def test_connections_are_ended(mode: Mode) -> None:
    async with echoing() as proxy:
        pair = await connected(proxy)
        assert await said(pair) == b"ping"
        await asyncio.to_thread(proxy.become, mode)
        with contextlib.suppress(ConnectionError):
            assert await said(pair) == b""
        with contextlib.suppress(ConnectionError):
            assert await said(await connected(proxy)) == b""


async def test_afterwards_new_connections_work_again() -> None:
    async with echoing() as proxy:
        await asyncio.to_thread(proxy.become, Mode.RESET)
        await asyncio.to_thread(proxy.become, Mode.PASS)
        assert await said(await connected(proxy)) == b"ping"
