"""Dead letters: the original bytes and headers of what could not be used, with where it came from and why."""

from collections.abc import Iterable

from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.publisher import Message
from moderato.codec import Header

_MAX_REASON = 500  # bytes; a parser's message can quote a whole body


def dead_letter(record: "ConsumerRecord[bytes, bytes]", *, stage: str, reason: str, at: str) -> Message:
    """The dead letter of one consumed record. `at` is RFC 3339. Replay finds its way back by the `dl_*` headers."""
    headers: list[Header] = [
        *_kept(record.headers),
        ("dl_stage", stage.encode()),
        ("dl_reason", reason.encode("utf-8", "replace")[:_MAX_REASON]),
        ("dl_topic", record.topic.encode()),
        ("dl_partition", str(record.partition).encode()),
        ("dl_offset", str(record.offset).encode()),
        ("dl_at", at.encode()),
    ]
    return Message(topics.DEAD_LETTERS, record.key or b"", record.value, headers)


def _kept(headers: Iterable[Header]) -> list[Header]:
    # A dead letter that was replayed and failed again must not carry two sets of coordinates.
    return [(name, value) for name, value in headers if not name.startswith("dl_")]
