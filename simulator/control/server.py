"""All simulated vendors on one port, each under its prefix, and what a test turns: `/_book`, `/_faults`, `/_clock`…"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web
from pydantic import ValidationError

from moderato.errors import Fatal
from simulator.control.agora import Agora
from simulator.control.book import Call, State
from simulator.control.faults import BEFORE, OF_A_START, Fault, Kind
from simulator.control.iflytek import Iflytek
from simulator.control.kicking import KickingRules
from simulator.control.reporter import Reporter
from simulator.control.shumei import Shumei
from simulator.control.world import Asked, Refusal, Reply, Route, World, is_int, json_object
from simulator.control.yidun import Yidun
from simulator.control.yunxin import Yunxin
from simulator.counters import Counters

_LARGEST_BODY = 1024 * 1024
_HUGE = 5 * 1024 * 1024
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class _Vendor(Protocol):
    prefix: str

    def routes(self) -> list[Route]: ...


def _vendors(world: World) -> list[_Vendor]:
    return [KickingRules(world), Agora(world), Shumei(world), Iflytek(world), Yidun(world), Yunxin(world)]


class ControlServer:
    """The vendors' control APIs on a port (0 for any). Every running task reports each `report_seconds`; 0: none does.
    `start` raises Fatal when it cannot listen."""

    def __init__(
        self,
        world: World,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        report_seconds: float = 0.0,
        time_scale: float = 1.0,
        allow_remote: bool = False,
    ) -> None:
        self.world = world
        self._reporter = (
            Reporter(world, report_seconds, time_scale=time_scale, allow_remote=allow_remote)
            if report_seconds
            else None
        )
        self._reporting: asyncio.Task[None] | None = None
        self._host, self._wanted = host, port
        self._runner: web.AppRunner | None = None
        self.port = 0
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        """Base address; `url + "/agora"` is Agora's."""
        return f"http://{self._host}:{self.port}"

    @property
    def counters(self) -> Counters:
        """What running tasks have told, and what answers it got."""
        return self._reporter.counters if self._reporter else Counters()

    async def start(self) -> None:
        """Listens."""
        application = web.Application(client_max_size=_LARGEST_BODY)
        self._add_control(application)
        for vendor in _vendors(self.world):
            for route in vendor.routes():
                application.router.add_route(
                    route.method, vendor.prefix + route.path, self._serving(vendor.prefix.strip("/"), route)
                )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._wanted)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise Fatal(
                f"the simulated vendors cannot listen on {self._host}:{self._wanted}: {error.strerror}"
            ) from error
        self.port = self._runner.addresses[0][1]
        if self._reporter:
            self._reporting = asyncio.create_task(self._reporter.run())

    async def stop(self) -> None:
        """Ends what waits, and listens no more."""
        self._closing.set()
        if self._reporting:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()

    def _serving(self, vendor: str, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            fault = self.world.faults.take(vendor, route.operation)
            response = await self._answer(request, body, route, fault)
            status = 0 if response is None else response.status
            kind = fault.kind if fault else None
            self.world.book.record(Call(self.world.clock.now(), vendor, route.operation, status, kind))
            if response is None:
                return _cut(request)
            return response

        return serve

    async def _answer(
        self, request: web.Request, body: bytes, route: Route, fault: Fault | None
    ) -> web.Response | None:
        """None: the connection is cut instead."""
        kind = fault.kind if fault else None
        if fault and kind in (Kind.SLOW, Kind.TIMEOUT):
            await self._wait(fault.seconds)
        if kind is Kind.TIMEOUT:
            return None
        if kind is Kind.RATE_LIMIT:
            return _response(route.throttled)
        if fault and kind in BEFORE:
            content = fault.body if kind is Kind.ANSWER else {"message": "simulated fault"}
            return _response(Reply(content, fault.status))
        try:
            reply = await route.handler(Asked(request, body, fault if kind in OF_A_START else None))
        except Refusal as refusal:
            reply = refusal.reply
        if kind is Kind.LOST:
            return None
        if kind is Kind.HTML:
            return web.Response(body=_HTML, content_type="text/html")
        if kind is Kind.EMPTY:
            return web.Response(status=reply.status, body=b"", content_type="application/json")
        if kind is Kind.TRUNCATED:
            encoded = reply.encoded()
            half = encoded[: len(encoded) // 2]
            return web.Response(status=reply.status, body=half, content_type="application/json")
        if kind is Kind.HUGE:
            return web.Response(body=b'{"filler":"' + b"x" * _HUGE + b'"}', content_type="application/json")
        return _response(reply)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def _add_control(self, application: web.Application) -> None:
        router = application.router
        router.add_get("/_book", self._book)
        router.add_get("/_faults", self._show_faults)
        router.add_post("/_faults", self._add_fault)
        router.add_delete("/_faults", self._clear_faults)
        router.add_post("/_clock", self._clock)
        router.add_post("/_tasks/{id}/die", self._die)

    async def _book(self, request: web.Request) -> web.Response:
        book = self.world.book
        tasks = [task.shown() for task in book.tasks.values()]
        calls = [
            {
                "at": call.at,
                "vendor": call.vendor,
                "operation": call.operation,
                "status": call.status,
                "fault": call.fault,
            }
            for call in book.calls
        ]
        further = {name: page() for name, page in self.world.show.items()}
        return _response(
            Reply(
                {
                    "now": self.world.clock.now(),
                    "tasks": tasks,
                    "counts": book.counts,
                    "calls": calls,
                    **further,
                }
            )
        )

    async def _show_faults(self, request: web.Request) -> web.Response:
        return _response(Reply(self.world.faults.waiting()))

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            self.world.faults.add(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            return _response(Reply({"faults": faults}, 422))
        return await self._show_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.world.faults.clear()
        return await self._show_faults(request)

    async def _clock(self, request: web.Request) -> web.Response:
        given = json_object(await request.read()) or {}
        move: Any = given.get("move")
        if not isinstance(move, float) and not is_int(move, -(10**9), 10**9):
            return _response(Reply({"faults": ["move: a number of seconds is due"]}, 422))
        self.world.clock.move(move)
        return _response(Reply({"now": self.world.clock.now()}))

    async def _die(self, request: web.Request) -> web.Response:
        """A task ends at the vendor: `how` is silent, failed or token_expired."""
        how = (json_object(await request.read()) or {}).get("how", "silent")
        if how not in ("silent", "failed", "token_expired"):
            return _response(Reply({"faults": ["how: silent, failed or token_expired is due"]}, 422))
        found = [task for task in self.world.book.tasks.values() if task.id == request.match_info["id"]]
        if not found or found[0].state is not State.RUNNING:
            return _response(Reply({"faults": ["id: no running task has it"]}, 404))
        if how == "silent":
            found[0].silent = True
            self.world.book.end(found[0], State.DIED, self.world.clock.now())
        else:
            self.world.end(found[0], State.DIED, how)
        return _response(Reply(found[0].shown()))


def _response(reply: Reply) -> web.Response:
    return web.Response(
        status=reply.status, body=reply.encoded(), content_type="application/json", charset="utf-8"
    )


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return web.Response()
