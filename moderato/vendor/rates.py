"""Rate limits, as the vendors count them: so many calls in so many seconds, by vendor and account.

One process keeps one bucket an account. Calls are spaced evenly instead of sent in bursts, since a burst at the end of
one of the vendor's windows and another at the beginning of the next are too many for a window that lies across.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_MARGIN = 1.05  # calls do not arrive as evenly as they are sent


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` in any `seconds`."""

    calls: int
    seconds: float = 1.0

    @property
    def spacing(self) -> float:
        """Seconds between two calls."""
        return self.seconds / self.calls * _MARGIN


class Bucket:
    """A token bucket that holds one token. Calls pass in the order in which they came, each at least a spacing after
    the one before it really passed: what a busy machine holds up is not made good by a burst."""

    def __init__(self, rate: Rate, clock: Callable[[], float], sleep: Sleep) -> None:
        self._spacing = rate.spacing
        self._clock = clock
        self._sleep = sleep
        self._next = float("-inf")
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def take(self, patience: float) -> bool:
        """Waits for a turn. False, at once, when it would come later than `patience` seconds from now."""
        if max(0.0, self._next - self._clock()) + self._waiting * self._spacing > patience:
            return False
        self._waiting += 1
        try:
            async with self._turn:
                while (wait := self._next - self._clock()) > 0:
                    await self._sleep(wait)
                self._next = self._clock() + self._spacing
        finally:
            self._waiting -= 1
        return True

    def pause(self, seconds: float) -> None:
        """The vendor says "later": no turn before that."""
        self._next = max(self._next, self._clock() + seconds)


class Rates:
    """The buckets of one process, made at their first use."""

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self.sleep = sleep

    def clock(self) -> float:
        """Seconds, monotonic: the event loop's, unless another was given."""
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    def bucket(self, vendor: str, account: str, name: str, rate: Rate) -> Bucket:
        """The one of this vendor, account and limit."""
        key = (vendor, account, name)
        if key not in self._buckets:
            self._buckets[key] = Bucket(rate, self.clock, self.sleep)
        return self._buckets[key]
