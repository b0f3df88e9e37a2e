"""Where a callback is stored before it is acknowledged: in Kafka, or in the spool while Kafka does not answer."""

from typing import Literal

from ingest.brokers import Brokers
from ingest.spool.spool import Spool
from moderato import metrics
from moderato.codec import Headers
from moderato.errors import Retryable

Stored = Literal["published", "spooled"]

_HAND_OVER = 0.2  # seconds
_AWAY = "Kafka does not acknowledge callbacks"


class Store:
    """Without a spool, Kafka is the only place."""

    def __init__(self, brokers: Brokers, spool: Spool | None = None) -> None:
        self._brokers = brokers
        self._spool = spool
        if spool is not None:
            metrics.SPOOLING.set_function(lambda: float(brokers.away and spool.trouble() is None))

    async def put(self, topic: str, key: bytes, value: bytes, headers: Headers) -> Stored:
        """Stores one record and says where: all in-sync replicas have it, or it is fsynced. Raises Retryable or
        Poison."""
        spool, brokers = self._spool, self._brokers
        if spool is not None and spool.almost_empty and spool.holds(key) and not brokers.away:
            # Otherwise a task that always has a callback on its way would go through the spool for ever.
            await spool.emptied(_HAND_OVER)
        if spool is None or not self._bypasses(spool, key):
            try:
                await brokers.publish(topic, key, value, headers)
            except Retryable as error:
                brokers.failed(error)
                if spool is None:
                    raise
            else:
                brokers.succeeded()
                return "published"
        await spool.store(topic, key, value, headers)
        return "spooled"

    def _bypasses(self, spool: Spool, key: bytes) -> bool:
        """Whether a record goes past Kafka at once: behind what is spooled with its key, so that the order stays, or
        because Kafka is known to be away, and what is spooled already will tell when it is back."""
        if spool.holds(key):
            return True
        return self._brokers.away and (spool.filled.is_set() or spool.refusal() is None)

    def end(self) -> None:
        """Nothing is published any more; what comes all the same is spooled, or refused."""
        self._brokers.end()
        if self._spool is not None:
            metrics.SPOOLING.set_function(float)

    def unready(self) -> str | None:
        """Why callbacks could not be stored just now."""
        if not self._brokers.away:
            return None
        if self._spool is None:
            return _AWAY if self._brokers.failed_lately else None
        trouble = self._spool.trouble()
        return f"{_AWAY}, and the spool takes nothing: {trouble}" if trouble else None

    def note(self) -> str | None:
        """What an operator should know though callbacks are stored."""
        if self._spool is None:
            return None
        if self._brokers.away:
            return f"spooling: {_AWAY} ({self._brokers.reason}); {self._spool}"
        if trouble := self._spool.trouble():
            return f"the spool takes nothing: {trouble}"
        return f"draining: {self._spool}" if self._spool.filled.is_set() else None
