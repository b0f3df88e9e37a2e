"""Counts what people and other vendors say of the verdicts that a process sees.

What waits is in memory only. After a restart, or where a partition has come from another process, people who decide
on what was flagged before it are counted as having flagged what nobody had, and the open minutes of rooms are lost."""

from typing import Any

from moderato import metrics
from moderato.records import Category
from moderato.sources import Source
from sinks.feedback.agreement import Agreement
from sinks.feedback.pairing import Opinion, Pairing

_SOURCES = frozenset(map(str, Source))
_CATEGORIES = frozenset(map(str, Category))


class Feedback:
    """About 60 MiB at most, with 50,000 flagged verdicts and as many minutes of rooms."""

    def __init__(self) -> None:
        self._pairing = Pairing()
        self._agreement = Agreement()

    def see(self, verdict: dict[str, Any]) -> None:
        """Takes a verdict in that has what the policy stage demands."""
        self._agreement.see(verdict)
        for opinion in self._pairing.take(verdict):
            _count(opinion)

    def tell(self) -> None:
        """Counts the minutes of rooms that are over since the last time."""
        for (source, other, outcome), minutes in self._agreement.pairs.items():
            if outcome != "neither":
                metrics.AGREEMENT.labels(source, other, outcome).inc(minutes)
        self._agreement.pairs.clear()


def _count(opinion: Opinion) -> None:
    # A word from a newer version is no new series.
    if opinion.source not in _SOURCES:
        return
    category = opinion.category if opinion.category in _CATEGORIES else str(Category.OTHER)
    if opinion.outcome in ("confirmed", "refuted"):
        metrics.FEEDBACK.labels(opinion.source, category, opinion.outcome).inc()
    elif opinion.outcome == "missed":
        metrics.FEEDBACK_MISSED.labels(opinion.source).inc()
