"""Counts the callbacks of one source: received = published + spooled + rejected, once nothing is in flight."""

from collections.abc import Iterable

from moderato import metrics
from moderato.sources import Source


class Tally:
    """The metrics of one source, or of requests that name none; all of them exist from the start."""

    def __init__(self, source: Source | None, codes: Iterable[str], *, observes: bool = False) -> None:
        label = source or "unknown"
        self.received = metrics.CALLBACKS_RECEIVED.labels(label)
        self._rejected = {code: metrics.CALLBACKS_REJECTED.labels(label, code) for code in codes}
        self.stored = {
            "published": metrics.CALLBACKS_PUBLISHED.labels(label),
            "spooled": metrics.CALLBACKS_SPOOLED.labels(label),
        }
        self.seconds = metrics.CALLBACK_SECONDS.labels(label)
        self._observed = (
            {match: metrics.OBSERVED_SIGNATURES.labels(label, match) for match in ("match", "mismatch")}
            if observes
            else {}
        )

    def rejected(self, code: str) -> None:
        """Counts one refusal."""
        self._rejected[code].inc()

    def observed(self, *, match: bool) -> None:
        """Counts one signature that is checked and not enforced."""
        self._observed["match" if match else "mismatch"].inc()
