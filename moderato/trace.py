"""Finds what is behind an action: its outcomes, the raw record that it goes back to, and the strikes counted for it."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import TopicPartition

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.record import Record
from moderato.times import epoch

_LONGEST_COUNT = 86_400.0  # seconds that a rule may count back
_LATENESS = 3_600.0  # seconds after which a strike is not counted any more
_MOST_STRIKES = 100


@dataclass
class Raw:
    """A raw record as it is told of."""

    topic: str
    partition: int
    offset: int
    headers: dict[str, str]
    body_b64: str | None

    @classmethod
    def of(cls, record: Record) -> "Raw":
        """The record as Kafka has it."""
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
        body = None if record.value is None else base64.b64encode(record.value).decode()
        return cls(record.topic, record.partition, record.offset, headers, body)


@dataclass
class Traced:
    """What is behind an action. `demanded`: how often it was written; it is shown as it was written first."""

    action: dict[str, Any]
    """Without its verdict."""
    demanded: int
    verdict: dict[str, Any] | None
    """None when a person asked for it."""
    strikes: list[dict[str, Any]] = field(default_factory=list)
    """Of a rule that counts: the subject's verdicts up to the one that was one too many, the newest hundred."""
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    raw: Raw | None = None
    """None when there is none, or Kafka has deleted it."""

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Traced":
        """As the API has answered it."""
        raw = content["raw"]
        return cls(**content | {"raw": Raw(**raw) if raw else None})


async def find_action(
    connection: Connection, action_id: str, since: float, *, service: bool = False
) -> tuple[dict[str, Any], int] | None:
    """An action as it was written first, and how often it was. None when it is not there. Raises Fatal when the brokers
    or a topic cannot be had. `service`: who reads is no command, see bus/history.py."""
    wanted = _named(action_id)
    found = [each async for each in _objects(connection, topics.ACTIONS, since, wanted, service=service)]
    return (found[0], len(found)) if found else None


async def trace(
    connection: Connection, action_id: str, since: float, *, service: bool = False
) -> Traced | None:
    """None when the action is not there. Raises Fatal when the brokers or a topic cannot be had."""
    found = await find_action(connection, action_id, since, service=service)
    if found is None:
        return None
    action, demanded = found
    verdict = action.pop("verdict", None)
    traced = Traced(action, demanded, verdict)

    def of_it(record: Record) -> bool:
        return action_id.encode() in (record.value or b"")

    traced.outcomes = [
        outcome
        async for outcome in _objects(connection, topics.OUTCOMES, since, of_it, service=service)
        if outcome.get("action_id") == action_id
    ]
    traced.outcomes.sort(key=lambda outcome: str(outcome.get("finished_at")))
    if verdict and action.get("counted"):
        subject = action["counted"]["subject"]
        traced.strikes = await _strikes(connection, subject, verdict)
    if verdict:
        record = await _raw(connection, verdict["raw"], service=service)
        traced.raw = record and Raw.of(record)
    return traced


def _named(id: str) -> Callable[[Record], bool]:
    wanted = ("ce_id", id.encode())
    return lambda record: wanted in record.headers


async def _objects(
    connection: Connection, topic: str, since: float, wanted: Callable[[Record], bool], *, service: bool
) -> AsyncIterator[dict[str, Any]]:
    """The JSON records of a topic that are wanted."""
    async with (
        history(connection, [topic], since=since, service=service) as opened,
        aclosing(opened.batches()) as batches,
    ):
        async for batch in batches:
            for record in batch:
                # Most are not meant, and parsing is what takes the time.
                if record.value and wanted(record) and (found := _object(record.value)):
                    yield found


def _object(value: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


async def _strikes(connection: Connection, subject: str, verdict: dict[str, Any]) -> list[dict[str, Any]]:
    until = epoch(verdict["normalized_at"]) or 0.0
    since = (epoch(verdict["occurred_at"]) or 0.0) - _LONGEST_COUNT
    found: dict[str, dict[str, Any]] = {}
    # As a service does: brokers that cannot look up times give all that they have.
    strikes = _objects(
        connection, topics.STRIKES, since, lambda record: record.key == subject.encode(), service=True
    )
    async for strike in strikes:
        if (epoch(str(strike.get("normalized_at"))) or 0.0) <= until + _LATENESS:
            found.setdefault(f"{strike.get('source')}/{strike.get('id')}", strike)
            if strike.get("id") == verdict["id"]:
                break
    return list(found.values())[-_MOST_STRIKES:]


async def _raw(connection: Connection, place: dict[str, Any], *, service: bool) -> "Record | None":
    async with history(connection, [place["topic"]], service=service) as opened:
        partition = TopicPartition(place["topic"], place["partition"])
        stretch = opened.stretches.get(partition)
        if stretch is None or not stretch.start <= place["offset"] < stretch.end:
            return None
        opened.only(partition, place["offset"])
        async with aclosing(opened.batches()) as batches:
            async for batch in batches:
                return batch[0]
    return None
