"""`moderato session` against an API with a controller and simulated vendors behind it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.settings import Kafka
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.cli.support import Ended, moderato
from tests.ingest.sessions.test_api import READER, WRITER, Api, serving

ROOM = '{"channel": "room-1", "uid": "7"}'


@pytest.fixture
def connection() -> Iterator[Connection]:
    broker = EmbeddedBroker(partitions=2)
    yield broker.connection(Kafka())
    broker.stop()


@pytest.fixture
async def api(connection: Connection) -> AsyncIterator[Api]:
    server = ControlServer(World())
    await server.start()
    async with serving(connection, server) as running:
        yield running
    await server.stop()


async def session(api: Api, *arguments: object, token: str = WRITER) -> Ended:
    return await asyncio.to_thread(moderato, "session", *arguments, "--api", api.url, "--token", token)


async def test_a_session_is_started_listed_watched_and_stopped(api: Api, tmp_path: Path) -> None:
    started = await session(api, "start", "agora_voice", ROOM, "--tenant=acme", "--wait=30", "--json")
    assert started.code == 0
    id = orjson.loads(started.lines[-1])["id"]
    parameters = tmp_path / "room.json"
    parameters.write_text(ROOM)
    again = ("start", "agora_voice", f"@{parameters}", "--tenant=acme", "--idempotency-key=a", "--wait=0")
    assert (await session(api, *again)).code == 0
    listed = await session(api, "list", "--state=active", token=READER)
    assert id in listed.out
    assert "room-1" in listed.out
    shown = await session(api, "show", id)
    assert "active" in shown.out
    assert (await session(api, "stop", id, "--wait=30")).code == 0
    watched = await session(api, "watch", id)
    assert watched.code == 0
    assert "ended" in watched.lines[-1]


async def test_every_fault_is_a_line_and_the_code_is_2(api: Api) -> None:
    ended = await session(api, "start", "agora_voice", '{"channel": "a*", "uid": "0"}', "--tenant=acme")
    assert ended.code == 2
    assert ended.err.splitlines()[0] == "moderato: the request has 2 faults (HTTP 422)"
    assert [line.split(":")[1].strip() for line in ended.err.splitlines()[1:]] == [
        "/parameters/channel",
        "/parameters/uid",
    ]
    assert "HTTP 404" in (await session(api, "show", "s/../x")).err
    assert "HTTP 403" in (await session(api, "stop", "s-1", token=READER)).err
    assert "HTTP 401" in (await session(api, "list", token="x" * 32)).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list"], "a bearer token is due"),
        (["list", "--token-file=/no/file"], "--token-file /no/file: cannot be read"),
        (["list", "--token=schlüssel"], "the bearer token has characters"),
        (["list", "--token=t", "--api=http://127.0.0.1:1"], "the API at http://127.0.0.1:1 does not answer"),
        (["list", "--token=t", "--api=nowhere"], "the API at nowhere does not answer"),
        (["start", "agora_voice", "{", "--token=t"], "the parameters are not JSON"),
        (["start", "agora_voice", "@/no/file", "--token=t"], "/no/file: cannot be read"),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(arguments: list[str], message: str) -> None:
    ended = moderato("session", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"moderato: {message}")
    assert len(ended.err.splitlines()) == 1
