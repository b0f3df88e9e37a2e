"""Which dead letters a `moderato dlq` command is about, and how it comes by them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from aiokafka import TopicPartition

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import History, history
from moderato.bus.record import Record
from moderato.cli.moments import BEGINNING, END
from moderato.cli.views import Column, Data, View, letter, whole_letter
from moderato.errors import Fatal

VIEW = View(
    topics.DEAD_LETTERS,
    whole_letter,
    (
        Column("place", 10, ("place",)),
        Column("at", 24, ("at",)),
        Column("stage", 10, ("stage",)),
        Column("source", 13, ("source",)),
        Column("id", 36, ("id",)),
        Column("try", 3, ("attempts",)),
        Column("reason", 0, ("reason",)),
    ),
    {},
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters; all that are given must hold. `reason` is a part of the reason, in any case of letters; `since`
    and `until` are epoch seconds of the time at which Kafka got the letter."""

    stage: str | None = None
    source: str | None = None
    tenant: str | None = None
    reason: str | None = None
    id: str | None = None
    topic: str | None = None
    since: float = BEGINNING
    until: float = END

    @property
    def all(self) -> bool:
        """Whether there is no filter at all."""
        return self == Wanted()

    def admits(self, data: Data) -> bool:
        """Whether a letter is one of those, as far as it says so itself: not by its time."""
        for name in ("stage", "source", "tenant", "id", "topic"):
            wanted = getattr(self, name)
            if wanted is not None and data[name] != wanted:
                return False
        return self.reason is None or self.reason.casefold() in (data["reason"] or "").casefold()


@dataclass(slots=True)
class Seen:
    """How many letters were looked at, and how many were wanted."""

    all: int = 0
    wanted: int = 0


async def found(
    opened: History, wanted: Wanted, limit: int | None, seen: Seen, ended: asyncio.Event
) -> AsyncGenerator[list[Record], None]:
    """The letters that are wanted, by batches as they are read, `limit` at most."""
    async with aclosing(opened.batches(ended)) as batches:
        async for batch in batches:
            seen.all += len(batch)
            records = [record for record in batch if wanted.admits(letter(record))]
            if limit is not None:
                records = records[: limit - seen.wanted]
            seen.wanted += len(records)
            if records:
                yield records
            if seen.wanted == limit:
                return


async def at_place(connection: Connection, partition: int, offset: int) -> Record:
    """The one letter at PARTITION:OFFSET. Raises Fatal when there is none."""
    async with history(connection, [topics.DEAD_LETTERS]) as opened:
        place = TopicPartition(topics.DEAD_LETTERS, partition)
        stretch = opened.stretches.get(place)
        if stretch is not None and stretch.start <= offset < stretch.end:
            opened.only(place, offset)
            async with aclosing(opened.batches()) as batches:
                async for batch in batches:
                    return batch[0]
    raise Fatal(f"{partition}:{offset}: there is no such dead letter ({_places(opened)})")


def _places(opened: History) -> str:
    return "; ".join(
        f"partition {place.partition} has " + (f"{stretch.start} to {stretch.end - 1}" if stretch else "none")
        for place, stretch in opened.stretches.items()
    )
