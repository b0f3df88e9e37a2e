"""Throws dead letters away, as far as Kafka can: everything before an offset of a partition, and no single record."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import Stretch, history
from moderato.bus.record import Record
from moderato.cli.letters import Wanted
from moderato.cli.views import letter
from moderato.lifecycle import until_signal


@dataclass(slots=True)
class Cut:
    """What can be deleted of one partition: everything before `before`. `kept`: the first letter that does not match,
    as an offset, and how many that match lie `behind` it."""

    partition: int
    oldest: int
    before: int
    kept: int | None = None
    behind: int = 0

    def __str__(self) -> str:
        words = f"partition {self.partition}: "
        if self.before > self.oldest:
            words += f"everything before offset {self.before} ({self.before - self.oldest:,} offsets)"
        else:
            words += "nothing"
        if self.behind:
            words += (
                f"; {self.behind:,} more match, but lie behind {self.partition}:{self.kept}, which does not"
            )
        return words


async def planned(connection: Connection, wanted: Wanted) -> list[Cut]:
    """How far each partition can be cut: up to its first letter that does not match."""
    ended = until_signal()
    async with history(connection, [topics.DEAD_LETTERS], since=wanted.since, until=wanted.until) as opened:
        cuts = {place: _uncut(place, stretch) for place, stretch in opened.stretches.items()}
        if wanted.all:
            for place, stretch in opened.stretches.items():
                cuts[place].before = stretch.end
            return list(cuts.values())
        async for batch in opened.batches(ended):
            for record in batch:
                _look(cuts[TopicPartition(record.topic, record.partition)], record, wanted)
    return [] if ended.is_set() else list(cuts.values())


def _uncut(place: TopicPartition, stretch: Stretch) -> Cut:
    # Letters that are older than --from lie before everything that matches.
    kept = stretch.oldest if stretch.start > stretch.oldest else None
    return Cut(place.partition, stretch.oldest, stretch.oldest, kept)


def _look(cut: Cut, record: Record, wanted: Wanted) -> None:
    if not wanted.admits(letter(record)):
        if cut.kept is None:
            cut.kept = record.offset
    elif cut.kept is None:
        cut.before = record.offset + 1
    else:
        cut.behind += 1


def describe(cuts: Sequence[Cut]) -> list[str]:
    """A line for each partition that holds anything that matches."""
    return [str(cut) for cut in cuts if cut.before > cut.oldest or cut.behind]


def offsets(cuts: Sequence[Cut]) -> dict[int, int]:
    """By partition, the offset before which everything goes."""
    return {cut.partition: cut.before for cut in cuts if cut.before > cut.oldest}
