"""At most so many calls in so many seconds, counted as the vendors do: by account, in a sliding window."""

from collections import defaultdict, deque


class Rates:
    """The latest calls by key."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def admits(self, key: str, now: float, most: int, seconds: float) -> bool:
        """Counts the call when there is room for it."""
        calls = self._calls[key]
        while calls and not now - seconds < calls[0] <= now:
            calls.popleft()
        if len(calls) >= most:
            return False
        calls.append(now)
        return True
