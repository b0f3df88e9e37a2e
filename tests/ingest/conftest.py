from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvloop

from moderato.bus.embedded import EmbeddedBroker
from tests.ingest.support import Bench, receiving


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """The loop that runs in production: its transports differ from asyncio's."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    embedded = EmbeddedBroker()
    yield embedded
    embedded.stop()


@pytest.fixture
async def bench(broker: EmbeddedBroker) -> AsyncIterator[Bench]:
    async with receiving(broker) as running:
        yield running
