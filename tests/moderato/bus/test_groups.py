"""Several members of one consumer group, which the embedded broker does not have."""

import asyncio
import collections
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.stage import Results, Stage
from tests.kafka.topics import Topics
from tests.moderato.bus.support import read_until, until

pytestmark = pytest.mark.kafka

PARTITIONS = 6
KEYS = 30


class Member:
    """A stage that copies verdicts to signals, twenty at a time, and notes the partitions it was given."""

    def __init__(self, connection: Connection) -> None:
        self.copied = 0
        self.partitions: collections.Counter[int] = collections.Counter()
        self.stage = Stage(
            "sharing",
            connection,
            consumes=[topics.VERDICTS],
            produces=[topics.SIGNALS],
            handle=self._copy,
            batch=20,
        )

    async def _copy(self, records: Sequence[Any]) -> Results:
        results = Results(done=len(records))
        for record in records:
            results.emit("signal", Message(topics.SIGNALS, record.key, record.value, []))
            self.partitions[record.partition] += 1
        self.copied += len(records)
        return results

    async def copies(self, more: int) -> None:
        """Waits until it has copied so many more."""
        wanted = self.copied + more
        await until(lambda: self.copied >= wanted)


class Feeder:
    """Publishes numbered verdicts of `KEYS` keys in turn, until it is told to end."""

    def __init__(self, connection: Connection) -> None:
        self.published = 0
        self._publisher = Publisher(connection, deadline=10)
        self._ended = asyncio.Event()

    async def run(self) -> int:
        """How many it has published."""
        await self._publisher.start([topics.VERDICTS])
        while not self._ended.is_set():
            numbers = range(self.published, self.published + KEYS)
            await self._publisher.publish_all(
                [Message(topics.VERDICTS, b"key-%d" % (n % KEYS), b"%d" % n, []) for n in numbers]
            )
            self.published += KEYS
            await asyncio.sleep(0.02)
        await self._publisher.stop()
        return self.published

    def end(self) -> None:
        self._ended.set()


@pytest.fixture
def connection(
    kafka_connection: Connection, kafka_topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> Connection:
    """More partitions than members, and heartbeats at a pace at which a member soon hears of another."""
    monkeypatch.setattr("moderato.bus.stage._SESSION_TIMEOUT_MS", 6_000)
    kafka_topics.fresh(PARTITIONS)
    return kafka_connection


async def test_two_members_share_the_partitions(connection: Connection) -> None:
    one, two = Member(connection), Member(connection)
    await asyncio.gather(one.stage.start(), two.stage.start())
    feeder = Feeder(connection)
    feeding = asyncio.create_task(feeder.run())
    await asyncio.gather(one.copies(100), two.copies(100))
    for member in (one, two):
        member.partitions.clear()
    await asyncio.gather(one.copies(200), two.copies(200))
    feeder.end()
    await feeding
    assert one.partitions.keys().isdisjoint(two.partitions.keys())
    assert one.partitions.keys() | two.partitions.keys() == set(range(PARTITIONS))
    await one.stage.stop()
    await two.stage.stop()


async def test_members_that_come_and_go_lose_nothing_and_keep_the_order_of_a_key(
    connection: Connection,
) -> None:
    feeder = Feeder(connection)
    feeding = asyncio.create_task(feeder.run())
    members = [Member(connection) for _ in range(4)]
    await members[0].stage.start()
    await members[0].copies(100)
    for leaving, coming in itertools.pairwise(members):
        await coming.stage.start()
        await coming.copies(100)
        await leaving.stage.stop()
        await coming.copies(100)
    feeder.end()
    sent = await feeding
    copies = await read_until(
        connection, topics.SIGNALS, lambda copies: len({copy.value for copy in copies}) >= sent
    )
    await members[-1].stage.stop()

    first: dict[bytes, list[int]] = collections.defaultdict(list)
    for record in copies:
        number = int(record.value)
        assert record.key == b"key-%d" % (number % KEYS)
        if number not in first[record.key]:
            first[record.key].append(number)
    assert sum(map(len, first.values())) == sent
    assert all(numbers == sorted(numbers) for numbers in first.values())
