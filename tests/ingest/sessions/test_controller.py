"""The controller against simulated vendors: sessions from their request to their end."""

from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
import pytest

from ingest.clients import KINDS
from ingest.sessions.machine import News, requested
from ingest.sessions.wire import session_message
from moderato import topics
from moderato.bus.connection import Connection
from moderato.records import RawRef, SessionState, SignalKind, VendorTask
from moderato.session_requests import request_message
from moderato.sources import Source
from simulator.control.book import State
from simulator.control.faults import Fault, Kind
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.ingest.clients.test_against_simulator import STARTED_BY
from tests.ingest.sessions.support import Bench, bench, controller, stop, wish
from tests.moderato.bus.support import read_all

LASTING = [source for source, kind in KINDS.items() if kind.lasting]


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


async def test_a_controller_that_comes_after_another_goes_on(made: Bench) -> None:
    ids = {source: f"s-{source}" for source in KINDS}
    async with controller(made):
        await made.ask(*(wish(id, source) for source, id in ids.items()))
        before = {source: await made.state(id, SessionState.ACTIVE) for source, id in ids.items()}
    # Files are judged while nobody looks.
    for task in made.server.world.book.all_running():
        if task.source is Source.IFLYTEK_AUDIO:
            made.server.world.end(task, State.FINISHED, "finished")
    async with controller(made):
        await made.ask(*(stop(ids[source], source) for source in LASTING))
        for source, id in ids.items():
            ended = await made.state(id, SessionState.ENDED)
            assert ended.task == before[source].task
            assert ended.reason == ("test" if source in LASTING else "task_ended")
    assert len(made.server.world.book.tasks) == len(ids)
    assert made.running() == []


async def test_a_request_to_stop_what_was_not_started_leaves_nothing(made: Bench) -> None:
    await made.ask(wish("s-1", Source.SHUMEI_AUDIO), stop("s-1", Source.SHUMEI_AUDIO))
    async with controller(made):
        await made.state("s-1", SessionState.ENDED)
        assert made.running() == []


async def test_an_answer_that_is_lost_makes_no_second_task(made: Bench) -> None:
    for source in LASTING:
        vendor, operation = STARTED_BY[source]
        made.server.world.faults.add(Fault(vendor=vendor, operation=operation, kind=Kind.LOST))
    async with controller(made):
        await made.ask(*(wish(f"s-{source}", source, **apart(source)) for source in LASTING))
        for source in LASTING:
            await made.state(f"s-{source}", SessionState.ACTIVE)
    assert len(made.running()) == len(made.server.world.book.tasks) == len(LASTING)


def apart(source: Source) -> dict[str, str]:
    """Agora's voice and video watch rooms of their own."""
    return {"channel": f"c-{source}"} if source.startswith("agora") else {}


async def test_files_whose_submit_has_no_answer_are_not_submitted_again(made: Bench) -> None:
    made.server.world.faults.add(Fault(vendor="iflytek", operation="submit", kind=Kind.LOST))
    async with controller(made):
        await made.ask(wish("s-1", Source.IFLYTEK_AUDIO))
        failed = await made.state("s-1", SessionState.FAILED)
    assert failed.reason == "unknown_outcome"
    assert len(made.server.world.book.tasks) == 1


async def test_a_submit_that_a_kill_cut_off_fails_and_is_not_sent_again(made: Bench) -> None:
    begun = requested(wish("s-1", Source.IFLYTEK_AUDIO), RawRef(topics.SESSION_REQUESTS, 0, 0, "s-1"))
    left = replace(begun, state=SessionState.STARTING, task=VendorTask(None, {}, None), submitted=True)
    await made.publisher.publish_all([session_message(left)])
    async with controller(made):
        failed = await made.state("s-1", SessionState.FAILED)
    assert failed.reason == "unknown_outcome"
    assert made.server.world.book.tasks == {}


async def test_a_task_that_died_is_started_anew(made: Bench) -> None:
    async with controller(made) as running:
        await made.ask(wish("s-1", Source.SHUMEI_AUDIO))
        first = await made.state("s-1", SessionState.ACTIVE)
        assert first.task is not None
        for task in made.server.world.book.all_running():
            made.server.world.book.end(task, State.DIED, made.server.world.clock.now())
        driver = running.driver("s-1")
        assert driver is not None
        await driver.signalled(News(SignalKind.TASK_FAILED, "3", first.task.id))
        await made.until(lambda: made.running() not in ([], [first.task.id]))
        again = await made.state("s-1", SessionState.ACTIVE)
        assert (again.resubmits, again.watched) == (1, True)
        [signal] = await read_all(made.connection, topics.SIGNALS, 1)
    told = orjson.loads(signal.value)
    assert (told["kind"], told["code"], told["session_id"]) == ("task_failed", "moderato.unwatched", "s-1")
    assert told["raw"]["topic"] == topics.SESSION_REQUESTS


async def test_what_is_no_request_goes_to_the_dead_letters(made: Bench) -> None:
    good = request_message(wish("s-1", Source.SHUMEI_AUDIO))
    bad = [
        good._replace(value=b"{"),
        good._replace(value=None),
        good._replace(value=orjson.dumps({"id": "s-1"})),
        good._replace(headers=[]),
        good._replace(key=b"s-2"),
    ]
    async with controller(made):
        await made.publisher.publish_all([*bad, good])
        await made.state("s-1", SessionState.ACTIVE)
        letters = await read_all(made.connection, topics.DEAD_LETTERS, len(bad))
    assert len(letters) == len(bad)


async def test_results_that_are_polled_carry_their_session(connection: Connection) -> None:
    server = ControlServer(World(), report_seconds=0.3)
    await server.start()
    async with bench(connection, server) as made:
        polling = {"results": "poll"}
        async with controller(made, yidun=polling):
            await made.ask(wish("s-1", Source.YIDUN_AUDIO, **BY_URL))
            await made.state("s-1", SessionState.ACTIVE)
            raw = await read_all(connection, topics.raw(Source.YIDUN_AUDIO), 3)
    await server.stop()
    for record in raw:
        headers = dict(record.headers)
        assert (headers["ce_sessionid"], headers["ce_room"]) == (b"s-1", b"room")
        assert headers["content-type"] == b"application/json"
    assert len({dict(record.headers)["ce_id"] for record in raw}) == len(raw)


BY_URL = {
    "url": "rtmp://live.example.com/7",
    "room": "room-7",
    "channel": None,
    "uid": None,
    "check_speaker_ids": [],
    "extra": {},
}


async def test_a_session_whose_driver_failed_is_driven_again(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sessions.controller._AFTER_A_FAULT", 0.1)
    async with controller(made) as running:
        await made.ask(wish("s-1", Source.SHUMEI_AUDIO))
        await made.state("s-1", SessionState.ACTIVE)
        driver = running.driver("s-1")
        assert driver is not None
        monkeypatch.setattr(driver, "_take", None)  # the next step is a TypeError
        await made.ask(stop("s-1", Source.SHUMEI_AUDIO))
        await made.state("s-1", SessionState.ENDED)
    assert made.running() == []
