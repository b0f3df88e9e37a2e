"""Fixtures that several packages' tests share."""

from collections.abc import Iterator

import pytest

from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.settings import Kafka


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A fresh embedded broker with all topics, two partitions each."""
    embedded = EmbeddedBroker(partitions=2)
    yield embedded
    embedded.stop()


@pytest.fixture
def connection(broker: EmbeddedBroker) -> Connection:
    return Connection(broker.bootstrap, Kafka())
