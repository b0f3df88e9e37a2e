"""A broker and simulated vendors of each test's own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.settings import Kafka
from simulator.control.server import ControlServer
from simulator.control.world import World


@pytest.fixture
def connection() -> Iterator[Connection]:
    broker = EmbeddedBroker(partitions=2)
    yield broker.connection(Kafka())
    broker.stop()


@pytest.fixture
async def server() -> AsyncIterator[ControlServer]:
    server = ControlServer(World())
    await server.start()
    yield server
    await server.stop()
