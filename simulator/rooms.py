"""Rooms with people in them, some of whom misbehave: what happened on air, before any vendor has judged it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from simulator.transcripts import HARMLESS, MISBEHAVING, Line, Theme

Decision = Literal["pass", "review", "block"]

SEGMENT_SECONDS = 10  # of stream time, as the vendors cut it

_VICES = [theme for theme in Theme if theme is not Theme.NOVEL]
_GRAVITY: dict[Decision, int] = {"pass": 0, "review": 1, "block": 2}


@dataclass(frozen=True, slots=True)
class Speaker:
    """A member of a room; `vice` is what he or she is given to, None for the well-behaved."""

    uid: int
    account: str
    vice: Theme | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence, what a vendor will decide about it, and with what confidence (0..1)."""

    speaker: Speaker
    line: Line
    decision: Decision
    theme: Theme | None
    score: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Ten seconds of a room: `start` and `end` in epoch seconds, `offset` in seconds since the stream began.

    When a room is driven faster than one segment in ten seconds, `offset` still advances by ten seconds a segment
    while `end` stays at the given time, so that ages stay true; epoch spans of one room then overlap."""

    room: "Room"
    index: int
    start: float
    end: float
    offset: int
    utterances: tuple[Utterance, ...]

    @property
    def worst(self) -> Utterance:
        """The gravest sentence, the first on a tie: it decides about the whole."""
        return max(self.utterances, key=lambda utterance: _GRAVITY[utterance.decision])

    @property
    def text(self) -> str:
        return " ".join(utterance.line.text for utterance in self.utterances)


@dataclass(frozen=True, slots=True)
class Room:
    """A live room. `number` makes its numeric channel id, `name` is the channel name at every vendor."""

    number: int
    name: str
    title: str
    speakers: tuple[Speaker, ...]

    def segment(self, index: int, end: float, decision: Decision, random: Random) -> Segment:
        """The room's `index`-th ten seconds, ending at `end`, judged `decision`: one to three sentences."""
        said = [self._harmless(random) for _ in range(random.randint(0 if decision != "pass" else 1, 2))]
        if decision != "pass":
            said.insert(random.randint(0, len(said)), self._misbehaving(decision, random))
        return Segment(self, index, end - SEGMENT_SECONDS, end, index * SEGMENT_SECONDS, tuple(said))

    def _harmless(self, random: Random) -> Utterance:
        return Utterance(
            random.choice(self.speakers), random.choice(HARMLESS), "pass", None, _score("pass", random)
        )

    def _misbehaving(self, decision: Decision, random: Random) -> Utterance:
        speaker = random.choice([speaker for speaker in self.speakers if speaker.vice])
        theme = Theme.NOVEL if random.random() < 0.03 else speaker.vice
        assert theme is not None
        return Utterance(
            speaker, random.choice(MISBEHAVING[theme]), decision, theme, _score(decision, random)
        )


def _score(decision: Decision, random: Random) -> float:
    if decision == "pass":
        return round(random.uniform(0.90, 0.999), 4)
    if decision == "review":
        return round(random.uniform(0.50, 0.80), 4)
    # One block in eight is a guess, so that the step for low confidence has something to do.
    low, high = (0.35, 0.59) if random.random() < 0.125 else (0.75, 0.999)
    return round(random.uniform(low, high), 4)


_TITLES: Sequence[str] = (
    "深夜电台",
    "一起开黑",
    "才艺秀场",
    "相亲交友",
    "数学小课堂",
    "好物分享",
    "连麦点歌",
    "故事会",
)


def make_rooms(count: int, random: Random) -> tuple[Room, ...]:
    """`count` rooms of four to eight members; one or two of each are given to some vice."""
    return tuple(_room(number, random) for number in range(count))


def _room(number: int, random: Random) -> Room:
    members = [
        Speaker(uid, f"user_{uid}")
        for uid in random.sample(range(10_000_000, 999_999_999), random.randint(4, 8))
    ]
    for place in range(random.randint(1, 2)):
        member = members[place]
        members[place] = Speaker(member.uid, member.account, random.choice(_VICES))
    return Room(number, f"live-{1001 + number}", _TITLES[number % len(_TITLES)], tuple(members))
