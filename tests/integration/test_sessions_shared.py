"""Two controllers on real Kafka: they share the sessions, and one that goes leaves its own to the other."""

from collections.abc import AsyncIterator

import pytest

from moderato.bus.connection import Connection
from moderato.records import SessionState
from moderato.sources import Source
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.bench.sessions import parameters
from tests.ingest.sessions.support import Bench, bench, controller, stop, wish

IDS = [f"s-{number}" for number in range(24)]


@pytest.fixture
async def made(kafka_connection: Connection) -> AsyncIterator[Bench]:
    server = ControlServer(World())
    await server.start()
    async with bench(kafka_connection, server) as made:
        yield made
    await server.stop()


@pytest.mark.kafka
async def test_sessions_are_shared_and_handed_over(made: Bench) -> None:
    source = Source.SHUMEI_AUDIO
    async with controller(made) as second:
        async with controller(made) as first:
            wishes = [wish(id, source, **parameters(source, number)) for number, id in enumerate(IDS)]
            await made.ask(*wishes)
            for id in IDS:
                await made.state(id, SessionState.ACTIVE)

            def shared() -> bool:
                ours, theirs = ([id for id in IDS if each.driver(id)] for each in (first, second))
                return bool(ours and theirs) and sorted(ours + theirs) == sorted(IDS)

            await made.until(shared)
        await made.until(lambda: all(second.driver(id) for id in IDS))
        assert len(made.running()) == len(made.server.world.book.tasks) == len(IDS)
        await made.ask(*(stop(id, source) for id in IDS))
        for id in IDS:
            await made.state(id, SessionState.ENDED)
    assert made.running() == []
    assert len(made.server.world.book.tasks) == len(IDS)
