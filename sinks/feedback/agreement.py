"""How far two vendors agree who listened to the same room at the same time. Pure.

The time of a room is cut into minutes. Two sources watched a minute together when the machine of each gave a verdict
on it, a pass included; each flagged it or did not. A vendor that is set up to report only what it flags is therefore
seen in the minutes that it flags, and nowhere else.
"""

from collections import Counter, OrderedDict
from itertools import combinations
from typing import Any, Literal, NamedTuple

from moderato.records import Decision, Judge
from moderato.sources import Source
from moderato.times import epoch
from sinks.events import text_in

SLOT = 60.0
"""Seconds of a room that are compared."""
OPEN = 600.0
"""Seconds after which a minute is counted: verdicts on it may come so late."""
KEPT = 50_000
"""Minutes of rooms that are open at once; the oldest is counted early to make room. About 400 bytes each."""

Outcome = Literal["both", "source", "other", "neither"]
OUTCOMES: tuple[Outcome, ...] = ("both", "source", "other", "neither")
_BITS: dict[str, int] = {str(source): 1 << place for place, source in enumerate(Source)}


class Pair(NamedTuple):
    """`source` and `other` watched together, in the order of the closed list of sources; `outcome` says who flagged."""

    source: str
    other: str
    outcome: Outcome


class Agreement:
    """Minutes of rooms that are open, and the pairs of those that were counted."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._open: OrderedDict[tuple[int, int], list[int]] = OrderedDict()
        self._latest = 0.0
        self.pairs: Counter[Pair] = Counter()
        """Counted so far; whoever takes them away may clear it."""

    def __len__(self) -> int:
        return len(self._open)

    def see(self, verdict: dict[str, Any]) -> None:
        """Takes a verdict in. People's are left out, and those that nobody judged (`degraded`), of no room, or whose
        time is none."""
        bit, room = _BITS.get(verdict["source"]), text_in(verdict, "room")
        if not bit or not room or verdict["judge"] != Judge.MACHINE or verdict.get("degraded") is True:
            return
        at = epoch(verdict["occurred_at"])
        if at is None:
            return
        known = epoch(text_in(verdict, "normalized_at") or "")
        if known is not None:
            at = min(at, known)  # a clock that is ahead must not keep a minute open
        self._close(at if known is None else known)
        key = (hash((verdict["tenant"], room)), int(at // SLOT))
        watched = self._open.get(key)
        if watched is None:
            watched = self._open[key] = [0, 0]
            if len(self._open) > self._most:
                self._count(*self._open.popitem(last=False)[1])
        watched[0] |= bit
        if verdict["decision"] != Decision.PASS:
            watched[1] |= bit

    def finish(self) -> None:
        """Counts all that is open: nothing comes any more."""
        while self._open:
            self._count(*self._open.popitem(last=False)[1])

    def _close(self, now: float) -> None:
        self._latest = max(self._latest, now)
        while self._open:
            (_, slot), (watched, flagged) = next(iter(self._open.items()))
            if (slot + 1) * SLOT + OPEN > self._latest:
                return
            self._open.popitem(last=False)
            self._count(watched, flagged)

    def _count(self, watched: int, flagged: int) -> None:
        if not watched & (watched - 1):
            return  # one alone
        sources = [(name, bool(flagged & bit)) for name, bit in _BITS.items() if watched & bit]
        for (source, first), (other, second) in combinations(sources, 2):
            outcome: Outcome = (
                "both" if first and second else "source" if first else "other" if second else "neither"
            )
            self.pairs[Pair(source, other, outcome)] += 1
