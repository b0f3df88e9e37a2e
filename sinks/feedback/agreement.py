"""How far two vendors agree who listened to the same room at the same time. Pure.

The time of a room is cut into minutes. Two sources watched a minute together when the machine of each gave a verdict
on it, a pass included; each flagged it or did not. A vendor that is set up to report only what it flags is therefore
seen in the minutes that it flags, and nowhere else.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, NamedTuple

from moderato.records import Decision, Judge
from moderato.sources import Source
from moderato.times import epoch, rfc3339
from sinks.events import text_in

OPEN = 600.0
"""Seconds from the first verdict on a minute until it is counted: others may come so late."""
KEPT = 50_000
"""Minutes of rooms that are open at once; the oldest is counted early to make room. About 350 bytes each."""
# Every verdict is looked at: a member of an enum takes four times as long to look up and compare.
_MACHINE, _PASS = str(Judge.MACHINE), str(Decision.PASS)
_MINUTE = len("2026-11-21T08:43")
_SECOND = len("2026-11-21T08:43:35")

Outcome = Literal["both", "source", "other", "neither"]
OUTCOMES: tuple[Outcome, ...] = ("both", "source", "other", "neither")
_BITS: dict[str, int] = {str(source): 1 << place for place, source in enumerate(Source)}


class Pair(NamedTuple):
    """`source` and `other` watched together, in the order of the closed list of sources; `outcome` says who flagged."""

    source: str
    other: str
    outcome: Outcome


@dataclass(slots=True)
class _Minute:
    opened: float
    watched: int = 0
    flagged: int = 0


class Agreement:
    """Minutes of rooms that are open, and the pairs of those that were counted."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._open: OrderedDict[int, _Minute] = OrderedDict()
        self._now = 0.0
        self._second = ""
        self.pairs: Counter[Pair] = Counter()
        """Counted so far; whoever takes them away may clear it."""

    def __len__(self) -> int:
        return len(self._open)

    def see(self, verdict: dict[str, Any]) -> None:
        """Takes a verdict in. People's are left out, and those that nobody judged (`degraded`), of no room, or whose
        time is none."""
        bit, room = _BITS.get(verdict["source"]), text_in(verdict, "room")
        if not bit or not room or verdict["judge"] != _MACHINE or verdict.get("degraded") is True:
            return
        minute = _minute(verdict["occurred_at"])
        if minute is None:
            return
        self._pass(text_in(verdict, "normalized_at") or verdict["occurred_at"])
        key = hash((verdict["tenant"], room, minute))
        seen = self._open.get(key)
        if seen is None:
            seen = self._open[key] = _Minute(self._now)
            if len(self._open) > self._most:
                self._count(self._open.popitem(last=False)[1])
        seen.watched |= bit
        if verdict["decision"] != _PASS:
            seen.flagged |= bit

    def finish(self) -> None:
        """Counts all that is open: nothing comes any more."""
        while self._open:
            self._count(self._open.popitem(last=False)[1])

    def _pass(self, text: str) -> None:
        if text[:_SECOND] == self._second:
            return
        self._second = text[:_SECOND]
        self._now = max(self._now, epoch(text) or 0.0)
        while self._open:
            seen = next(iter(self._open.values()))
            if seen.opened + OPEN > self._now:
                return
            self._open.popitem(last=False)
            self._count(seen)

    def _count(self, seen: _Minute) -> None:
        if not seen.watched & (seen.watched - 1):
            return  # one alone
        sources = [(name, bool(seen.flagged & bit)) for name, bit in _BITS.items() if seen.watched & bit]
        for (source, first), (other, second) in combinations(sources, 2):
            outcome: Outcome = (
                "both" if first and second else "source" if first else "other" if second else "neither"
            )
            self.pairs[Pair(source, other, outcome)] += 1


def _minute(text: str) -> str | None:
    """The minute of a time, in UTC as records have it."""
    if text[-1:] != "Z":
        text = rfc3339(epoch(text) or -1.0) or ""
    return text[:_MINUTE] or None
