"""How many different people or rooms there were, and which came up most, in bounded memory. Pure."""

from collections import Counter

MOST = 10_000
"""Different ones that are told apart; there are `more` beyond."""
_NAMED = 1_000  # that are counted by name, of which those below the middle make room for others


class Subjects:
    """About 0.8 MB at most."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._named: Counter[str] = Counter()
        self.more = False
        """Whether there are more than can be told apart."""

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, name: str) -> None:
        """Counts one."""
        key = hash(name)
        if key not in self._seen:
            if len(self._seen) < MOST:
                self._seen.add(key)
            else:
                self.more = True
        self._named[name] += 1
        if len(self._named) > _NAMED:
            self._named = Counter(dict(self._named.most_common(_NAMED // 2)))

    def top(self, number: int) -> list[tuple[str, int]]:
        """Those that came up most, and how often. One that was forgotten on the way is counted too low."""
        return sorted(self._named.items(), key=lambda item: (-item[1], item[0]))[:number]
