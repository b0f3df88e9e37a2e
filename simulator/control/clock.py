"""The vendors' clock, which tests move."""

import time


class Clock:
    """Real time and what it was moved by."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Epoch seconds."""
        return time.time() + self._offset

    def move(self, seconds: float) -> None:
        """Forwards, or backwards when negative."""
        self._offset += seconds
