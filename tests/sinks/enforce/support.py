"""A tenant's webhook endpoint that answers as it is told, and orders to send there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Set
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from moderato.bus.record import Record
from moderato.settings import Webhook
from sinks.enforce.orders import Order, read_order
from tests.sinks.support import action, consumed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def order(**changes: Any) -> Order:
    return read_order(consumed("action", action(**changes)))


class Endpoint:
    """Each answer is a status, a status with headers, or a function of the request; the last one repeats."""

    def __init__(self) -> None:
        self.answers: list[Any] = [204]
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.never = asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(application)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            made: Callable[[web.Request], Any] = answer
            response: web.StreamResponse = await made(request)
            return response
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=status, headers=headers)

    async def hang(self, request: web.Request) -> web.StreamResponse:
        await self.never.wait()
        return web.Response()

    async def close(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    def settings(self, **changes: Any) -> Webhook:
        url = str(self.server.make_url("/hooks?token=secret-in-url"))
        plain: dict[str, Any] = {"url": url, "secrets": [SECRET], "timeout": 5, "allow_private": True}
        return Webhook(**(plain | changes))


@contextlib.asynccontextmanager
async def nothing(partitions: Set[int]) -> AsyncIterator[AsyncIterator[list[Record]]]:
    """No outcome of before."""

    async def batches() -> AsyncIterator[list[Record]]:
        for batch in ():
            yield batch

    yield batches()
