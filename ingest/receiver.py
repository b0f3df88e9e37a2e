"""The receiver as a role: its server and its producer, and the order in which they end."""

import asyncio

import structlog
from aiohttp import web

from ingest.app import CallbackApp
from ingest.routes import check_settings
from ingest.server import runner
from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Publisher
from moderato.codec import Headers
from moderato.errors import Fatal, Retryable
from moderato.settings import Settings

log = structlog.get_logger(__name__)

_DRAIN = 8.0  # seconds; with the producer's end and the cut-off it stays within a role's budget
_BACKLOG = 1024  # connections that wait to be accepted: a load balancer that comes back brings many at once


class Receiver:
    """Takes vendors' callbacks over HTTP and answers 2xx once all in-sync replicas have them."""

    name = "receiver"

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._settings = settings
        self._publisher = Publisher(connection, deadline=settings.http.publish_deadline)
        self._app: CallbackApp | None = None
        self._runner: web.ServerRunner | None = None
        self.port = settings.http.port
        """The real one once started: the setting may be 0."""

    async def start(self) -> None:
        """Connects to Kafka, then listens. Raises Fatal with one line for each fault of the settings."""
        if faults := check_settings(self._settings):
            raise Fatal("\n".join(faults))
        sources = {source for tenant in self._settings.tenants.values() for source in tenant.sources}
        await self._publisher.start(topics.raw(source) for source in sources)
        self._app = CallbackApp(self._settings, self._publisher.publish)
        self._runner = runner(self._app)
        await self._runner.setup()
        http = self._settings.http
        try:
            await web.TCPSite(self._runner, http.host, http.port, backlog=_BACKLOG).start()
        except OSError as error:
            raise Fatal(f"http.host, http.port: cannot listen there: {error.strerror or error}") from error
        self.port = self._runner.addresses[0][1]
        log.info("receiver_listening", host=http.host, port=self.port)

    def unready(self) -> str | None:
        """Not ready while Kafka does not take callbacks, before the start and after the end."""
        return "not listening" if self._app is None else self._app.unready()

    def stuck(self) -> str | None:
        """Never: every request has its deadlines, and a restart would not bring Kafka back."""
        return None

    async def stop(self) -> None:
        """Stops listening, lets the requests in flight end, and disconnects."""
        app, self._app = self._app, None
        if app is not None and self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            app.wind_down()
            try:
                async with asyncio.timeout(_DRAIN):
                    await app.idle.wait()
            except TimeoutError:
                log.warning("receiver_drain_timed_out", in_flight=app.in_flight, seconds=_DRAIN)
            app.publish = _ended
        # Before the server ends: it cancels the handlers that are left, and they share the producer's futures.
        await self._publisher.stop()
        if self._runner is not None:
            await self._runner.cleanup()


def _ended(topic: str, key: bytes, value: bytes, headers: Headers) -> asyncio.Future[None]:
    raise Retryable("the receiver has ended")
