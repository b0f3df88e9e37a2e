"""The admin server of every process: /livez, /readyz and /metrics, on a port of its own."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from moderato.errors import Fatal
from moderato.metrics import REGISTRY
from moderato.settings import Admin

if TYPE_CHECKING:
    from moderato.lifecycle import Role


class AdminServer:
    """`ready` is set once all roles have started and cleared before the first one stops."""

    def __init__(self, settings: Admin, roles: "Sequence[Role]") -> None:
        self.ready = False
        self.waiting: str | None = None
        """What a role waits for before it can start."""
        self.port = settings.port
        self._settings = settings
        self._roles = roles
        application = web.Application()
        application.router.add_get("/livez", self._live)
        application.router.add_get("/readyz", self._ready)
        application.router.add_get("/metrics", _metrics)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Listens; `port` is then the real one. Raises Fatal when the address cannot be had."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            raise Fatal(f"admin.host, admin.port: cannot listen there: {error.strerror or error}") from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops listening."""
        await self._runner.cleanup()

    async def _live(self, request: web.Request) -> web.Response:
        """200 while every role makes progress or has nothing to do; 503 names the one that is stuck."""
        return _answer({role.name: reason for role in self._roles if (reason := role.stuck())})

    async def _ready(self, request: web.Request) -> web.Response:
        """200 when all roles can work, with what else there is to say; 503 says which cannot and why."""
        if not self.ready:
            return _answer({"process": self.waiting or "starting or stopping"})
        return _answer(
            {role.name: reason for role in self._roles if (reason := role.unready())},
            {role.name: note for role in self._roles if (note := role.note())},
        )


def _answer(faults: dict[str, str], notes: Mapping[str, str] = {}) -> web.Response:
    if not faults:
        return web.json_response({"status": "ok"} | ({"notes": notes} if notes else {}))
    return web.json_response({"status": "unavailable", "reasons": faults}, status=503)


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
