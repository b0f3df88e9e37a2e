"""Streams of callbacks: which room has something to tell next, and what goes wrong on its way. Pure, but for its own
seeded chance: the same seed and the same times give the same callbacks, byte for byte."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from moderato.errors import Fatal
from moderato.sources import Source
from simulator.callbacks import make
from simulator.callbacks.contract import Callback, Moment
from simulator.rooms import Decision, Room, make_rooms
from simulator.targets import Target

_TEN_MINUTES = 600.0
_RETRIES_A_DAY = 143


class Kind(StrEnum):
    """What is special about a dispatch."""

    FRESH = "fresh"
    LATE = "late"
    OUT_OF_ORDER = "out_of_order"
    MALFORMED = "malformed"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A callback to be posted after `delay` seconds."""

    callback: Callback
    kind: Kind
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of what vendors tell: judgements by decision, and events of tasks and rooms."""

    passed: float = 0.80
    review: float = 0.08
    block: float = 0.06
    event: float = 0.06

    def __post_init__(self) -> None:
        weights = (self.passed, self.review, self.block, self.event)
        if min(weights) < 0 or sum(weights) <= 0:
            raise Fatal("mix: weights must be 0 or more, and not all of them 0")


@dataclass(frozen=True, slots=True)
class Shares:
    """What goes wrong, as shares (0..1) of all callbacks. The first may befall any; a callback is at most one of the
    other three.

    `late`: tells of a time up to a day ago, as after Yidun's retries. `malformed`: authentic and unreadable."""

    duplicates: float = 0.02
    late: float = 0.01
    out_of_order: float = 0.01
    malformed: float = 0.01

    def __post_init__(self) -> None:
        shares = (self.duplicates, self.late, self.out_of_order, self.malformed)
        if min(shares) < 0 or max(shares) > 1 or sum(shares[1:]) > 1:
            raise Fatal("shares must be 0 to 1, and late, out_of_order and malformed together at most 1")


DEFAULT_MIX = Mix()
# What is broken should be missed: a judgement that somebody had to see.
_MALFORMED_MIX = Mix(passed=0, review=1, block=1, event=0)
DEFAULT_SHARES = Shares()


@dataclass(slots=True)
class Feed:
    """One room as one vendor watches it for one caller: the running task, and how far it has come."""

    room: Room
    source: Source
    url: str
    random: Random
    secrets: Mapping[str, str] = field(repr=False)
    index: int = 0
    task: str = ""

    def __post_init__(self) -> None:
        self.task = self.task or self._new_task()

    def moment(self, sequence: int, happened: float, sent: float, mix: Mix) -> Moment:
        """The next ten seconds of the room, ending at `happened`, told at `sent`; both epoch seconds."""
        random = self.random
        decision: Decision | None = random.choices(
            ("pass", "review", "block", None), (mix.passed, mix.review, mix.block, mix.event)
        )[0]
        segment = self.room.segment(self.index, happened, decision or "pass", random)
        self.index += 1
        return Moment(sequence, segment, decision is None, self.task, sent, self.secrets, random)

    def callback(self, moment: Moment, *, malformed: bool) -> Callback:
        """The moment as the vendor tells it; when it was the last of its task, the room is watched by a new one."""
        callback, told = make(self.source, self.url, moment, malformed=malformed)
        if told.ends_task:
            self.task, self.index = self._new_task(), 0
        return callback

    def _new_task(self) -> str:
        return f"{self.random.getrandbits(128):032x}"


class Traffic:
    """All feeds, taking turns."""

    def __init__(self, feeds: Sequence[Feed], mix: Mix, shares: Shares, random: Random) -> None:
        if not feeds:
            raise Fatal("there is nobody to call: give at least one target and one room")
        self._feeds = feeds
        self._mix = mix
        self._shares = shares
        self._random = random
        self._turn = 0
        self._sequence = 0

    def next(self, now: float) -> list[Dispatch]:
        """What is to be posted on account of the next feed's turn, in this order; `now` in epoch seconds."""
        feed = self._feeds[self._turn % len(self._feeds)]
        self._turn += 1
        dispatches = self._plan(feed, now)
        repeated = [
            Dispatch(dispatch.callback, Kind.DUPLICATE, self._random.uniform(0.05, 1.5))
            for dispatch in dispatches
            if self._random.random() < self._shares.duplicates
        ]
        return dispatches + repeated

    def _plan(self, feed: Feed, now: float) -> list[Dispatch]:
        shares = self._shares
        chance = self._random.random()
        if chance < shares.malformed:
            return [Dispatch(self._callback(feed, now, malformed=True), Kind.MALFORMED)]
        chance -= shares.malformed
        if chance < shares.late:
            age = self._random.randint(1, _RETRIES_A_DAY) * _TEN_MINUTES
            return [Dispatch(self._callback(feed, now, age=age), Kind.LATE)]
        chance -= shares.late
        if chance < shares.out_of_order:
            earlier, later = self._callback(feed, now), self._callback(feed, now)
            return [Dispatch(later, Kind.FRESH), Dispatch(earlier, Kind.OUT_OF_ORDER, 0.1)]
        return [Dispatch(self._callback(feed, now), Kind.FRESH)]

    def _callback(self, feed: Feed, now: float, *, age: float = 0.0, malformed: bool = False) -> Callback:
        # Recognition takes the vendor a moment.
        happened = now - age - self._random.uniform(0.3, 2.0)
        moment = feed.moment(self._sequence, happened, now, _MALFORMED_MIX if malformed else self._mix)
        self._sequence += 1
        return feed.callback(moment, malformed=malformed)


def make_feeds(base_url: str, targets: Sequence[Target], rooms: int, seed: int) -> list[Feed]:
    """Feeds over all targets and all of `rooms` rooms: with eight of both, one room at each source."""
    places = make_rooms(rooms, Random(seed))
    count = max(len(targets), len(places)) if targets and places else 0
    return [
        _feed(base_url, targets[number % len(targets)], places[number % len(places)], f"{seed}/{number}")
        for number in range(count)
    ]


def _feed(base_url: str, target: Target, room: Room, seed: str) -> Feed:
    return Feed(room, target.source, target.url(base_url), Random(seed), target.secrets)
