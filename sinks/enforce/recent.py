"""A bounded memory of the actions that were carried out: a vendor that repeats itself must not kick anybody twice.

It is made anew from the outcomes when a partition of the actions comes from another process, or after a crash. What is
not in them is a call that a process made and did not live to tell of: that one is repeated."""

import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Set
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import orjson

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.record import Record
from moderato.records import OutcomeState

_MOST = 100_000  # ids, about 20 MiB
_SECONDS = 25 * 3600.0  # Yidun repeats a callback for 24 hours

Past: TypeAlias = Callable[[Set[int]], AbstractAsyncContextManager[AsyncIterator[list[Record]]]]
"""Opens the newest outcomes of the actions of some partitions."""


class Recent:
    """The newest ids, each for a day. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def add(self, id: str) -> None:
        """Remembers an id; the oldest goes when there are too many."""
        self._until[id] = self._clock() + _SECONDS
        self._until.move_to_end(id)
        if len(self._until) > self._most:
            self._until.popitem(last=False)

    def __contains__(self, id: str) -> bool:
        until = self._until.get(id)
        return until is not None and until > self._clock()


def carried_out(record: Record) -> str | None:
    """The id of the action, when an outcome says that it was carried out."""
    try:
        outcome = orjson.loads(record.value or b"null")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(outcome, dict) or outcome.get("state") != OutcomeState.DONE:
        return None
    id = outcome.get("action_id")
    return id if isinstance(id, str) else None


def past(connection: Connection) -> Past:
    """The outcomes as Kafka has them."""

    @contextlib.asynccontextmanager
    async def opened_newest(partitions: Set[int]) -> AsyncIterator[AsyncIterator[list[Record]]]:
        since = time.time() - _SECONDS
        both = [topics.ACTIONS, topics.OUTCOMES]
        async with history(connection, both, since=since, service=True) as opened:
            counts = [sum(place.topic == topic for place in opened.stretches) for topic in both]
            # An action and its outcome have the same key: with as many partitions they lie in those of one number.
            outcomes = [
                place
                for place in opened.stretches
                if place.topic == topics.OUTCOMES
                and (counts[0] != counts[1] or place.partition in partitions)
            ]
            opened.newest(outcomes, _MOST // max(1, counts[1]))
            yield opened.batches()

    return opened_newest
