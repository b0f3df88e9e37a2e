from collections.abc import AsyncIterator

import pytest

from tests.simulator.control.support import Vendors, vendors


@pytest.fixture
async def simulated() -> AsyncIterator[Vendors]:
    async with vendors() as running:
        yield running
