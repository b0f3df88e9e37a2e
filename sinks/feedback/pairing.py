"""Which of a machine's verdicts a person has decided on, and what of it the person upheld. Pure.

Vendors do not say which verdict a reviewer had before them. A person's verdict concerns machine verdicts of the same
tenant and source that came before it, in the same task or the same room, and of the same user where both name one:

- all of the same segment, or whose span overlaps, where both say which segment or span it was;
- else the newest one, when the two happened within ten minutes of each other.

Only what a machine flagged (review or block) is kept: a person who flags what no machine did is a miss of the machine,
whether that heard nothing or sent nothing.
"""

from collections import deque
from dataclasses import dataclass
from itertools import chain
from sys import intern
from typing import Any, Literal, NamedTuple

from moderato.records import Decision, Judge
from moderato.times import epoch
from sinks.events import text_in
from sinks.feedback.seen import Seen

NEAR = 600.0
"""Seconds between a machine's verdict and a person's that say nothing of a segment or a span."""
KEPT = 50_000
"""Flagged verdicts of machines that are kept for people to come: the newest, about 900 bytes each."""
_IDS = 100_000
# Every verdict is looked at: a member of an enum takes four times as long to look up and compare.
_MACHINE, _PASS = str(Judge.MACHINE), str(Decision.PASS)

_Span = tuple[int, float, float]  # the clock, seconds, seconds

Outcome = Literal["confirmed", "refuted", "missed", "cleared"]
OUTCOMES: tuple[Outcome, ...] = ("confirmed", "refuted", "missed", "cleared")


class Opinion(NamedTuple):
    """What a person's verdict says of a machine's: `confirmed` when both flagged, `refuted` when the person let pass
    what the machine flagged, `missed` when the machine flagged nothing of what the person did, `cleared` when neither
    did. `category` is the machine's where it flagged, else the person's; `mark` is what came with the machine's."""

    outcome: Outcome
    source: str
    category: str
    mark: Any = None


@dataclass(slots=True)
class _Flagged:
    # Hashes of names: smaller than these, of which none is told.
    lines: tuple[int, ...]
    segment: int | None
    user: int | None
    span: _Span | None
    at: float
    category: str
    mark: Any
    settled: bool = False


class Pairing:
    """The flagged verdicts of machines, the latest `most`; the oldest makes room. A verdict is paired once, with the
    first person who decides on it."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._order: deque[_Flagged] = deque()
        self._lines: dict[int, list[_Flagged]] = {}
        self._seen = Seen(_IDS)

    def __len__(self) -> int:
        return len(self._order)

    def take(self, verdict: dict[str, Any], mark: Any = None) -> list[Opinion]:
        """Keeps a machine's verdict, with its `mark`; of a person's tells what it says of machines'. Nothing of one
        that came before, that nobody judged (`degraded`), or whose time is none."""
        person = verdict["judge"] != _MACHINE
        flagged = verdict["decision"] != _PASS
        if not (person or flagged) or verdict.get("degraded") is True:
            return []
        at = epoch(verdict["occurred_at"])
        if at is None or not self._seen.first_time(verdict["tenant"], verdict["source"], verdict["id"]):
            return []
        if person:
            return self._decided(verdict, at, flagged=flagged)
        self._keep(
            _Flagged(
                _lines(verdict),
                _name(verdict, "segment_id"),
                _name(verdict, "user"),
                _span(verdict),
                at,
                intern(verdict["category"]),
                mark,
            )
        )
        return []

    def _keep(self, entry: _Flagged) -> None:
        self._order.append(entry)
        for line in entry.lines:
            self._lines.setdefault(line, []).append(entry)
        if len(self._order) > self._most:
            for line in self._order.popleft().lines:
                del self._lines[line][0]  # the oldest of all is the oldest of its lines
                if not self._lines[line]:
                    del self._lines[line]

    def _decided(self, verdict: dict[str, Any], at: float, *, flagged: bool) -> list[Opinion]:
        source = verdict["source"]
        segment, user, span = _name(verdict, "segment_id"), _name(verdict, "user"), _span(verdict)
        exact: dict[int, _Flagged] = {}
        near: _Flagged | None = None
        # The task last: its newest is nearer than another's in the same room.
        for entry in chain.from_iterable(self._lines.get(line, ()) for line in reversed(_lines(verdict))):
            if None not in (user, entry.user) and user != entry.user:
                continue
            same = _same(segment, span, entry)
            if same:
                exact[id(entry)] = entry
            elif same is None and abs(entry.at - at) <= NEAR:
                near = entry
        found = list(exact.values()) or ([near] if near else [])
        if not found:
            return [Opinion("missed" if flagged else "cleared", source, verdict["category"])]
        new = [entry for entry in found if not entry.settled]
        for entry in new:
            entry.settled = True
        return [
            Opinion("confirmed" if flagged else "refuted", source, entry.category, entry.mark)
            for entry in new
        ]


def _lines(verdict: dict[str, Any]) -> tuple[int, ...]:
    """Where a verdict is looked for: its task and its room."""
    names = [(name, found) for name in ("task_id", "room") if (found := text_in(verdict, name))]
    # Without either nothing but a verdict of the same id would be meant.
    names = names or [("id", verdict["id"])]
    return tuple(hash((verdict["tenant"], verdict["source"], *name)) for name in names)


def _name(verdict: dict[str, Any], field: str) -> int | None:
    text = text_in(verdict, field)
    return hash(text) if text else None


def _same(segment: int | None, span: _Span | None, entry: _Flagged) -> bool | None:
    """Whether both are of the same piece of content; None when that is not said."""
    if segment is not None and entry.segment is not None:
        return segment == entry.segment
    if span and entry.span and span[0] == entry.span[0]:
        return span[1] < entry.span[2] and entry.span[1] < span[2]
    return None


def _span(verdict: dict[str, Any]) -> _Span | None:
    span = verdict.get("span")
    if not isinstance(span, dict):
        return None
    clock, start, end = span.get("clock"), span.get("start"), span.get("end")
    if not isinstance(clock, str) or not isinstance(start, int | float) or not isinstance(end, int | float):
        return None
    # Seconds of a stream are those of one task.
    return hash(clock if clock == "epoch" else (clock, text_in(verdict, "task_id"))), start, end
