"""A bounded memory of ids: a vendor that repeats itself must not kick anybody twice."""

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST = 100_000  # ids, about 20 MiB
_SECONDS = 25 * 3600.0  # Yidun repeats a callback for 24 hours


class Recent:
    """The newest ids, each for a day: memory of this process, not more. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def add(self, id: str) -> None:
        """Remembers an id; the oldest goes when there are too many."""
        self._until[id] = self._clock() + _SECONDS
        self._until.move_to_end(id)
        if len(self._until) > self._most:
            self._until.popitem(last=False)

    def __contains__(self, id: str) -> bool:
        until = self._until.get(id)
        return until is not None and until > self._clock()
