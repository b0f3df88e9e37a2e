"""The Agora executor: an action as a rule of the kicking-rule API (docs/enforcement.md has which).

A rule is made again only after a look whether it is there: an attempt that nobody answered may have made it. A kick of
the moment leaves no rule to look for, and does no harm when it is done twice.
https://docs.agora.io/en/video-calling/channel-management-api/endpoint/ban-user-privileges/create-rule
"""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import aiohttp

from moderato.credentials import AgoraCredentials
from moderato.records import ActionType, Media, OutcomeState
from moderato.settings import Tenant
from moderato.times import epoch
from moderato.vendor import (
    Answer,
    Caller,
    Rate,
    Rates,
    Request,
    Rule,
    Unreadable,
    VendorError,
    by_status,
    open_session,
)
from moderato.vendor.agora import basic_auth
from moderato.vendor.answers import seen_code, seen_message
from sinks.enforce.executor import PARALLEL, Execute, Result
from sinks.enforce.orders import Order
from sinks.enforce.tries import Tries, failed

TYPES = frozenset({ActionType.MUTE, ActionType.KICK, ActionType.BAN, ActionType.CLOSE_ROOM, ActionType.LIFT})

_SHORTEST, _LONGEST = 10, 86_430  # seconds, as Agora clamps them
_USUAL = 3600  # seconds that Agora takes when it is told none
_NEAR = 60.0  # seconds by which clocks may differ when a rule's end is compared

_RATE = Rate(10)  # an account, all calls together
_CREATE = Rule(timeout=5, waits=(0.5, 1.5), repeatable=False, limit="kicking-rule", rate=_RATE)
_LIST = Rule(timeout=3, waits=(0.5,), limit="kicking-rule", rate=_RATE)
_DELETE = Rule(timeout=5, waits=(0.5, 1.5), limit="kicking-rule", rate=_RATE)


async def open_agora(tenant: Tenant, stack: AsyncExitStack, rates: Rates) -> Execute:
    """For one tenant's Agora project."""
    assert tenant.credentials.agora is not None, "the tenant's settings say so"
    return Agora(tenant.credentials.agora, await open_session(stack, PARALLEL), rates).execute


class Unsupported(Exception):
    """Agora cannot do that; the message says why."""


@dataclass(frozen=True, slots=True)
class KickingRule:
    """Against a user in one channel, a user in all of them (`channel` None), or a whole channel (`uid` None), for so
    many seconds; 0: a kick of the moment. `wanted`: the seconds that were asked for."""

    channel: str | None
    uid: int | None
    privilege: str
    seconds: int
    wanted: float

    def body(self, app_id: str) -> dict[str, Any]:
        """As Agora is asked for it."""
        named = {"cname": self.channel, "uid": self.uid}
        return {
            "appid": app_id,
            **{name: value for name, value in named.items() if value is not None},
            "time_in_seconds": self.seconds,
            "privileges": [self.privilege],
        }

    def against(self, shown: dict[str, Any]) -> bool:
        """Whether a rule that Agora shows hits the same with the same."""
        return (
            (shown.get("cname") or None) == self.channel
            and (shown.get("uid") or None) == self.uid
            and not shown.get("ip")
            and shown.get("privileges") == [self.privilege]
        )


def kicking_rule(order: Order) -> KickingRule:
    """The rule of an order, or the one that it lifts. Raises Unsupported."""
    type_ = order.lifts if order.type == ActionType.LIFT else order.type
    if type_ == ActionType.CLOSE_ROOM:
        return KickingRule(_channel(order), None, "join_channel", _USUAL, _USUAL)
    uid = _uid(order)
    if type_ == ActionType.BAN:
        return _lasting(None, uid, "join_channel", order.duration or _LONGEST)
    if type_ == ActionType.KICK:
        if order.duration is None:
            return KickingRule(_channel(order), uid, "join_channel", 0, 0)
        return _lasting(_channel(order), uid, "join_channel", order.duration)
    if type_ == ActionType.MUTE:
        # What was abused is what is taken away.
        privilege = "publish_video" if order.media == Media.IMAGE else "publish_audio"
        return _lasting(_channel(order), uid, privilege, order.duration or _USUAL)
    raise Unsupported(f"Agora has no {type_}")


def _lasting(channel: str | None, uid: int, privilege: str, seconds: float) -> KickingRule:
    return KickingRule(channel, uid, privilege, min(max(round(seconds), _SHORTEST), _LONGEST), seconds)


def _channel(order: Order) -> str:
    channel = order.target.id if order.target.kind == "room" else order.room
    if not channel:
        raise Unsupported("no room is named, which is Agora's channel")
    if len(channel.encode()) > 64:
        raise Unsupported("Agora's channels have names of at most 64 bytes")
    return channel


