"""The receiver as a role: its server, its producer and its spool, and the order in which they end."""

import asyncio
from collections.abc import Collection

import structlog
from aiohttp import web

from ingest.app import CallbackApp
from ingest.brokers import Brokers, not_connected
from ingest.routes import check_settings
from ingest.server import runner
from ingest.spool.drain import Drain
from ingest.spool.spool import Spool
from ingest.store import Store
from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Publisher
from moderato.errors import Fatal, Retryable, Unreachable
from moderato.settings import Settings
from moderato.sources import Source

log = structlog.get_logger(__name__)

_DRAIN = 8.0  # seconds; with the producer's end and the cut-off it stays within a role's budget
_BACKLOG = 1024  # connections that wait to be accepted: a load balancer that comes back brings many at once
_PATIENCE = 10.0  # seconds for Kafka at the start when there is a spool to begin with
_RECONNECT = 1.0  # seconds between attempts


class Receiver:
    """Takes vendors' callbacks over HTTP and answers 2xx once all in-sync replicas have them, or they are fsynced in
    the spool."""

    name = "receiver"

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._settings = settings
        self._publisher = Publisher(connection, deadline=settings.http.publish_deadline)
        self._brokers = Brokers(not_connected)
        self._spool = Spool(settings.spool) if settings.spool else None
        self._store = Store(self._brokers, self._spool)
        self._drain: Drain | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._app: CallbackApp | None = None
        self._runner: web.ServerRunner | None = None
        self.port = settings.http.port
        """The real one once started: the setting may be 0."""

    async def start(self) -> None:
        """Connects to Kafka, then listens. With a spool it does not wait for Kafka to be there. Raises Fatal with one
        line for each fault of the settings."""
        if faults := check_settings(self._settings):
            raise Fatal("\n".join(faults))
        sources = {source for tenant in self._settings.tenants.values() for source in tenant.sources}
        wanted = {topics.raw(source) for source in sources}
        if self._spool is None:
            await self._publisher.start(wanted)
            self._brokers.publish = self._publisher.publish
        else:
            await self._spool.open()
            # A source that was taken out of the settings may have left something.
            wanted |= self._spool.topics & {topics.raw(source) for source in Source}
            await self._connect_or_spool(self._spool, wanted)
        self._app = CallbackApp(self._settings, self._store)
        await self._listen(self._app)

    def unready(self) -> str | None:
        """Not ready while callbacks can be stored nowhere, before the start and after the end."""
        return "not listening" if self._app is None else self._store.unready()

    def note(self) -> str | None:
        """Whether callbacks go to the spool, or wait there."""
        return self._store.note()

    def stuck(self) -> str | None:
        """Never: every request has its deadlines, and a restart would not bring Kafka back."""
        return None

    async def stop(self) -> None:
        """Stops listening, lets the requests in flight end, and disconnects. What is spooled stays on the disk."""
        app, self._app = self._app, None
        if self._connecting is not None:
            self._connecting.cancel()
        drain, self._drain = self._drain, None
        drained = asyncio.create_task(drain.stop()) if drain is not None else None
        if app is not None and self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            app.wind_down()
            try:
                async with asyncio.timeout(_DRAIN):
                    await app.idle.wait()
            except TimeoutError:
                log.warning("receiver_drain_timed_out", in_flight=app.in_flight, seconds=_DRAIN)
        self._store.end()
        # Before the server ends: it cancels the handlers that are left, and they share futures.
        if drained is not None:
            await drained
        await self._publisher.stop()
        if self._spool is not None:
            await self._spool.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _listen(self, app: CallbackApp) -> None:
        self._runner = runner(app)
        await self._runner.setup()
        http = self._settings.http
        try:
            await web.TCPSite(self._runner, http.host, http.port, backlog=_BACKLOG).start()
        except OSError as error:
            raise Fatal(f"http.host, http.port: cannot listen there: {error.strerror or error}") from error
        self.port = self._runner.addresses[0][1]
        log.info("receiver_listening", host=http.host, port=self.port)

    async def _connect_or_spool(self, spool: Spool, wanted: Collection[str]) -> None:
        """Only what no waiting would mend keeps the receiver from starting."""
        try:
            await self._connect(spool, wanted)
        except Unreachable as error:
            self._brokers.failed(Retryable(str(error)))
            self._connecting = asyncio.create_task(self._keep_connecting(spool, wanted), name="connecting")

    async def _keep_connecting(self, spool: Spool, wanted: Collection[str]) -> None:
        while True:
            await asyncio.sleep(_RECONNECT)
            try:
                return await self._connect(spool, wanted)
            except Fatal as error:
                self._brokers.failed(Retryable(str(error)))

    async def _connect(self, spool: Spool, wanted: Collection[str]) -> None:
        await self._publisher.start(wanted, patience=_PATIENCE)
        self._brokers.publish = self._publisher.publish
        self._drain = Drain(spool, self._brokers, wanted)
