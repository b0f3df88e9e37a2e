"""How many different things there were within a time. Pure: no clock, no I/O.

Exact up to 4,096. Of more, every second one is kept, then every fourth and so on, chosen by hash, and each stands for
those that are not: then it is an estimate that is seldom off by 5 %, in the same memory.
"""

from collections import OrderedDict

_MOST = 4096


class Distinct:
    """The things of the last `within` seconds. Times must not go back by more than is of no matter."""

    def __init__(self, within: float, most: int = _MOST) -> None:
        self._within = within
        self._most = most
        self._mask = 0
        # By hash: when it was seen last, and for how many it stands.
        self._kept: OrderedDict[int, tuple[float, int]] = OrderedDict()

    def add(self, thing: str, at: float) -> None:
        """Takes in what was seen at a time in seconds."""
        mark = hash(thing)
        if mark & self._mask:
            return
        self._kept[mark] = at, self._mask + 1
        self._kept.move_to_end(mark)
        if len(self._kept) > self._most:
            self._forget(at)
            while len(self._kept) > self._most:
                self._mask = 2 * self._mask + 1
                self._kept = OrderedDict(
                    (mark, (seen, max(stands, self._mask + 1)))
                    for mark, (seen, stands) in self._kept.items()
                    if not mark & self._mask
                )

    def number(self, at: float) -> int:
        """How many there are at a time in seconds."""
        self._forget(at)
        if len(self._kept) < self._most // 4:
            # Those that are seen from now on are chosen less strictly; the kept ones go on standing for the others.
            self._mask >>= 1
        return sum(stands for _, stands in self._kept.values())

    def _forget(self, at: float) -> None:
        oldest = at - self._within
        kept = self._kept
        while kept and next(iter(kept.values()))[0] <= oldest:
            kept.popitem(last=False)
