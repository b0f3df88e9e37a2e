"""Dead letters: the original bytes and headers of what could not be used, with where it came from and why.

What this adds are the headers `dl_*`; a replay takes them off again, but for the number of attempts, so that a record
that fails once more says how often it has.
"""

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.codec import Header
from moderato.errors import Poison

_MAX_REASON = 500  # bytes; a parser's message can quote a whole body
_MAX_STACK = 4096  # bytes; the innermost frames
_MAX_KEPT = 4_000_000  # bytes; the dead letters' topic takes 4 MiB, with the headers that come on top
_MAX_QUOTE = 200  # characters of a reason, in a log
_ATTEMPTS = "dl_attempts"
_KNOWN_TOPICS = frozenset(topic.name for topic in topics.ALL) - {topics.DEAD_LETTERS}


def dead_letter(record: Record, *, stage: str, reason: str, at: str, stack: str | None = None) -> Message:
    """The dead letter of one consumed record. `at` is RFC 3339; `stack` comes with a fault of ours.

    A record that is too large for the dead letters leaves its value where it is: the header `dl_left_out` says how
    many bytes, and the coordinates say where."""
    kept = _kept(record.headers)
    value = record.value
    headers: list[Header] = [
        *kept,
        ("dl_stage", stage.encode()),
        ("dl_reason", _cut(reason, _MAX_REASON)),
        (_ATTEMPTS, str(1 + attempts(record.headers)).encode()),
        ("dl_topic", record.topic.encode()),
        ("dl_partition", str(record.partition).encode()),
        ("dl_offset", str(record.offset).encode()),
        ("dl_at", at.encode()),
    ]
    if stack:
        headers.append(
            ("dl_stack", stack.encode("utf-8", "replace")[-_MAX_STACK:].decode("utf-8", "ignore").encode())
        )
    if (
        value is not None
        and len(value) + sum(len(name) + len(text or b"") for name, text in kept) > _MAX_KEPT
    ):
        headers.append(("dl_left_out", str(len(value)).encode()))
        value = None
    return Message(topics.DEAD_LETTERS, record.key or b"", value, headers)


def last_reason(messages: Sequence[Message]) -> str:
    """Why the last dead letter among `messages` is one, and where its original is: for those who look for a cause."""
    for message in reversed(messages):
        if message.topic == topics.DEAD_LETTERS:
            said = {name: text.decode() for name, text in message.headers if name.startswith("dl_")}
            place = f"{said['dl_topic']} partition {said['dl_partition']} offset {said['dl_offset']}"
            return f"{said['dl_reason'][:_MAX_QUOTE]} ({place})"
    return "none is there"


def reason_of(error: Exception) -> str:
    """Poison says itself what is wrong; anything else is a fault of ours: `Type: message (file:line)`."""
    if isinstance(error, Poison):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    # The place must not be cut off by a message that quotes a body.
    return f"{type(error).__name__}: {_cut(str(error), _MAX_REASON - 150).decode()}{place}"


def stack_of(error: Exception) -> str | None:
    """The calls that led to a fault of ours; None for Poison, which is nobody's fault here."""
    return None if isinstance(error, Poison) else "".join(traceback.format_tb(error.__traceback__))


def attempts(headers: Iterable[Header]) -> int:
    """How often a record has come to the dead letters before; 0 for one that never has."""
    for name, text in headers:
        if name == _ATTEMPTS and text and len(text) < 10 and text.isdigit():
            return int(text)
    return 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the record of a dead letter was consumed."""

    topic: str
    partition: int
    offset: int


def origin(letter: Record) -> Origin:
    """Raises Poison for a message in the dead letters that does not say where it came from."""
    found = {name: text for name, text in letter.headers if name.startswith("dl_")}
    topic, partition, offset = (found.get(f"dl_{name}") or b"" for name in ("topic", "partition", "offset"))
    if not topic or not partition.isdigit() or not offset.isdigit():
        raise Poison("no dl_topic, dl_partition and dl_offset: no dead letter of ours")
    return Origin(topic.decode("utf-8", "replace"), int(partition), int(offset))


def original(letter: Record) -> Record:
    """The record as it was consumed, but for its timestamp, which is the letter's. Raises Poison as `origin` does."""
    where = origin(letter)
    return ConsumerRecord(
        where.topic,
        where.partition,
        where.offset,
        letter.timestamp,
        letter.timestamp_type,
        letter.key,
        letter.value,
        None,
        letter.serialized_key_size,
        letter.serialized_value_size,
        tuple(_kept(letter.headers)),
    )


def revived(letter: Record) -> Message:
    """What a replay publishes: the original key, value and headers, to the topic it came from, attempts kept.

    Raises Poison when that topic is none of ours to write to, or when the letter does not hold the value."""
    topic = origin(letter).topic
    if topic not in _KNOWN_TOPICS:
        raise Poison(f"it says that it came from {topic[:100]!r}, which is no topic of a stage's")
    for name, text in letter.headers:
        if name == "dl_left_out":
            raise Poison(f"its value was too large to be kept ({text.decode('ascii', 'replace')} bytes)")
    number = str(attempts(letter.headers)).encode()
    return Message(topic, letter.key or b"", letter.value, [*_kept(letter.headers), (_ATTEMPTS, number)])


def _kept(headers: Iterable[Header]) -> list[Header]:
    # A dead letter that was replayed and failed again must not carry two sets of coordinates.
    return [(name, text) for name, text in headers if not name.startswith("dl_")]


def _cut(text: str, size: int) -> bytes:
    """`size` bytes of UTF-8 at most, with no character cut in half."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode()
