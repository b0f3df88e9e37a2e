"""What the document of the Actions API promises, asked by schemathesis."""

import pytest

from moderato.bus.connection import Connection
from tests.bench.api import cases, schemathesis
from tests.sinks.actions.support import serving


@pytest.mark.timeout(300)
async def test_the_api_keeps_what_its_document_promises(connection: Connection) -> None:
    async with serving(connection) as api:
        code, report = await schemathesis(api.url, examples=5, seed=278)
    assert code == 0, report
    assert cases(report) > 100
