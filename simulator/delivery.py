"""One callback's way to its receiver: attempts, answers, and the vendor's own retries."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from simulator.callbacks import SOURCES, sent_again
from simulator.callbacks.contract import Callback
from simulator.counters import Counters, Tally
from simulator.traffic import Dispatch, Kind

_CONNECTIONS = 256


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `failure` says why there is none."""

    status: int = 0
    body: bytes = b""
    failure: str | None = None


Post = Callable[[Callback, float], Awaitable[Answer]]
"""(callback, timeout in seconds) -> answer; raises nothing but cancellation."""


class Courier:
    """Delivers as the callback's vendor does. `time_scale` compresses the waits before retries (not the timeouts)."""

    def __init__(
        self,
        post: Post,
        counters: Counters,
        time_scale: float = 1.0,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._post = post
        self._counters = counters
        self._time_scale = time_scale
        self._sleep = sleep
        self._clock = clock

    async def deliver(self, dispatch: Dispatch) -> None:
        """Posts until the vendor is content or gives up; counts everything on the way."""
        tally = self._counters.of(dispatch.callback.source)
        _count_kind(tally, dispatch.kind)
        try:
            if dispatch.delay:
                await self._sleep(dispatch.delay)
            await self._attempts(dispatch, tally)
        except asyncio.CancelledError:
            tally.cut_off += 1
            raise

    async def _attempts(self, dispatch: Dispatch, tally: Tally) -> None:
        callback = dispatch.callback
        rules = SOURCES[callback.source].delivery
        if dispatch.kind is Kind.DUPLICATE:
            callback = sent_again(callback, self._clock())
        if await self._attempt(callback, rules.timeout, tally):
            return
        for wait in rules.waits:
            await self._sleep(wait * self._time_scale)
            callback = sent_again(callback, self._clock())
            tally.retried += 1
            if await self._attempt(callback, rules.timeout, tally):
                return
        tally.given_up += 1

    async def _attempt(self, callback: Callback, timeout: float, tally: Tally) -> bool:
        tally.sent += 1
        try:
            answer = await self._post(callback, timeout)
        except asyncio.CancelledError:
            tally.refused["cut off"] += 1
            raise
        if answer.failure is None and callback.accepts(answer.status, answer.body):
            tally.acknowledged += 1
            return True
        tally.refused[_reason(answer)] += 1
        return False


def _reason(answer: Answer) -> str:
    if answer.failure:
        return answer.failure
    return f"{answer.status} answer" if 200 <= answer.status < 300 else str(answer.status)


def _count_kind(tally: Tally, kind: Kind) -> None:
    if kind is Kind.DUPLICATE:
        tally.duplicates += 1
        return
    tally.callbacks += 1
    if kind is Kind.LATE:
        tally.late += 1
    elif kind is Kind.OUT_OF_ORDER:
        tally.out_of_order += 1
    elif kind is Kind.MALFORMED:
        tally.malformed += 1


@asynccontextmanager
async def http_post() -> AsyncIterator[Post]:
    """A `Post` over real sockets: keep-alive, no redirects, no cookies, no proxies."""
    # The vendor's timeout is for the receiver's answer, so the wait for a free connection stays outside of it.
    free = asyncio.Semaphore(_CONNECTIONS)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None)
    ) as session:

        async def post(callback: Callback, timeout: float) -> Answer:
            headers = {"Content-Type": callback.content_type, **callback.headers}
            try:
                async with (
                    free,
                    asyncio.timeout(timeout),
                    session.post(
                        callback.url, data=callback.body, headers=headers, allow_redirects=False
                    ) as response,
                ):
                    return Answer(response.status, await response.read())
            except TimeoutError:
                return Answer(failure="timeout")
            except (aiohttp.ClientError, OSError):
                return Answer(failure="connection")

        yield post
