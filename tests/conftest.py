"""Fixtures that several packages' tests share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.settings import Kafka

# How long an example takes says nothing on a machine that does other things besides.
settings.register_profile("moderato", deadline=None)
settings.load_profile("moderato")


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A fresh embedded broker with all topics, two partitions each."""
    embedded = EmbeddedBroker(partitions=2)
    yield embedded
    embedded.stop()


@pytest.fixture
def connection(broker: EmbeddedBroker) -> Connection:
    return Connection(broker.bootstrap, Kafka())
