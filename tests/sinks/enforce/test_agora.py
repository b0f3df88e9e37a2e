"""The Agora executor against the simulated kicking-rule API, which is built from Agora's documents."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.records import OutcomeState
from simulator.control.faults import Kind
from simulator.control.server import ControlServer
from sinks.enforce.agora import TYPES, KickingRule, Unsupported, kicking_rule
from sinks.enforce.executor import Result
from tests.sinks.enforce.support import order
from tests.sinks.enforce.vendors import WAIT, fail, opened

USER = {"target": {"kind": "user", "id": "4711"}, "room": "lounge-7"}
ROOM = {"target": {"kind": "room", "id": "lounge-7"}, "user": None}
IMAGE = {"media": "image"}


async def carry_out(server: ControlServer, *actions: dict[str, Any], seconds: float = WAIT) -> list[Result]:
    async with AsyncExitStack() as stack:
        execute = await opened("agora", server, stack)
        until = asyncio.get_running_loop().time() + seconds
        return [await execute(order(**each), until) for each in actions]


def rules(server: ControlServer) -> list[dict[str, Any]]:
    """What Agora's book has, of all that matters."""
    kept = ("cname", "uid", "privileges", "seconds", "deleted")
    shown: Any = server.world.show["kicking_rules"]()
    return [{name: rule[name] for name in kept} for rule in shown]


def calls(server: ControlServer) -> list[tuple[str, int]]:
    return [(call.operation, call.status) for call in server.world.book.calls]


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        (USER | {"type": "kick"}, ("lounge-7", 4711, "join_channel", 0)),
        (USER | {"type": "kick", "duration": 600}, ("lounge-7", 4711, "join_channel", 600)),
        (USER | {"type": "mute"}, ("lounge-7", 4711, "publish_audio", 3600)),
        (USER | {"type": "mute", "duration": 3}, ("lounge-7", 4711, "publish_audio", 10)),
        (USER | {"type": "mute", "duration": 60, "verdict": IMAGE}, ("lounge-7", 4711, "publish_video", 60)),
        (USER | {"type": "ban", "duration": 3600}, (None, 4711, "join_channel", 3600)),
        (USER | {"type": "ban"}, (None, 4711, "join_channel", 86_430)),
        (ROOM | {"type": "close_room"}, ("lounge-7", None, "join_channel", 3600)),
    ],
)
async def test_an_action_is_a_rule(
    vendors: ControlServer, changes: dict[str, Any], made: tuple[str | None, int | None, str, int]
) -> None:
    [result] = await carry_out(vendors, changes)
    channel, uid, privilege, seconds = made
    assert rules(vendors) == [
        {"cname": channel, "uid": uid, "privileges": [privilege], "seconds": seconds, "deleted": False}
    ]
    assert result == Result(OutcomeState.DONE, 1, "rule 1953" if seconds else "once")


async def test_a_ban_that_is_longer_than_agora_takes_says_so(vendors: ControlServer) -> None:
    [result] = await carry_out(vendors, USER | {"type": "ban", "duration": 604_800})
    assert result.detail == "rule 1953: 86430 s, the longest that Agora takes, not 604800 s"


@pytest.mark.parametrize("type_", ["mute", "ban", "close_room", "kick"])
async def test_a_lift_takes_back_what_holds_of_the_same_kind_and_nothing_else(
    vendors: ControlServer, type_: str
) -> None:
    target = ROOM if type_ == "close_room" else USER
    others = [each for each in ("mute", "ban", "close_room") if each != type_]
    held = [
        *((ROOM if other == "close_room" else USER) | {"type": other, "duration": 600} for other in others),
        USER | {"type": type_, "duration": 600, "target": {"kind": "user", "id": "4712"}},
    ][: len(others) + (type_ != "close_room")]
    mine = target | {"type": type_, "duration": 600}
    lift = target | {"type": "lift", "lifts": type_, "undoes": "act_1"}
    *_, lifted, again = await carry_out(vendors, *held, mine, lift, lift)
    assert [each["deleted"] for each in rules(vendors)] == [False] * len(held) + [True]
    assert lifted == Result(OutcomeState.DONE, 2, f"lifted rule {1953 + len(held)}")
    assert again == Result(OutcomeState.DONE, 1, "no such rule holds")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (USER | {"type": "warn"}, "Agora has no warn"),
        (USER | {"type": "kick", "room": None}, "no room is named, which is Agora's channel"),
        (ROOM | {"type": "kick"}, "no user is named"),
        (USER | {"type": "ban", "target": {"kind": "user", "id": "u-42"}}, "numbers from 1 to 4294967295"),
        (USER | {"type": "ban", "target": {"kind": "user", "id": "0"}}, "numbers from 1 to 4294967295"),
        (USER | {"type": "ban", "target": {"kind": "user", "id": "4294967296"}}, "numbers from 1"),
        (USER | {"type": "mute", "room": "é" * 33}, "names of at most 64 bytes"),
        (USER | {"type": "lift", "lifts": "warn"}, "Agora has no warn"),
    ],
)
async def test_what_agora_cannot_do_is_unsupported_without_a_call(
    vendors: ControlServer, changes: dict[str, Any], why: str
) -> None:
    [result] = await carry_out(vendors, changes)
    assert (result.state, result.attempts) == (OutcomeState.UNSUPPORTED, 0)
    assert why in (result.detail or "")
    assert calls(vendors) == []


@pytest.mark.parametrize("kind", [Kind.LOST, Kind.EMPTY, Kind.HTML, Kind.TRUNCATED, Kind.HUGE])
async def test_a_rule_whose_answer_is_lost_is_looked_for_and_not_made_twice(
    vendors: ControlServer, kind: Kind
) -> None:
    fail(vendors, "agora", "kick", kind)
    [result] = await carry_out(vendors, USER | {"type": "mute"})
    assert result == Result(OutcomeState.DONE, 2, "rule 1953")
    assert len(rules(vendors)) == 1
    assert [operation for operation, _ in calls(vendors)] == ["kick", "list_rules"]


