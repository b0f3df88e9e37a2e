"""Fixtures that several packages' tests share."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.settings import Kafka

pytest_plugins = ["tests.kafka.fixtures"]

# How long an example takes says nothing on a machine that does other things besides.
settings.register_profile("moderato", deadline=None)
settings.load_profile("moderato")


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """What a test configures of the logs ends with it: a level that stays would hide events from the next test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A fresh embedded broker with all topics, two partitions each."""
    embedded = EmbeddedBroker(partitions=2)
    yield embedded
    embedded.stop()


@pytest.fixture
def connection(broker: EmbeddedBroker) -> Connection:
    return Connection(broker.bootstrap, Kafka())
