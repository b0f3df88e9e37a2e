"""The controller: runs the sessions of the partitions that it owns.

Controllers are a consumer group over the requests. Whoever owns a partition of these is the only one that writes the
same partition of the sessions. What it owns it takes from the directory, read up to the moment of the assignment, so
that a controller which comes after another one, dead or alive, goes on from what that one wrote down last.
"""

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack

import structlog
from pydantic import ValidationError

from ingest.clients import KINDS
from ingest.clients.contract import Client, Kind, Opening, Start
from ingest.clients.yidun_results import YidunResults
from ingest.pollers.polled import polled
from ingest.pollers.yidun import YidunPoller
from ingest.routes import PREFIX
from ingest.sessions.api import SessionsApi
from ingest.sessions.described import schemas
from ingest.sessions.directory import Directory
from ingest.sessions.driver import Driver
from ingest.sessions.gauges import Gauges
from ingest.sessions.listener import Listener
from ingest.sessions.machine import Rules, requested, stop_asked
from ingest.sessions.unwatched import unwatched
from ingest.sessions.wire import partition_of, read_request, session_message, tombstone
from ingest.tokens import Capabilities, Capability
from moderato import topics
from moderato.api.part import Part
from moderato.api.server import ApiServer
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.record import Record
from moderato.bus.stage import Results, Stage
from moderato.dead_letters import dead_letter, reason_of, stack_of
from moderato.errors import Retryable
from moderato.records import RawRef, Session
from moderato.settings import Sessions, Settings
from moderato.sources import Source
from moderato.times import epoch, now, rfc3339
from moderato.vendor import Rates, open_session

log = structlog.get_logger(__name__)

NAME = "controller"
_DEADLINE = 10.0  # seconds for a record to be acknowledged
_RETRY = 1.0  # seconds until what Kafka did not take is offered again
_CAPABILITY_LIFE = 366 * 86_400.0  # seconds from a session's beginning in which its callbacks are taken
_AFTER_A_FAULT = 30.0  # seconds until a session whose driver has failed is driven again
_PAUSE = 0.1  # seconds between two looks whether a rebalance is over
# The least that brokers allow by default: sessions of a controller that died are taken up within seconds.
_SESSION_TIMEOUT_MS = 6_000
_SWEEP = 10.0  # seconds between two looks for sessions to forget
_VENDOR_CONNECTIONS = 200


def check_settings(settings: Settings) -> list[str]:
    """Every fault that would keep sessions from being started."""
    if settings.sessions is None:
        return _token_faults(settings)
    faults = _token_faults(settings)
    polled: dict[str, str] = {}
    for name, tenant in settings.tenants.items():
        yidun = tenant.credentials.yidun
        if yidun is None or yidun.results != "poll":
            continue
        other = polled.setdefault(yidun.business_id, name)
        if other != name:
            faults.append(
                f"tenants.{name}.credentials.yidun.results: the business {yidun.business_id} is polled for {other} "
                "already: one of them would get the other's results"
            )
    if not settings.capability_keys:
        faults.append("capability_keys: none, and sessions need them for their callback URLs")
    return faults


def _token_faults(settings: Settings) -> list[str]:
    return [
        f"api.tokens.{name}.tenants: {tenant!r} is no tenant"
        for name, token in (settings.api.tokens if settings.api else {}).items()
        for tenant in token.tenants
        if tenant not in settings.tenants
    ]


