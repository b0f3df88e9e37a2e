"""How often something was counted of a subject within a time, by the time at which it happened. Pure: no clock, no I/O.

What a strike counts is a function of the strikes before it in the log, whatever their order in time: the most that any
stretch of `within` seconds that holds it has seen. So whoever reads the same log comes to the same numbers, from
however far back it begins, as long as that is at least `within` and the lateness.
"""

import struct
from collections import OrderedDict

LATENESS = 3600.0
"""Seconds after which a strike that becomes known is too late to be counted."""
MOST = 256
"""Strikes that are kept of one subject: the newest. No count may ask for more than `MOST_ASKED`."""
MOST_ASKED = 100

_ENTRY = struct.Struct("<dqq")  # when, the hash of the strike's id, that of what must be distinct


class Windows:
    """The strikes of the latest subjects, at most `capacity` of them; 24 bytes a strike.

    Ids and subjects are kept as 64-bit hashes, keyed anew in each process: two of a million meet with a probability of
    one to thirty million, and nobody outside can bring it about."""

    def __init__(self, capacity: int, lateness: float = LATENESS) -> None:
        self._capacity = capacity
        self._lateness = lateness
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self.late = 0
        """Strikes that were not counted since they became known too late."""
        self.evicted = 0
        """Subjects that made room for others."""

    def __len__(self) -> int:
        return len(self._kept)

    def count(
        self,
        counted: str,
        subject: str,
        strike: str,
        *,
        at: float,
        known: float,
        within: float,
        distinct: str | None = None,
    ) -> int:
        """Takes a strike in and tells how many there are with it; 0 when it is here already, or too late.

        `counted` names what is counted (a rule), `at` is when it happened and `known` when it became known, both epoch
        seconds. With `distinct`, strikes of the same value count once."""
        at = min(at, known)  # a clock that is ahead must not move a strike out of everybody's window
        if at <= known - self._lateness:
            self.late += 1
            return 0
        key = hash((counted, subject))
        name = hash(strike)
        mark = name if distinct is None else hash(distinct)
        oldest = known - self._lateness - within
        found = self._kept.get(key)
        if found is None:
            self._kept[key] = _ENTRY.pack(at, name, mark)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
                self.evicted += 1
            return 1
        kept = [entry for entry in _ENTRY.iter_unpack(found) if entry[0] > oldest]
        if any(entry[1] == name for entry in kept):
            return 0
        kept.append((at, name, mark))
        kept.sort()
        if len(kept) > MOST:
            del kept[0]
        self._kept[key] = b"".join([_ENTRY.pack(*entry) for entry in kept])
        self._kept.move_to_end(key)
        return _most(kept, at, within)


def _most(kept: list[tuple[float, int, int]], at: float, within: float) -> int:
    """The most distinct marks in any stretch of `within` seconds that holds `at`; `kept` is in the order of time."""
    near = [entry for entry in kept if at - within < entry[0] < at + within]
    if near[-1][0] - near[0][0] < within:  # as it is nearly always: nothing came out of order
        return len({entry[2] for entry in near})
    return max(
        len({entry[2] for entry in near if end - within < entry[0] <= end})
        for end in {entry[0] for entry in near}
        if end >= at
    )
