"""What a source's file is given (`Moment`), what it gives (`Told`, `Wire`), and what is posted (`Callback`)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from moderato.sources import Source
from simulator.delivery_rules import Accepts, DeliveryRules
from simulator.rooms import Decision, Segment

Object = dict[str, Any]
Secrets = Mapping[str, str]

_MARK = re.compile(rb"sim([0-9]{10})")


def mark(sequence: int) -> str:
    """The text by which callback number `sequence` can be found again in its body, whatever the encoding around it."""
    return f"sim{sequence:010d}"


def sequence_in(body: bytes) -> int | None:
    """The sequence number of a simulated callback; None when the body carries none."""
    found = _MARK.search(body)
    return int(found.group(1)) if found else None


@dataclass(frozen=True, slots=True)
class Moment:
    """One occasion on which a vendor has something to tell.

    `event` asks for news of the task or the room instead of a judgement; `task` is the vendor's id of the running
    moderation, 32 hexadecimal digits; `sent` is the vendor's clock, epoch seconds."""

    sequence: int
    segment: Segment
    event: bool
    task: str
    sent: float
    secrets: Secrets
    random: Random

    @property
    def mark(self) -> str:
        return mark(self.sequence)


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement in a callback: the decision, and the vendor's own code of the deciding label."""

    decision: Decision
    label: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the vendor tells: JSON content, the vendor's id of it, and the judgements in it in their order.

    `ends_task`: nothing more comes for this task. `accepts`: when this kind of callback wants another answer than the
    vendor's others."""

    content: Any
    identity: str
    judgements: tuple[Judged, ...] = ()
    ends_task: bool = False
    accepts: Accepts | None = None


@dataclass(frozen=True, slots=True)
class Wire:
    """A signed HTTP request: content type, further headers, body."""

    content_type: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What a receiver should find in a callback. `identity` is the vendor's own id of it, which duplicates share (and
    other callbacks of the task where the vendor has none per callback); `readable` is False for broken content. A
    failed file has no judgements, though a receiver may well have it looked at by a person."""

    identity: str
    judgements: tuple[Judged, ...]
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Callback:
    """Everything that is needed to post one callback, and to know it again on the other side."""

    source: Source
    url: str
    content_type: str
    headers: dict[str, str]
    body: bytes
    sequence: int
    expected: Expected
    accepts: Accepts
    content: bytes = field(repr=False)
    secrets: Secrets = field(repr=False)


@dataclass(frozen=True, slots=True)
class SimulatedSource:
    """A registry entry. `secrets` names what `seal` needs to sign; `restamp` changes the content for a repeated
    delivery, where the vendor does so: (content, epoch seconds) -> content."""

    tell: Callable[[Moment], Told]
    seal: Callable[[bytes, Secrets, float, Random], Wire]
    delivery: DeliveryRules
    secrets: tuple[str, ...] = ()
    restamp: Callable[[bytes, float], bytes] | None = None


def compact(content: Any) -> bytes:
    """JSON without spaces, in UTF-8, keys in the order given."""
    return orjson.dumps(content)


def compact_text(content: Any) -> str:
    """`compact` as text, for JSON inside a string."""
    return orjson.dumps(content).decode()


def unsigned(content: bytes, secrets: Secrets, sent: float, random: Random) -> Wire:
    """`seal` of vendors that sign nothing. Their Content-Type is undocumented: both usual spellings occur."""
    content_type = random.choice(("application/json", "application/json;charset=utf-8"))
    return Wire(content_type, {}, content)


def milliseconds(epoch: float) -> int:
    """Epoch seconds -> epoch milliseconds."""
    return round(epoch * 1000)
