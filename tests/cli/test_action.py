"""`moderato action` against the API."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from moderato.bus.connection import Connection
from tests.cli.support import Ended, moderato
from tests.sinks.actions.support import READER, WRITER, Api, serving

BAN = ("ban", "user", "4711", "--source=agora_voice", "--room=lounge-7", "--duration=600", "--tenant=acme")


@pytest.fixture
async def api(connection: Connection) -> AsyncIterator[Api]:
    async with serving(connection) as running:
        yield running


async def action(api: Api, *arguments: str, token: str = WRITER) -> Ended:
    return await asyncio.to_thread(moderato, "action", *arguments, "--api", api.url, "--token", token)


async def test_an_action_is_demanded_shown_and_taken_back(api: Api) -> None:
    made = orjson.loads((await action(api, "create", *BAN, "--idempotency-key=k", "--json")).lines[-1])
    again = await action(api, "create", *BAN, "--idempotency-key=k")
    assert again.lines[-1:] == [f"{made['id']}: ban user 4711 of acme"]
    shown = await action(api, "show", made["id"], token=READER)
    assert shown.lines[0] == "1. asked for by writer"
    assert any(line.startswith("3. action  ban user 4711") for line in shown.lines)
    assert "2 times, with the same id" in shown.out
    assert "4. outcome  none yet" in shown.out
    told = orjson.loads((await action(api, "show", made["id"], "--json", "--within=1h")).out)
    assert told["action"]["id"] == made["id"]
    undone = await action(api, "undo", made["id"])
    assert undone.code == 0
    lift = undone.lines[-1].partition(":")[0]
    assert undone.lines[-1:] == [f"{lift}: lift user 4711 of acme, takes back {made['id']}"]
    assert f"takes back ban {made['id']}" in " ".join((await action(api, "show", lift)).out.split())


async def test_every_fault_is_a_line_and_the_code_is_2(api: Api) -> None:
    ended = await action(api, "create", "warn", "room", "r", "--source=agora_voice", "--duration=5")
    assert ended.code == 2
    assert ended.err.splitlines()[0] == "moderato: the request has 3 faults (HTTP 422)"
    assert "HTTP 404" in (await action(api, "show", "act_/../x")).err
    assert "HTTP 403" in (await action(api, "undo", "act_1", token=READER)).err
