"""The bus is tested on every kind of broker: its contract is one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from tests.kafka.certificates import Certificates, make
from tests.kafka.fixtures import EVERY_BROKER
from tests.kafka.secured import Secured
from tests.moderato.bus.support import Breakable


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make(tmp_path)


@pytest.fixture(params=EVERY_BROKER)
def connection(request: pytest.FixtureRequest) -> Connection:
    given: Connection = request.getfixturevalue(request.param)
    return given


@pytest.fixture
def breakable_embedded(broker: EmbeddedBroker, embedded_connection: Connection) -> Breakable:
    return Breakable(embedded_connection, broker.stop, lambda: None)


@pytest.fixture
def breakable_kafka(secured_kafka: Secured, secured_connection: Connection) -> Iterator[Breakable]:
    """Our own broker, frozen: its connections stay open and nothing answers on them."""
    yield Breakable(secured_connection, secured_kafka.broker.freeze, secured_kafka.broker.thaw)
    secured_kafka.broker.thaw()


@pytest.fixture(
    params=[
        pytest.param("breakable_embedded", id="embedded"),
        pytest.param("breakable_kafka", id="kafka-sasl-ssl", marks=pytest.mark.kafka),
    ]
)
def breakable(request: pytest.FixtureRequest) -> Breakable:
    given: Breakable = request.getfixturevalue(request.param)
    return given
