"""How many different people or rooms there were, and which came up most, in bounded memory. Pure."""

import math
from collections import Counter

from sinks.policy.distinct import Distinct

_LONGEST = 200  # characters of a name
_NAMED = 1_000  # that are counted by name, of which those below the middle make room for others


class Subjects:
    """About 1 MB at most."""

    def __init__(self) -> None:
        self._distinct = Distinct(math.inf)
        self._named: Counter[str] = Counter()

    def __len__(self) -> int:
        """Of many an estimate: see distinct.py."""
        return self._distinct.number(0.0)

    def add(self, name: str) -> None:
        """Counts one."""
        self._distinct.add(name, 0.0)
        self._named[name[:_LONGEST]] += 1
        if len(self._named) > _NAMED:
            self._named = Counter(dict(self._named.most_common(_NAMED // 2)))

    def top(self, number: int) -> list[tuple[str, int]]:
        """Those that came up most, and how often. One that was forgotten on the way is counted too low."""
        return sorted(self._named.items(), key=lambda item: (-item[1], item[0]))[:number]
