"""The Yunxin executor against the simulated server API, which is built from Yunxin's documents."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from moderato.records import OutcomeState
from simulator.control.faults import Kind
from simulator.control.server import ControlServer
from sinks.enforce.executor import Result
from tests.sinks.enforce.support import order
from tests.sinks.enforce.vendors import WAIT, fail, opened

USER = {"target": {"kind": "user", "id": "7"}, "room": "lounge"}
ROOM = {"target": {"kind": "room", "id": "lounge"}, "user": None}


@pytest.fixture
async def room(vendors: ControlServer) -> str:
    """Its number; its name is lounge, and its members 7 and 8."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{vendors.url}/yunxin/_rooms", json={"name": "lounge", "members": [7, 8]}) as made,
    ):
        return str((await made.json())["cid"])


async def carry_out(server: ControlServer, *actions: dict[str, Any], **changes: Any) -> list[Result]:
    async with AsyncExitStack() as stack:
        execute = await opened("yunxin", server, stack, **changes)
        until = asyncio.get_running_loop().time() + WAIT
        return [await execute(order(**each), until) for each in actions]


def shown(server: ControlServer) -> dict[str, Any]:
    [found] = server.world.show["yunxin_rooms"]()  # type: ignore[misc]
    return dict(found)


@pytest.mark.parametrize("named", [True, False])
async def test_a_member_is_kicked_and_may_come_back(vendors: ControlServer, room: str, named: bool) -> None:
    where = USER | {"room": "lounge" if named else room}
    [kicked] = await carry_out(vendors, where | {"type": "kick", "duration": 600})
    assert kicked == Result(OutcomeState.DONE, 1 if named else 2, "until it is lifted or the room ends")
    assert (shown(vendors)["members"], shown(vendors)["kicked"]) == ([8], {"7": None})
    [lifted] = await carry_out(vendors, where | {"type": "lift", "lifts": "kick"})
    assert (lifted.state, lifted.detail) == (OutcomeState.DONE, "may come back")
    assert shown(vendors)["kicked"] == {}


@pytest.mark.parametrize("named", [True, False])
async def test_a_room_is_closed(vendors: ControlServer, room: str, named: bool) -> None:
    target = {"target": {"kind": "room", "id": "lounge" if named else room}, "type": "close_room"}
    [closed] = await carry_out(vendors, target)
    assert (closed.state, closed.detail) == (OutcomeState.DONE, "closed")
    assert shown(vendors)["closed"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (USER | {"type": "mute"}, "Yunxin has no mute"),
        (USER | {"type": "ban"}, "Yunxin has no ban"),
        (USER | {"type": "kick", "room": None}, "no room is named"),
        (ROOM | {"type": "kick"}, "no user is named"),
        (USER | {"type": "kick", "target": {"kind": "user", "id": "u-42"}}, "Yunxin's members are numbers"),
        (ROOM | {"type": "lift", "lifts": "close_room"}, "a room that was closed is not opened again"),
        (USER | {"type": "lift"}, "Yunxin has no None"),
    ],
)
async def test_what_yunxin_cannot_do_is_unsupported_without_a_call(
    vendors: ControlServer, changes: dict[str, Any], why: str
) -> None:
    [result] = await carry_out(vendors, changes)
    assert result == Result(OutcomeState.UNSUPPORTED, 0, why)
    assert not vendors.world.book.calls


@pytest.mark.parametrize("kind", [Kind.LOST, Kind.HTML, Kind.ERROR])
async def test_a_kick_whose_answer_is_lost_is_done_again(
    vendors: ControlServer, room: str, kind: Kind
) -> None:
    fail(vendors, "yunxin", "kick", kind)
    [result] = await carry_out(vendors, USER | {"type": "kick"})
    assert (result.state, result.attempts) == (OutcomeState.DONE, 2)
    assert shown(vendors)["kicked"] == {"7": None}


async def test_a_close_whose_answer_is_lost_finds_the_room_closed(vendors: ControlServer, room: str) -> None:
    fail(vendors, "yunxin", "close_room", Kind.LOST)
    [result] = await carry_out(vendors, ROOM | {"type": "close_room"})
    assert (result.state, result.detail) == (OutcomeState.DONE, "there was nothing left to do")
    assert shown(vendors)["closed"]


async def test_a_room_that_is_not_there_is_a_refusal(vendors: ControlServer) -> None:
    [result] = await carry_out(vendors, USER | {"type": "kick"})
    assert result == Result(OutcomeState.FAILED, 1, "yunxin kick: 404: room not found")


@pytest.mark.parametrize(
    ("status", "code", "outage"), [(200, 500, True), (200, 414, False), (503, 503, True), (403, 403, False)]
)
async def test_both_codes_have_to_be_good(
    vendors: ControlServer, room: str, status: int, code: int, outage: bool
) -> None:
    body = {"code": code, "errmsg": "no"}
    fail(vendors, "yunxin", "kick", Kind.ANSWER, times=None, status=status, body=body)
    [result] = await carry_out(vendors, USER | {"type": "kick"})
    assert (result.state, result.outage, result.attempts) == (OutcomeState.FAILED, outage, 3 if outage else 1)


async def test_every_try_is_signed_anew_and_a_wrong_secret_does_not_show(
    vendors: ControlServer, room: str
) -> None:
    [result] = await carry_out(vendors, USER | {"type": "kick"}, app_secret="wrong-s3cr3t")
    assert (result.state, result.attempts) == (OutcomeState.FAILED, 1)
    assert "bad checksum" in (result.detail or "")
    assert "s3cr3t" not in (result.detail or "")