class Controller:
    """The role. `parts` is what else the API of this process has."""

    name = NAME

    def __init__(
        self, settings: Settings, connection: Connection, directory: Directory, parts: Sequence[Part] = ()
    ) -> None:
        assert settings.sessions is not None
        self._settings = settings
        self._sessions: Sessions = settings.sessions
        self._directory = directory
        self._capabilities = Capabilities([key.get_secret_value() for key in settings.capability_keys])
        self._publisher = Publisher(connection, deadline=_DEADLINE)
        self._stage = Stage(
            NAME,
            connection,
            consumes=[topics.SESSION_REQUESTS],
            produces=[topics.DEAD_LETTERS],
            handle=self._handle,
            limits=settings.dead_letters,
            owner=self,
            session_timeout_ms=_SESSION_TIMEOUT_MS,
        )
        self._listener = Listener(connection, self.driver)
        self._gauges = Gauges(settings.tenants)
        self._parts = parts if settings.api is not None else ()
        self._api: ApiServer | None = None
        if settings.api is not None:
            handlers = SessionsApi(settings, directory, self._publisher).handlers()
            found = schemas()
            for part in parts:
                handlers += part.handlers()
                found |= part.schemas()
            self._api = ApiServer(settings.api, handlers, found)
        self._stack = AsyncExitStack()
        self._clients: dict[tuple[str, Source], Client] = {}
        self._drivers: dict[str, Driver] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._polling: dict[asyncio.Task[None], YidunPoller] = {}
        self._owned: frozenset[int] = frozenset()
        self._taking: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def api_port(self) -> int | None:
        """Where the API listens once started; None without one."""
        return self._api.port if self._api else None

    async def start(self) -> None:
        """Reads all sessions, joins the group, and goes on with what it owns. Raises Fatal when Kafka cannot be had."""
        self._http = await open_session(self._stack, _VENDOR_CONNECTIONS)
        self._rates = Rates()
        raw = [topics.raw(source) for source in KINDS]
        await self._publisher.start([topics.SESSIONS, topics.SESSION_REQUESTS, topics.SIGNALS, *raw])
        await self._directory.start()
        await self._listener.start()
        await self._stage.start()
        for part in self._parts:
            await part.start()
        if self._api is not None:
            await self._api.start()
        self._sweeping = asyncio.create_task(self._sweep(), name="sessions to forget")

    def unready(self) -> str | None:
        return self._stage.unready() or self._directory.unready()

    def note(self) -> str | None:
        """Sessions that cannot be driven with these settings."""
        return self._gauges.note(self._owned_sessions()) or self._stage.note()

    def stuck(self) -> str | None:
        return self._stage.stuck()

    async def stop(self) -> None:
        """Leaves the group; what its sessions were about to do is done by the next owner."""
        if self._api is not None:
            await self._api.stop()
        for part in self._parts:
            await part.stop()
        if self._sweeping:
            self._sweeping.cancel()
        await self._stage.stop()
        await self.released()
        await self._listener.stop()
        await self._directory.stop()
        await self._publisher.stop()
        await self._stack.aclose()

    async def released(self) -> None:
        """Stops acting for every session: another process may own it from now on."""
        self._owned = frozenset()
        running = [*self._running.values(), *self._polling, *([self._taking] if self._taking else [])]
        pollers = list(self._polling.values())
        self._polling.clear()
        self._running.clear()
        self._drivers.clear()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            async with asyncio.timeout(_DEADLINE):
                await asyncio.gather(*(poller.settled() for poller in pollers), return_exceptions=True)
        except TimeoutError:  # Kafka is away; it goes on being offered while this process lives
            log.warning("polled_results_not_settled", seconds=_DEADLINE)

    def acquired(self, partitions: Collection[int]) -> None:
        """Takes up the sessions of these partitions."""
        self._owned = frozenset(partitions)
        self._taking = asyncio.create_task(self._take_up(self._owned), name="sessions to take up")

    async def _take_up(self, partitions: frozenset[int]) -> None:
        await self._directory.caught_up(partitions)
        sessions = [
            session
            for session in self._directory.taken_up(partitions)
            if not session.state.over or session.retiring
        ]
        for session in sessions:
            self._drive(session, resuming=True)
        self._poll(partitions)
        log.info("sessions_taken_up", partitions=len(partitions), sessions=len(sessions))

    def _poll(self, partitions: frozenset[int]) -> None:
        """Polls the businesses that fall on these partitions: each is polled by one controller."""
        count = self._directory.partitions
        for name, tenant in self._settings.tenants.items():
            yidun = tenant.credentials.yidun
            if yidun is None or yidun.results != "poll":
                continue
            if partition_of(f"yidun/{yidun.business_id}", count) in partitions:
                results = YidunResults(Opening(tenant, self._http, self._rates))
                poller = YidunPoller(name, results, self._publish, self._directory.get)
                task = asyncio.create_task(poller.run(), name=f"poll yidun for {name}")
                self._polling[task] = poller

    async def _handle(self, records: Sequence[Record]) -> Results:
        """One batch of requests: written down as sessions, or as the wish that one ends."""
        await self._taken_up()
        results = Results()
        # Requests for different sessions do not wait for one another, those for the same one do.
        by_session: dict[bytes | None, list[Record]] = {}
        for record in records:
            by_session.setdefault(record.key, []).append(record)
        await asyncio.gather(*(self._obey_all(results, several) for several in by_session.values()))
        return results

    async def _taken_up(self) -> None:
        """Waits until the sessions of what is owned are taken up; in a rebalance that is of what is owned after it."""
        while (taking := self._taking) is None or not taking.done() or taking.cancelled():
            if taking is None or taking.cancelled():
                await asyncio.sleep(_PAUSE)
            else:
                await asyncio.wait([taking])
        taking.result()

    async def _obey_all(self, results: Results, records: Sequence[Record]) -> None:
        for record in records:
            try:
                changed = await self._obey(record)
            except Retryable:
                raise
            except Exception as error:
                reason, stack = reason_of(error), stack_of(error)
                letter = dead_letter(record, stage=NAME, reason=reason, stack=stack, at=now())
                results.dead_lettered += 1
                results.emit("dead_letter", letter)
                continue
            if changed:
                results.done += 1
            else:
                results.ignored += 1

    async def _obey(self, record: Record) -> bool:
        """False for a request that changes nothing, as a repeated one, or one whose partition has gone to another: it
        is not committed here."""
        if record.partition not in self._owned:
            return False
        request = read_request(record)
        driver = self._drivers.get(request.id)
        known = self._directory.taken_up_as(request.id)
        if request.kind == "stop":
            if driver is not None:
                await driver.stop(request.requested_by)
            elif known is not None:
                await self._write(stop_asked(known, request.requested_by, time.time()))
            return driver is not None or known is not None
        if driver is not None or known is not None:
            return False
        session = requested(request, RawRef(record.topic, record.partition, record.offset, request.id))
        await self._write(session)
        self._drive(session)
        return True

    def _drive(self, session: Session, *, resuming: bool = False) -> None:
        """Sets a driver to work for a session, or notes why that cannot be."""
        kind = KINDS.get(session.source)
        tenant = self._settings.tenants.get(session.tenant)
        fault = self._not_drivable(session, kind)
        if kind is None or tenant is None or fault:
            log.error("session_not_driven", session=session.id, source=session.source, fault=fault)
            self._gauges.undriven(session, fault or "")
            return
        rules = Rules(
            kind.rhythm, kind.silence, kind.lasting, self._sessions.start_timeout, self._sessions.keep_ended
        )
        at = time.time()
        # Whoever takes sessions up asks the vendors soon, and not of all at once.
        silent = random.random() * (kind.rhythm or kind.silence) if resuming else 0.0  # noqa: S311 - no secret
        driver = Driver(
            session,
            rules,
            self._client(session, kind),
            self._start_of(session, kind),
            write=self._write,
            polled=self._publish_polled,
            heard_at=at - silent,
        )
        self._drivers[session.id] = driver
        task = self._running[session.id] = asyncio.create_task(driver.run(), name=f"session {session.id}")
        task.add_done_callback(lambda ended: self._ended(session.id, ended))

    def _ended(self, session_id: str, task: asyncio.Task[None]) -> None:
        if self._running.get(session_id) is task:
            del self._running[session_id], self._drivers[session_id]
        if not task.cancelled() and (error := task.exception()):
            log.error("session_driver_failed", session=session_id, error=repr(error), exc_info=error)
            asyncio.get_running_loop().call_later(_AFTER_A_FAULT, self._drive_again, session_id)

    def _drive_again(self, session_id: str) -> None:
        """A fault of ours is no reason to watch a room no more."""
        session = self._directory.taken_up_as(session_id)
        owned = partition_of(session_id, self._directory.partitions) in self._owned
        if session is not None and owned and not session.state.over and session_id not in self._drivers:
            self._drive(session, resuming=True)

    def _not_drivable(self, session: Session, kind: Kind | None) -> str | None:
        if kind is None:
            return f"{session.source} cannot be started"
        tenant = self._settings.tenants.get(session.tenant)
        if tenant is None:
            return f"tenants.{session.tenant}: no such tenant"
        if missing := kind.missing(tenant):
            return "; ".join(f"tenants.{session.tenant}.{fault}" for fault in missing)
        try:
            kind.parameters.model_validate(session.parameters)
        except ValidationError as error:
            return f"its parameters: {error.error_count()} faults"
        return None

    def _client(self, session: Session, kind: Kind) -> Client:
        key = (session.tenant, session.source)
        if key not in self._clients:
            tenant = self._settings.tenants[session.tenant]
            self._clients[key] = kind.open(Opening(tenant, self._http, self._rates))
        return self._clients[key]

    def _start_of(self, session: Session, kind: Kind) -> Start:
        began = epoch(session.created_at) or time.time()
        capability = Capability(
            session.source,
            session.tenant,
            session.id,
            session.room,
            session.user,
            int(began + _CAPABILITY_LIFE),
        )
        token = self._capabilities.sign(capability)
        url = f"{self._sessions.callback_base_url}{PREFIX}/{session.source}/{session.tenant}/{token}"
        yidun = self._settings.tenants[session.tenant].credentials.yidun
        if session.source is Source.YIDUN_AUDIO and yidun is not None and yidun.results == "poll":
            url = ""  # with an address Yidun calls back
        return Start(session.id, url, kind.parameters.model_validate(session.parameters))

    async def _write(self, session: Session) -> None:
        """Writes a session down, however long Kafka is away, and says so where nobody watches its room any more."""
        messages = [session_message(session)]
        before = self._drivers[session.id].session if session.id in self._drivers else None
        if before is not None and before.watched and not session.watched and (signal := unwatched(session)):
            messages.append(signal)
        await self._publish(messages)

    async def _publish(self, messages: Sequence[Message]) -> None:
        while True:
            try:
                return await self._publisher.publish_all(messages)
            except Retryable as error:
                log.warning("session_not_written", error=str(error))
                await asyncio.sleep(_RETRY)

    async def _publish_polled(self, session: Session, body: bytes) -> None:
        message = polled(
            session.source,
            session.tenant,
            body,
            session_id=session.id,
            room=session.room,
            user=session.user,
        )
        await self._publish([message])

    def driver(self, session_id: str) -> Driver | None:
        """The driver of a session that is driven here."""
        return self._drivers.get(session_id)

    def _owned_sessions(self) -> list[Session]:
        return [driver.session for driver in self._drivers.values()]

    async def _sweep(self) -> None:
        """Forgets sessions that have been over for long, and counts the others."""
        while True:
            self._gauges.count(
                [(each.session, each.answered_at) for each in self._drivers.values()], time.time()
            )
            oldest = rfc3339(time.time() - self._sessions.keep_ended) or ""
            over = [
                session.id
                for session in self._directory.taken_up(self._owned)
                if session.state.over
                and (session.ended_at or "") < oldest
                and session.id not in self._drivers
            ]
            if over:
                await self._publish([tombstone(id) for id in over])
            await asyncio.sleep(_SWEEP)
