"""aiohttp's low-level server, set up for callers that we do not know."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from ingest.answers import Answer
from ingest.app import CallbackApp

_KEEPALIVE = (
    75.0  # seconds; longer than the idle time-outs of usual load balancers. Bounds slow headers as well.
)
_LINGER = (
    1.0  # seconds in which the rest of a refused body is read, so that the client gets to see its answer
)
_CUT_OFF = 1.0  # seconds that the last requests have when the server ends


class _Connection(web.RequestHandler):
    """One connection. Bytes that are no HTTP get our one-line JSON error, and no traceback in the log."""

    __slots__ = ("_not_http",)

    def __init__(self, server: web.Server, not_http: Callable[[], Answer], **options: Any) -> None:
        super().__init__(server, **options)
        self._not_http = not_http

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        return self._not_http()


class _Server(web.Server):
    def __init__(self, app: CallbackApp, **options: Any) -> None:
        super().__init__(app.handle)
        self._app = app
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._app.not_http, loop=self._loop, **self._options)


def runner(app: CallbackApp) -> web.ServerRunner:
    """The server of an app, not yet listening. To be called in the event loop."""
    server = _Server(
        app, access_log=None, keepalive_timeout=_KEEPALIVE, lingering_time=_LINGER, auto_decompress=False
    )
    return web.ServerRunner(server, shutdown_timeout=_CUT_OFF)
