"""Numbered callbacks of all sources from many connections, and exactly how each was answered."""

import asyncio
import hashlib
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import aiohttp

from simulator.targets import Target
from simulator.traffic import DEFAULT_MIX, Feed, make_feeds

_PAUSE = 0.05  # seconds between two callbacks of one connection
_PATIENCE = 5.0  # seconds for an answer
_MALFORMED = 0.03


def digest(body: bytes) -> bytes:
    """What is remembered of a body: enough to tell that it was altered."""
    return hashlib.blake2b(body, digest_size=16).digest()


@dataclass
class Driver:
    """Each of 16 connections sends its own room's callbacks, one after the other and each once."""

    base: str
    targets: Sequence[Target]
    seed: int
    sent: dict[int, bytes] = field(default_factory=dict)
    """The digest of each body by its number: hundreds of thousands are remembered."""
    acknowledged: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    answered_at: list[float] = field(default_factory=list)
    malformed: float = _MALFORMED
    """The share of bodies that nobody can read."""

    def __post_init__(self) -> None:
        self._feeds = make_feeds(self.base, self.targets, 16, self.seed)
        self._numbers = itertools.count()
        self._random = Random(self.seed)

    async def run(self, ended: asyncio.Event) -> None:
        """Sends until `ended` is set, and waits for the last answers."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for feed in self._feeds:
                group.create_task(self._room(session, feed, ended))

    def reset(self) -> None:
        """The usual share of malformed bodies."""
        self.malformed = _MALFORMED

    async def fresh(self) -> int | None:
        """One more callback; its number when it was acknowledged."""
        async with aiohttp.ClientSession() as session:
            number = await self._send(session, self._feeds[0])
        return number if number in self.acknowledged else None

    async def _room(self, session: aiohttp.ClientSession, feed: Feed, ended: asyncio.Event) -> None:
        while not ended.is_set():
            await self._send(session, feed)
            await asyncio.sleep(_PAUSE)

    async def _send(self, session: aiohttp.ClientSession, feed: Feed) -> int:
        now = time.time()
        number = next(self._numbers)
        moment = feed.moment(number, now - 1, now, DEFAULT_MIX)
        callback = feed.callback(moment, malformed=self._random.random() < self.malformed)
        self.sent[number] = digest(callback.body)
        headers = {"Content-Type": callback.content_type, **callback.headers}
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                session.post(callback.url, data=callback.body, headers=headers) as response,
            ):
                await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError):
            self.unknown.add(number)
            return number
        if 200 <= response.status < 300:
            self.acknowledged.add(number)
            self.answered_at.append(time.monotonic())
        else:
            self.refused.add(number)
        return number
