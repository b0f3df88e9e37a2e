"""Every topic, with its shape. `moderato topics create` makes them, `moderato topics check` compares them.

Partition counts are the starting point of a small cluster; they can be raised at any time, but raising them moves
keys, so order within a key holds only among records written after the change.
"""

from dataclasses import dataclass

from moderato.sources import Source

_HOUR = 3_600_000
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Topic:
    """`retention_ms` -1 keeps for ever; `compacted` keeps the newest record of every key."""

    name: str
    partitions: int
    retention_ms: int
    compacted: bool = False
    max_message_bytes: int = 2 * 1024 * 1024

    @property
    def config(self) -> dict[str, str]:
        """Topic-level settings as Kafka names them."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }


def raw(source: Source) -> str:
    """The raw topic of a source: the vendor's bytes as they came."""
    return f"moderation.raw.{source}"


VERDICTS = "moderation.verdicts"
SIGNALS = "moderation.signals"
STRIKES = "moderation.strikes"
ACTIONS = "moderation.actions"
OUTCOMES = "moderation.outcomes"
SESSIONS = "moderation.sessions"
SESSION_REQUESTS = "moderation.session-requests"
BRAKES = "moderation.brakes"
TALLIES = "moderation.tallies"
DEAD_LETTERS = "moderation.dead-letters"

ALL: tuple[Topic, ...] = (
    *(Topic(raw(source), 6, 7 * _DAY) for source in Source),
    Topic(VERDICTS, 12, 30 * _DAY),
    Topic(SIGNALS, 12, 7 * _DAY),
    # Counting windows are rebuilt from here: longer than the longest window a rule may have.
    Topic(STRIKES, 12, 2 * _DAY),
    Topic(ACTIONS, 12, 30 * _DAY),
    Topic(OUTCOMES, 12, 30 * _DAY),
    # As many partitions each: whoever owns a partition of the requests writes that of the sessions.
    Topic(SESSIONS, 12, -1, compacted=True),
    Topic(SESSION_REQUESTS, 12, _DAY),
    # Read whole by every process of the policy: few records, and no order between them that matters.
    Topic(BRAKES, 1, -1, compacted=True),
    # Quotas are counted anew from here: longer than the longest time that one may have.
    Topic(TALLIES, 1, 2 * _DAY),
    # Dead letters carry a whole raw message and its headers besides.
    Topic(DEAD_LETTERS, 3, 30 * _DAY, max_message_bytes=4 * 1024 * 1024),
)
