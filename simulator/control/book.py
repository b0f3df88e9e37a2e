"""What the vendors know: every task ever started, and every call that arrived."""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from moderato.sources import Source

_CALLS = 100_000  # kept, the latest; the counts are of all


class State(StrEnum):
    """Of a task. `died`: it ended at the vendor and nobody asked for it."""

    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"
    DIED = "died"


@dataclass(slots=True)
class Task:
    """One moderation task. `key` is what the vendor recognises a second start by, `details` what it was given."""

    source: Source
    account: str
    id: str
    room: str
    key: str
    started: float
    callbacks: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict, repr=False)
    state: State = State.RUNNING
    ended: float | None = None
    reports: int = 0
    silent: bool = False

    def shown(self) -> dict[str, object]:
        """Without what it was given: there are secrets in it."""
        return {
            "source": self.source,
            "account": self.account,
            "id": self.id,
            "room": self.room,
            "state": self.state,
            "started": self.started,
            "ended": self.ended,
            "reports": self.reports,
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One request that arrived, and the HTTP status of its answer; 0 when the connection was cut instead."""

    at: float
    vendor: str
    operation: str
    status: int
    fault: str | None


class Book:
    """Tasks by id and by what makes them the same, and calls in the order of their answers."""

    def __init__(self) -> None:
        self.tasks: dict[tuple[Source, str], Task] = {}
        self.calls: deque[Call] = deque(maxlen=_CALLS)
        self.counts: Counter[str] = Counter()
        self._running: dict[tuple[Source, str], Task] = {}

    def start(self, task: Task) -> Task:
        """Enters a new running task."""
        self.tasks[task.source, task.id] = task
        self._running[task.source, task.key] = task
        return task

    def running(self, source: Source, key: str) -> Task | None:
        """The running task that a start with this key would repeat."""
        return self._running.get((source, key))

    def all_running(self) -> list[Task]:
        """Of every vendor."""
        return [task for task in self._running.values() if task.state is State.RUNNING]

    def end(self, task: Task, state: State, now: float) -> None:
        """The task runs no longer."""
        task.state, task.ended = state, now
        if self._running.get((task.source, task.key)) is task:
            del self._running[task.source, task.key]

    def record(self, call: Call) -> None:
        """Enters a call that was answered or cut off."""
        self.calls.append(call)
        self.counts[f"{call.vendor}.{call.operation}"] += 1
