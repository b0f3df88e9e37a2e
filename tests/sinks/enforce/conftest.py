from collections.abc import AsyncIterator

import pytest

from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.sinks.enforce.support import Endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    await made.server.start_server()
    yield made
    made.never.set()
    await made.server.close()


@pytest.fixture
async def vendors() -> AsyncIterator[ControlServer]:
    server = ControlServer(World())
    await server.start()
    yield server
    await server.stop()
