"""Keeps the brakes of a process up to date with what Kafka has of them."""

import asyncio
import time
from collections.abc import Callable

import structlog

from moderato import metrics, topics
from moderato.bus.connection import Connection
from moderato.bus.record import Record
from moderato.bus.table import Table
from moderato.errors import Poison, Unserved
from sinks.policy.brake_records import read_brake, read_tally
from sinks.policy.brakes import Brakes

log = structlog.get_logger(__name__)

_DEADLINE = 300.0  # seconds for a day of tallies
_SKEW = 300.0  # seconds by which the clocks of our machines may differ


class BrakeLog:
    """Tells `brakes` of every brake there is, and of every tally of the last `longest` seconds and from then on."""

    def __init__(self, connection: Connection, brakes: Brakes, longest: Callable[[], float]) -> None:
        self._connection = connection
        self._brakes = brakes
        self._longest = longest
        self._pulled = Table(connection, [topics.BRAKES], self._apply)
        self._tallies: Table | None = None

    async def start(self) -> None:
        """Reads what there is, and goes on reading. Raises Fatal when Kafka or a topic cannot be had."""
        since = time.time() - self._longest() - _SKEW
        self._tallies = Table(self._connection, [topics.TALLIES], self._apply, since=since)
        for table in (self._pulled, self._tallies):
            await table.start()
            try:
                await asyncio.wait_for(table.caught_up(), _DEADLINE)
            except TimeoutError:
                raise Unserved(f"{table.topics[0]} could not be read within {_DEADLINE:.0f} s") from None
        metrics.BRAKES_PULLED.set(len(self._brakes.pulled))

    async def stop(self) -> None:
        """Disconnects."""
        for table in (self._pulled, self._tallies):
            if table:
                await table.stop()

    def unready(self) -> str | None:
        """Why brakes may be old."""
        return self._pulled.unready() or (self._tallies.unready() if self._tallies else None)

    def _apply(self, record: Record) -> None:
        try:
            if record.topic == topics.TALLIES:
                self._brakes.take_tally(read_tally(record))
            elif record.value is not None:
                brake = read_brake(record)
                self._brakes.take_brake(brake)
                metrics.BRAKES_PULLED.set(len(self._brakes.pulled))
                log.info("brake", pulled=brake.pulled, tenant=brake.tenant, rule=brake.rule, by=brake.by)
        except Poison as error:
            log.warning(
                "brake_record_unreadable",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=str(error),
            )
