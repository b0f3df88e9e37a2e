"""When a stage must stop rather than go on filling the dead letters.

One bad record stops nothing. But when a deployment has broken a mapping, or a vendor sends something altogether new,
every record is a bad one, and a stage that goes on would empty its topic into the dead letters. It is better to
halt, with the records still in their topic and their offsets not committed, until somebody has looked.
"""

from collections import deque

from moderato.settings import DeadLetters

WINDOW = 10_000  # records over which the share is taken
_FEWEST = 1_000  # records that must have been seen before a share says something


class DeadLetterLimit:
    """Watches what share of a stage's records are dead letters, batch by batch."""

    def __init__(self, settings: DeadLetters) -> None:
        self._max_consecutive = settings.max_consecutive
        self._max_share = settings.max_share
        self._consecutive = 0
        self._batches: deque[tuple[int, int]] = deque()
        self._seen = 0
        self._dead = 0

    def exceeded(self, records: int, dead: int) -> str | None:
        """Takes one batch into account, before it is written: why the stage must halt, or None.

        A batch says how many of its records are dead letters, not which: a run goes on over batches in which all
        are, and ends with the first that holds a good one."""
        self._consecutive = self._consecutive + dead if dead == records else 0
        self._batches.append((records, dead))
        self._seen += records
        self._dead += dead
        while self._seen - self._batches[0][0] >= WINDOW:
            oldest, oldest_dead = self._batches.popleft()
            self._seen -= oldest
            self._dead -= oldest_dead
        if self._consecutive >= self._max_consecutive:
            return (
                f"{self._consecutive:,} records in a row would go to the dead letters "
                f"(dead_letters.max_consecutive is {self._max_consecutive:,})"
            )
        if self._seen >= _FEWEST and self._dead > self._max_share * self._seen:
            return (
                f"{self._dead:,} of the last {self._seen:,} records would go to the dead letters "
                f"(dead_letters.max_share is {self._max_share:g})"
            )
        return None
