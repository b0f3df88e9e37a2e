"""Counts by the hour, put together so that a plot of them is not too wide. Pure."""

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_WIDTHS = (1, 2, 3, 4, 6, 12, 24)
_DAY = 24


class Scale(NamedTuple):
    """Hours since 1970, `wide` of them in each place: a divisor of a day or whole days, counted from midnight UTC."""

    first: int
    places: int
    wide: int

    @classmethod
    def of(cls, hours: Iterable[int], most: int) -> "Scale":
        """From the first to the last of `hours`, of which there is one at least, in at most `most` places, which are
        2 at least."""
        known = sorted(hours)
        days = itertools.count(max(2, (known[-1] - known[0]) // (_DAY * most)))
        for wide in itertools.chain(_WIDTHS, (_DAY * number for number in days)):
            begin, end = known[0] // wide, known[-1] // wide
            if end - begin < most:
                break
        return cls(begin * wide, end - begin + 1, wide)

    @property
    def span(self) -> str:
        """In words: "hour", "6 hours", "day", "3 days"."""
        number, unit = (self.wide // _DAY, "day") if self.wide >= _DAY else (self.wide, "hour")
        return unit if number == 1 else f"{number} {unit}s"

    def binned(self, hours: Mapping[int, int]) -> list[int]:
        """Counts by place; hours outside are left out."""
        counts = [0] * self.places
        for hour, count in hours.items():
            place = (hour - self.first) // self.wide
            if 0 <= place < self.places:
                counts[place] += count
        return counts
