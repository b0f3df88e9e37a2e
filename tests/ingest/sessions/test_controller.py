"""The controller against simulated vendors: sessions from their request to their end."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ingest.clients import KINDS
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.records import SessionState
from moderato.settings import Kafka
from moderato.sources import Source
from simulator.control.book import State
from simulator.control.faults import Fault, Kind
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.ingest.clients.test_against_simulator import STARTED_BY
from tests.ingest.sessions.support import Bench, bench, controller, stop, wish

LASTING = [source for source, kind in KINDS.items() if kind.lasting]


@pytest.fixture
async def server() -> AsyncIterator[ControlServer]:
    server = ControlServer(World())
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def connection() -> Iterator[Connection]:
    """Of a broker of the test's own."""
    broker = EmbeddedBroker(partitions=2)
    yield broker.connection(Kafka())
    broker.stop()


@pytest.fixture
async def made(connection: Connection, server: ControlServer) -> AsyncIterator[Bench]:
    async with bench(connection, server) as made:
        await room(made)
        yield made


async def room(made: Bench) -> None:
    import aiohttp

    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{made.server.url}/yunxin/_rooms", json={"name": "c", "members": [7]}) as answer,
    ):
        assert answer.status == 200


@pytest.mark.parametrize("source", LASTING)
async def test_a_session_is_started_watched_and_stopped(source: Source, made: Bench) -> None:
    async with controller(made):
        await made.ask(wish("s-1", source))
        session = await made.state("s-1", SessionState.ACTIVE)
        assert session.watched
        assert session.task is not None
        assert made.running() == [session.task.id]
        await made.ask(wish("s-1", source), stop("s-1", source))
        ended = await made.state("s-1", SessionState.ENDED, SessionState.FAILED)
        assert (ended.state, ended.reason, ended.watched) == (SessionState.ENDED, "test", False)
        assert made.running() == []


async def test_files_are_judged_and_their_session_ends_by_itself(made: Bench) -> None:
    async with controller(made):
        await made.ask(wish("s-1", Source.IFLYTEK_AUDIO))
        await made.state("s-1", SessionState.ACTIVE)
        for task in made.server.world.book.all_running():
            made.server.world.end(task, State.FINISHED, "finished")
        ended = await made.state("s-1", SessionState.ENDED)
        assert ended.reason == "task_ended"


@pytest.mark.parametrize("source", STARTED_BY)
async def test_what_the_vendor_refuses_fails_with_its_words(source: Source, made: Bench) -> None:
    vendor, operation = STARTED_BY[source]
    made.server.world.faults.add(
        Fault(
            vendor=vendor,
            operation=operation,
            kind=Kind.ANSWER,
            status=400,
            body={"code": 2, "message": "no"},
        )
    )
    async with controller(made):
        await made.ask(wish("s-1", source))
        failed = await made.state("s-1", SessionState.FAILED)
        assert failed.reason == "refused"
        assert failed.fault is not None
        assert made.running() == []


@pytest.mark.parametrize("source", LASTING)
async def test_a_controller_that_comes_after_goes_on(source: Source, made: Bench) -> None:
    async with controller(made):
        await made.ask(wish("s-1", source))
        before = await made.state("s-1", SessionState.ACTIVE)
    async with controller(made):
        await made.ask(stop("s-1", source))
        ended = await made.state("s-1", SessionState.ENDED)
    assert ended.task == before.task
    assert len(made.server.world.book.tasks) == 1
    assert made.running() == []


async def test_a_request_to_stop_what_was_not_started_leaves_nothing(made: Bench) -> None:
    await made.ask(wish("s-1", Source.SHUMEI_AUDIO), stop("s-1", Source.SHUMEI_AUDIO))
    async with controller(made):
        await made.state("s-1", SessionState.ENDED)
        assert made.running() == []


@pytest.mark.parametrize("source", LASTING)
async def test_an_answer_that_is_lost_makes_no_second_task(source: Source, made: Bench) -> None:
    vendor, operation = STARTED_BY[source]
    made.server.world.faults.add(Fault(vendor=vendor, operation=operation, kind=Kind.LOST))
    async with controller(made):
        await made.ask(wish("s-1", source))
        await made.state("s-1", SessionState.ACTIVE)
        assert len(made.running()) == 1
        assert len(made.server.world.book.tasks) == 1
