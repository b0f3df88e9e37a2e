"""What a controller's sessions look like from outside, as metrics."""

from collections import Counter
from collections.abc import Iterable

from ingest.clients import KINDS
from moderato import metrics
from moderato.records import Session, SessionState
from moderato.times import epoch

_SHOWN = (SessionState.REQUESTED, SessionState.STARTING, SessionState.ACTIVE, SessionState.STOPPING)


class Gauges:
    """Counts from time to time; every series is there from the first time on."""

    def __init__(self) -> None:
        self._undriven: dict[str, str] = {}

    def undriven(self, session: Session, fault: str) -> None:
        """A session that these settings do not let run."""
        self._undriven[session.id] = fault

    def note(self, sessions: Iterable[Session]) -> str | None:
        """What an operator should know of the sessions that are not driven."""
        for session in sessions:
            self._undriven.pop(session.id, None)
        if not self._undriven:
            return None
        return f"{len(self._undriven)} sessions cannot be driven: {next(iter(self._undriven.values()))}"

    def count(self, sessions: Iterable[Session], now: float) -> None:
        """Sets the gauges to what there is at `now`, epoch seconds."""
        states: Counter[tuple[str, str]] = Counter()
        unwatched: Counter[str] = Counter()
        oldest: dict[str, float] = {}
        for session in sessions:
            states[session.source, session.state] += 1
            if not session.watched and session.wanted == "active":
                unwatched[session.source] += 1
                age = now - (epoch(session.state_at) or now)
                oldest[session.source] = max(age, oldest.get(session.source, 0.0))
        for source in KINDS:
            for state in _SHOWN:
                metrics.SESSIONS.labels(source, state).set(states[source, state])
            metrics.SESSIONS_UNWATCHED.labels(source).set(unwatched[source])
            metrics.SESSIONS_UNWATCHED_SECONDS.labels(source).set(oldest.get(source, 0.0))
