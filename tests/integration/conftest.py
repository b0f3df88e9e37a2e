"""The pipeline is tested on every kind of broker."""

import pytest

from moderato.bus.connection import Connection
from tests.kafka.fixtures import EVERY_BROKER


@pytest.fixture(params=EVERY_BROKER)
def connection(request: pytest.FixtureRequest) -> Connection:
    given: Connection = request.getfixturevalue(request.param)
    return given
