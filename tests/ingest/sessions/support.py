"""A controller at work on a broker and simulated vendors."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ingest.sessions.controller import Controller
from ingest.sessions.directory import Directory
from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Publisher
from moderato.records import Session, SessionRequest, SessionState
from moderato.session_requests import request_message
from moderato.settings import Settings
from moderato.sources import Source
from moderato.times import now
from simulator.control.book import State
from simulator.control.server import ControlServer
from tests.ingest.clients.test_against_simulator import tenant
from tests.ingest.clients.test_kinds import GIVEN

KEY = "k" * 32
CALLBACKS = "http://127.0.0.1:1"


def settings(server: ControlServer, **credentials: Any) -> Settings:
    return Settings(
        sessions={"callback_base_url": CALLBACKS, "start_timeout": 60},
        capability_keys=[KEY],
        tenants={"acme": tenant(server, **credentials).model_dump()},
    )


def wish(id: str, source: Source, **parameters: Any) -> SessionRequest:
    given = GIVEN[source] | parameters
    return SessionRequest(id, "start", "acme", source, "room", None, given, None, "test", now())


def stop(id: str, source: Source) -> SessionRequest:
    return SessionRequest(id, "stop", "acme", source, None, None, None, None, "test", now())


class Bench:
    """What a test turns and sees."""

    def __init__(self, connection: Connection, server: ControlServer) -> None:
        self.server = server
        self.connection = connection
        self.publisher = Publisher(connection, deadline=10.0)
        self.controller: Controller | None = None
        self.directory = Directory(connection)

    async def ask(self, *requests: SessionRequest) -> None:
        await self.publisher.publish_all([request_message(request) for request in requests])

    def running(self) -> list[str]:
        return [task.id for task in self.server.world.book.all_running()]

    async def until(self, met: Callable[[], bool], seconds: float = 60.0) -> None:
        ends = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < ends, [
                (session.id, session.state, session.reason, session.fault) for session in self.directory.all()
            ]
            await asyncio.sleep(0.02)

    async def state(self, id: str, *states: SessionState) -> Session:
        def met() -> bool:
            session = self.directory.get(id)
            return session is not None and session.state in states

        await self.until(met)
        session = self.directory.get(id)
        assert session is not None
        return session


@asynccontextmanager
async def bench(connection: Connection, server: ControlServer) -> AsyncIterator[Bench]:
    made = Bench(connection, server)
    await made.publisher.start([topics.SESSION_REQUESTS, topics.SESSIONS, topics.SIGNALS])
    await made.directory.start()
    try:
        yield made
    finally:
        await made.directory.stop()
        await made.publisher.stop()


@asynccontextmanager
async def controller(made: Bench, **credentials: Any) -> AsyncIterator[Controller]:
    running = Controller(settings(made.server, **credentials), made.connection, Directory(made.connection))
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


def states(server: ControlServer) -> list[State]:
    return [task.state for task in server.world.book.tasks.values()]
