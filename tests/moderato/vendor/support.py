"""A vendor whose answers a test writes, and a clock that no test waits for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from moderato.vendor import Caller, Rates, open_session

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@asynccontextmanager
async def vendor(
    handler: Handler, time: Time | None = None, secrets: tuple[str, ...] = ()
) -> AsyncIterator[tuple[Caller, str]]:
    """A caller, and the address of a server that answers by `handler`."""
    time = time or Time()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server, AsyncExitStack() as stack:
        rates = Rates(time.clock, time.sleep)
        caller = Caller("agora", "account", await open_session(stack), rates, secrets)
        yield caller, str(server.make_url("")).rstrip("/")
