"""Finds an action, its outcomes and the raw record that it goes back to."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import TopicPartition

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.record import Record


@dataclass
class Traced:
    """An action as it was written first, how often it was written, what became of it, and where it comes from."""

    action: dict[str, Any]
    demanded: int
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    raw: "Record | None" = None
    """None when Kafka has deleted it."""


async def trace(connection: Connection, action_id: str, since: float) -> Traced | None:
    """None when the action is not there. Raises Fatal when the brokers or a topic cannot be had."""
    actions = [action async for action in _with(connection, topics.ACTIONS, "id", action_id, since)]
    if not actions:
        return None
    traced = Traced(actions[0], len(actions))
    traced.outcomes = [
        outcome async for outcome in _with(connection, topics.OUTCOMES, "action_id", action_id, since)
    ]
    traced.outcomes.sort(key=lambda outcome: str(outcome.get("finished_at")))
    traced.raw = await _raw(connection, traced.action["verdict"]["raw"])
    return traced


async def _with(
    connection: Connection, topic: str, name: str, value: str, since: float
) -> AsyncIterator[dict[str, Any]]:
    """The JSON records of a topic in which a field has a value."""
    sought = value.encode()
    async with history(connection, [topic], since=since) as opened, aclosing(opened.batches()) as batches:
        async for batch in batches:
            for record in batch:
                # Most are not meant, and parsing is what takes the time.
                if record.value and sought in record.value:
                    found = _object(record.value)
                    if found.get(name) == value:
                        yield found


def _object(value: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


async def _raw(connection: Connection, place: dict[str, Any]) -> "Record | None":
    async with history(connection, [place["topic"]]) as opened:
        partition = TopicPartition(place["topic"], place["partition"])
        stretch = opened.stretches.get(partition)
        if stretch is None or not stretch.start <= place["offset"] < stretch.end:
            return None
        opened.only(partition, place["offset"])
        async with aclosing(opened.batches()) as batches:
            async for batch in batches:
                return batch[0]
    return None
