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

    def __init__(self, tenants: Iterable[str]) -> None:
        self._tenants = tuple(tenants)
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

    def count(self, sessions: Iterable[tuple[Session, float]], now: float) -> None:
        """Sets the gauges to what there is at `now`, epoch seconds; with each session, when it was heard of last."""
        states: Counter[tuple[str, str]] = Counter()
        unwatched: Counter[tuple[str, str]] = Counter()
        faulty: Counter[tuple[str, str]] = Counter()
        oldest: dict[str, float] = {}
        silent: dict[str, float] = {}
        for session, heard_at in sessions:
            states[session.source, session.state] += 1
            faulty[session.source, session.tenant] += session.fault is not None
            if session.state is SessionState.ACTIVE:
                silent[session.source] = max(now - heard_at, silent.get(session.source, 0.0))
            if not session.watched and session.wanted == "active":
                unwatched[session.source, session.tenant] += 1
                age = now - (epoch(session.state_at) or now)
                oldest[session.source] = max(age, oldest.get(session.source, 0.0))
        for source in KINDS:
            for state in _SHOWN:
                metrics.SESSIONS.labels(source, state).set(states[source, state])
            for tenant in self._tenants:
                metrics.SESSIONS_UNWATCHED.labels(source, tenant).set(unwatched[source, tenant])
                metrics.SESSIONS_AT_FAULT.labels(source, tenant).set(faulty[source, tenant])
            metrics.SESSIONS_SILENT_SECONDS.labels(source).set(silent.get(source, 0.0))
            metrics.SESSIONS_UNWATCHED_SECONDS.labels(source).set(oldest.get(source, 0.0))