def _uid(order: Order) -> int:
    user = order.target.id if order.target.kind == "user" else order.user
    if not user:
        raise Unsupported("no user is named")
    if not (user.isascii() and user.isdigit() and 0 < int(user) < 1 << 32):
        raise Unsupported("Agora's users are numbers from 1 to 4294967295")
    return int(user)


class Agora:
    """One tenant's project."""

    def __init__(
        self,
        credentials: AgoraCredentials,
        session: aiohttp.ClientSession,
        rates: Rates,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app_id = credentials.app_id
        self._hosts = credentials.base_urls
        authorization, secrets = basic_auth(credentials)
        self._headers = {"authorization": authorization}
        # Calls are counted by account, not by project.
        self._caller = Caller("agora", credentials.customer_id, session, rates, secrets)
        self._now = now

    async def execute(self, order: Order, until: float) -> Result:
        """By the deadline."""
        try:
            rule = kicking_rule(order)
        except Unsupported as error:
            return Result(OutcomeState.UNSUPPORTED, 0, str(error))
        tries = Tries(until)
        try:
            if order.type == ActionType.LIFT:
                detail = await self._lift(tries, rule)
            else:
                detail = await self._impose(tries, rule)
        except VendorError as error:
            return failed(error, tries)
        return Result(OutcomeState.DONE, tries.made, detail)

    async def _impose(self, tries: Tries, rule: KickingRule) -> str:
        began = self._now()
        try:
            id = await self._create(tries, rule)
        except VendorError as error:
            if not error.unknown_outcome or not tries.left():
                raise
            found = await self._look(tries, rule, began)
            if found is None and not tries.left():
                raise
            id = found or await self._create(tries, rule, again=True)
        if rule.wanted > _LONGEST:
            return f"rule {id}: {_LONGEST} s, the longest that Agora takes, not {rule.wanted:g} s"
        return f"rule {id}" if rule.seconds else "once"

    async def _create(self, tries: Tries, rule: KickingRule, *, again: bool = False) -> str:
        body = rule.body(self._app_id)

        def request(attempt: int) -> Request:
            return Request.json(self._url(attempt + again), body, self._headers)

        return await self._caller.call("kick", tries.of(_CREATE), tries.counted(request), _judge_created)

    async def _look(self, tries: Tries, rule: KickingRule, began: float) -> str | None:
        """The id of a rule that hits the same for as long."""
        if not rule.seconds:
            return None
        for shown in await self._list(tries):
            ends = epoch(str(shown.get("ts")))
            if rule.against(shown) and ends is not None and ends >= began + rule.seconds - _NEAR:
                return seen_code(shown, "id")
        return None

    async def _lift(self, tries: Tries, rule: KickingRule) -> str:
        ids = [shown["id"] for shown in await self._list(tries) if rule.against(shown)]
        for id in ids:
            body = {"appid": self._app_id, "id": id}

            def request(attempt: int, body: dict[str, Any] = body) -> Request:
                return replace(Request.json(self._url(attempt), body, self._headers), method="DELETE")

            await self._caller.call("delete_rule", tries.of(_DELETE), tries.counted(request), _judge_deleted)
        return f"lifted {', '.join(f'rule {id}' for id in ids)}" if ids else "no such rule holds"

    async def _list(self, tries: Tries) -> list[dict[str, Any]]:
        def request(attempt: int) -> Request:
            return Request("GET", f"{self._url(attempt)}?appid={self._app_id}", self._headers)

        return await self._caller.call("list_rules", tries.of(_LIST), tries.counted(request), _judge_listed)

    def _url(self, attempt: int) -> str:
        return f"{self._hosts[min(attempt, len(self._hosts) - 1)]}/dev/v1/kicking-rule"


def _require_good(operation: str, answer: Answer) -> None:
    message = seen_message(answer.body, "message", "reason")
    by_status("agora", operation, answer, seen_code(answer.body, "code"), message)
    if answer.body.get("status") != "success":
        raise Unreadable("agora", operation, "its answer does not say success", code=f"http-{answer.status}")


def _judge_created(answer: Answer) -> str:
    _require_good("kick", answer)
    return seen_code(answer.body, "id") or "?"


def _judge_listed(answer: Answer) -> list[dict[str, Any]]:
    _require_good("list_rules", answer)
    rules = answer.body.get("rules")
    return [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []


def _judge_deleted(answer: Answer) -> None:
    if answer.status != HTTPStatus.NOT_FOUND:  # it has ended meanwhile, or the first attempt did it
        _require_good("delete_rule", answer)
