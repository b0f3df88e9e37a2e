"""Rate limits, as the vendors count them: so many calls in so many seconds, by vendor and account.

One process keeps one bucket an account. Calls are spaced evenly instead of sent in bursts, since a burst at the end of
one of the vendor's windows and another at the beginning of the next are too many for a window that lies across.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_MARGIN = 1.03  # calls do not arrive as evenly as they are sent


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
    """A token bucket that holds one token. Slots are given in the order in which they are asked for."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._spacing = rate.spacing
        self._clock = clock
        self._next = float("-inf")

    def wait(self, patience: float) -> float | None:
        """Reserves the next slot: the seconds until it. None, and nothing reserved, when it is further away than
        `patience` seconds."""
        now = self._clock()
        slot = max(now, self._next)
        if slot - now > patience:
            return None
        self._next = slot + self._spacing
        return slot - now

    def pause(self, seconds: float) -> None:
        """The vendor says "later": no slot before that."""
        self._next = max(self._next, self._clock() + seconds)


class Rates:
    """The buckets of one process, made at their first use."""

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
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
            self._buckets[key] = Bucket(rate, self.clock)
        return self._buckets[key]
