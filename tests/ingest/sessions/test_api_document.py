"""What the API's document promises, asked by schemathesis; `python -m tests.bench.api` asks more."""

import pytest

from tests.bench.api import asked, cases


@pytest.mark.timeout(300)
async def test_the_api_keeps_what_its_document_promises() -> None:
    code, report = await asked(10, seed=278)
    assert code == 0, report
    assert cases(report) > 500