async def test_a_rule_that_the_vendor_does_not_show_is_made_again_once(vendors: ControlServer) -> None:
    fail(vendors, "agora", "kick", Kind.ERROR, status=504)
    [result] = await carry_out(vendors, USER | {"type": "mute"})
    assert result == Result(OutcomeState.DONE, 3, "rule 1953")
    assert calls(vendors) == [("kick", 504), ("list_rules", 200), ("kick", 200)]


async def test_a_rule_that_ends_too_early_is_not_the_one_that_was_lost(vendors: ControlServer) -> None:
    await carry_out(vendors, USER | {"type": "mute", "duration": 60})
    fail(vendors, "agora", "kick", Kind.ERROR)
    [result] = await carry_out(vendors, USER | {"type": "mute", "duration": 1200})
    assert result.state == OutcomeState.DONE
    assert [each["seconds"] for each in rules(vendors)] == [60, 1200]


async def test_a_kick_of_the_moment_whose_answer_is_lost_is_done_again_once(vendors: ControlServer) -> None:
    fail(vendors, "agora", "kick", Kind.LOST)
    [result] = await carry_out(vendors, USER | {"type": "kick"})
    assert result == Result(OutcomeState.DONE, 2, "once")
    assert [operation for operation, _ in calls(vendors)] == ["kick", "kick"]


@pytest.mark.parametrize("kind", [Kind.ERROR, Kind.LOST, Kind.EMPTY])
async def test_a_vendor_that_is_out_fails_the_action_after_at_most_two_tries(
    vendors: ControlServer, kind: Kind
) -> None:
    fail(vendors, "agora", "kick", kind, times=None)
    fail(vendors, "agora", "list_rules", Kind.ANSWER, times=None, status=200, body={"status": "success"})
    [result] = await carry_out(vendors, USER | {"type": "kick", "duration": 60})
    assert (result.state, result.outage) == (OutcomeState.FAILED, True)
    assert [operation for operation, _ in calls(vendors)] == ["kick", "list_rules", "kick"]


async def test_a_vendor_that_hangs_is_left_at_the_deadline(vendors: ControlServer) -> None:
    fail(vendors, "agora", "kick", Kind.TIMEOUT, times=None)
    began = asyncio.get_running_loop().time()
    [result] = await carry_out(vendors, USER | {"type": "kick"}, seconds=0.3)
    assert (result.state, result.outage) == (OutcomeState.FAILED, True)
    assert asyncio.get_running_loop().time() - began < 5


async def test_too_many_calls_wait_and_are_no_outage(vendors: ControlServer) -> None:
    fail(vendors, "agora", "kick", Kind.RATE_LIMIT)
    [result] = await carry_out(vendors, USER | {"type": "kick"})
    assert result == Result(OutcomeState.DONE, 2, "once")
    fail(vendors, "agora", "kick", Kind.RATE_LIMIT, times=None)
    [result] = await carry_out(vendors, USER | {"type": "kick"})
    assert (result.state, result.outage) == (OutcomeState.FAILED, False)


async def test_a_wrong_secret_is_a_refusal_that_does_not_show_it(vendors: ControlServer) -> None:
    async with AsyncExitStack() as stack:
        execute = await opened("agora", vendors, stack, customer_secret="wrong-s3cr3t")
        result = await execute(order(**USER), asyncio.get_running_loop().time() + WAIT)
    assert (result.state, result.attempts, result.outage) == (OutcomeState.FAILED, 1, False)
    assert "agora kick: http-401" in (result.detail or "")
    assert "s3cr3t" not in (result.detail or "")


async def test_a_rule_that_is_gone_when_it_is_deleted_is_lifted(vendors: ControlServer) -> None:
    await carry_out(vendors, USER | {"type": "mute"})
    fail(vendors, "agora", "delete_rule", Kind.LOST)
    [result] = await carry_out(vendors, USER | {"type": "lift", "lifts": "mute"})
    assert (result.state, result.detail) == (OutcomeState.DONE, "lifted rule 1953")
    assert [each["deleted"] for each in rules(vendors)] == [True]


@given(
    st.sampled_from([*TYPES, "warn", "else"]),
    st.none() | st.text(max_size=80),
    st.none() | st.text(max_size=12) | st.integers(-5, 2**33).map(str),
    st.none() | st.floats(min_value=1e-3, max_value=1e9),
)
def test_every_rule_is_one_that_agora_takes(
    type_: str, room: str | None, user: str | None, duration: float | None
) -> None:
    target = {"kind": "user", "id": user} if user else {"kind": "room", "id": room or "r"}
    try:
        rule = kicking_rule(order(type=type_, target=target, room=room, user=None, duration=duration))
    except Unsupported:
        return
    assert rule.channel is None or 0 < len(rule.channel.encode()) <= 64
    assert rule.uid is None or 0 < rule.uid < 1 << 32
    assert rule.channel is not None or rule.uid is not None
    assert rule.seconds == 0 or 10 <= rule.seconds <= 86_430


def test_a_rule_is_against_the_same_only() -> None:
    rule = KickingRule("c", 7, "join_channel", 60, 60)
    same = {"cname": "c", "uid": 7, "privileges": ["join_channel"], "ip": None}
    assert rule.against(same)
    for change in (
        {"cname": "d"},
        {"uid": 8},
        {"uid": None},
        {"privileges": ["publish_audio"]},
        {"ip": "1.2.3.4"},
    ):
        assert not rule.against(same | change)
