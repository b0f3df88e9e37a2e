"""A circuit breaker: an endpoint that does not answer is left alone for a while, and those behind it need not wait."""

from collections.abc import Callable
from typing import Literal, TypeAlias

_FAILURES = 5  # in a row
_FIRST_REST = 5.0  # seconds; twice as long after each probe that fails
_LONGEST_REST = 60.0

State: TypeAlias = Literal["closed", "open", "gone"]


class Breaker:
    """Closed, it lets everything through; after several outages in a row it is open and lets one through after a rest,
    whose end decides. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._rest = _FIRST_REST
        self._until = 0.0
        self.state: State = "closed"

    def refuses(self) -> str | None:
        """Why nothing is tried now. None lets one through, and whoever asked has to say what became of it."""
        if self.state == "gone":
            return "not tried: it has answered that it wants no more"
        if self.state == "open":
            if self._clock() < self._until:
                return f"not tried: {self._failures} failures in a row"
            self._until = self._clock() + self._rest  # nobody else until this one has ended
        return None

    def succeeded(self) -> None:
        """It was answered as it should be, whatever the answer."""
        if self.state != "gone":
            self.state, self._failures, self._rest = "closed", 0, _FIRST_REST

    def failed(self) -> None:
        """Nobody answered as they should."""
        self._failures += 1
        if self.state == "open":
            self._rest = min(2 * self._rest, _LONGEST_REST)
        if self._failures >= _FAILURES and self.state != "gone":
            self.state = "open"
            self._until = self._clock() + self._rest

    def gone(self) -> None:
        """Whoever is there wants no more, ever."""
        self.state = "gone"
