from collections.abc import AsyncIterator

import pytest

from tests.sinks.enforce.support import Endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    await made.server.start_server()
    yield made
    made.never.set()
    await made.server.close()
