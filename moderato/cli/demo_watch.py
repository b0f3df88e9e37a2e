"""A consumer of the demo's own: it reads every topic behind the normalizer, as a team downstream would."""

import asyncio
import time
from types import TracebackType

from aiokafka import AIOKafkaConsumer, TopicPartition

from moderato import topics
from moderato.bus.connection import Connection
from moderato.cli.demo_seen import Seen

# In the order of the pipeline, so that an action is seen before its outcome.
READ = (topics.VERDICTS, topics.SIGNALS, topics.ACTIONS, topics.OUTCOMES, topics.DEAD_LETTERS)
_START_DEADLINE = 30.0  # seconds


class Watcher:
    """Reads from the beginning, without a group. `partitions`: how many each topic has. `seen` is always up to date."""

    def __init__(self, connection: Connection, partitions: int) -> None:
        self.seen = Seen()
        self._partitions = [
            TopicPartition(topic.name, number) for topic in topics.ALL for number in range(partitions)
        ]
        self._consumer = AIOKafkaConsumer(
            *READ,
            **connection.for_aiokafka(),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=connection.fetch_wait_ms,
        )
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Watcher":
        async with asyncio.timeout(_START_DEADLINE):
            await self._consumer.start()
        self._reading = asyncio.create_task(self._read(), name="demo watcher")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._consumer.stop()

    async def _read(self) -> None:
        while True:
            fetched = await self._consumer.getmany(timeout_ms=200)
            at = time.time()
            for partition in sorted(fetched, key=lambda partition: READ.index(partition.topic)):
                for record in fetched[partition]:
                    self.seen.take(record, at)

    async def ends(self) -> dict[str, int]:
        """How many records each topic has had: the sum of its partitions' end offsets."""
        ends = dict.fromkeys((topic.name for topic in topics.ALL), 0)
        for partition, end in (await self._consumer.end_offsets(self._partitions)).items():
            ends[partition.topic] += end
        return ends
