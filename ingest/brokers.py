"""Kafka as the receiver knows it: how to publish, and whether the last attempt was taken."""

import asyncio
import time
from collections.abc import Callable

import structlog

from moderato.codec import Headers
from moderato.errors import Retryable

log = structlog.get_logger(__name__)

Publish = Callable[[str, bytes, bytes, Headers], asyncio.Future[None]]
"""Topic, key, value, headers -> a future that is shared with other records. Raises Retryable."""

_NOT_READY_FOR = 10.0  # seconds after the last callback that Kafka did not take


class Brokers:
    """`away` from the first failure to the next success."""

    def __init__(self, publish: Publish) -> None:
        self.publish = publish
        self._failed_at: float | None = None
        self.reason = ""
        """Why Kafka is away."""

    @property
    def away(self) -> bool:
        return self._failed_at is not None

    @property
    def failed_lately(self) -> bool:
        """Old failures do not count where nothing but callbacks tells when Kafka is back."""
        return self._failed_at is not None and time.monotonic() - self._failed_at < _NOT_READY_FOR

    def failed(self, error: Retryable) -> None:
        """Kafka did not take a record."""
        if self._failed_at is None:
            log.error("kafka_unavailable", error=str(error))
        self._failed_at = time.monotonic()
        self.reason = str(error)

    def succeeded(self) -> None:
        """Kafka took a record."""
        if self._failed_at is not None:
            self._failed_at = None
            log.info("kafka_available_again")

    def end(self) -> None:
        """Nothing is published any more."""
        self.publish = _ended


def not_connected(topic: str, key: bytes, value: bytes, headers: Headers) -> asyncio.Future[None]:
    """What `publish` is until there is a connection."""
    raise Retryable("Kafka has not been reached since the start")


def _ended(topic: str, key: bytes, value: bytes, headers: Headers) -> asyncio.Future[None]:
    raise Retryable("the receiver has ended")
