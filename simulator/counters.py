"""What the simulated vendors have sent and what answers they got, live."""

from collections import Counter
from dataclasses import dataclass, field

from moderato.sources import Source


@dataclass(slots=True)
class Tally:
    """Counts of one source. `sent` counts attempts, and `sent == acknowledged + sum(refused.values())` whenever none
    is in flight. The others count callbacks: made (duplicates not among them), and what was special about them."""

    callbacks: int = 0
    sent: int = 0
    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By reason: an HTTP status, `<status> answer` (a success whose body does not content the vendor), `timeout`,
    `connection`, `cut off` (the simulation ended)."""
    retried: int = 0
    """Attempts after the first one of a delivery."""
    duplicates: int = 0
    late: int = 0
    out_of_order: int = 0
    malformed: int = 0
    given_up: int = 0
    """Deliveries that failed as often as the vendor tries."""
    cut_off: int = 0
    """Deliveries that were still going on, or waiting for their next attempt, when the simulation ended."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.callbacks + other.callbacks,
            self.sent + other.sent,
            self.acknowledged + other.acknowledged,
            self.refused + other.refused,
            self.retried + other.retried,
            self.duplicates + other.duplicates,
            self.late + other.late,
            self.out_of_order + other.out_of_order,
            self.malformed + other.malformed,
            self.given_up + other.given_up,
            self.cut_off + other.cut_off,
        )


class Counters:
    """A tally for each source that takes part."""

    def __init__(self) -> None:
        self.by_source: dict[Source, Tally] = {}

    def of(self, source: Source) -> Tally:
        """The source's tally, made at first use."""
        return self.by_source.setdefault(source, Tally())

    @property
    def total(self) -> Tally:
        """The sum over all sources."""
        return sum(self.by_source.values(), Tally())
