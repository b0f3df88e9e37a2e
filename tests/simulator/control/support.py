"""A running control half, and a client that knows nothing of it but its address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from simulator.control.server import ControlServer
from simulator.control.world import World
from simulator.counters import Counters


@dataclass
class Vendors:
    world: World
    url: str
    http: aiohttp.ClientSession
    counters: Counters

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Status and decoded JSON, None for an empty body."""
        async with self.http.request(method, self.url + path, **more) as response:
            body = await response.read()
            return response.status, await response.json() if body else None


@asynccontextmanager
async def vendors(world: World | None = None, *, report_seconds: float = 0.0) -> AsyncIterator[Vendors]:
    server = ControlServer(world or World(), report_seconds=report_seconds)
    await server.start()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
            yield Vendors(server.world, server.url, http, server.counters)
    finally:
        await server.stop()
