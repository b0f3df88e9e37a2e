"""Whether a stage gets on: the time for which work has been due and none was finished."""

import asyncio
import io
import time
from collections.abc import Callable


class Progress:
    """`clock` in seconds. Begins with nothing due."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = False
        self._last = clock()

    def due(self, due: bool) -> None:
        """Says whether there is work: records in hand, or in Kafka and not fetched."""
        if due and not self._due:
            self._last = self._clock()
        self._due = due

    def made(self) -> None:
        """Work was finished, or could not be for a reason that lies elsewhere: the time begins anew."""
        self._last = self._clock()

    def still(self) -> float:
        """Seconds for which work has been due without any being finished; 0 when none is due."""
        return self._clock() - self._last if self._due else 0.0


def stacks() -> str:
    """Where every task of this process's event loop stands."""
    text = io.StringIO()
    for task in asyncio.all_tasks():
        task.print_stack(file=text)
    return text.getvalue()
