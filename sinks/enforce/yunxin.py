"""The Yunxin executor: kicks members and closes rooms over the server API of Yunxin's RTC.

A member who was kicked may not come back until that is undone, and the unit of the API's `duration` is not documented:
so none is given, and every kick lasts until it is lifted or the room ends. Neither kick nor close does harm when it is
done twice. Rooms are called by their name; one that only its number (cid) is known of, by that.
"""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from moderato.credentials import YunxinCredentials
from moderato.records import ActionType, OutcomeState
from moderato.settings import Tenant
from moderato.vendor import Answer, Caller, Rate, Rates, Refused, Request, Rule, VendorError, open_session
from moderato.vendor.yunxin import require_good, signed_headers
from sinks.enforce.executor import PARALLEL, Execute, Result
from sinks.enforce.orders import Order
from sinks.enforce.tries import Tries, failed

TYPES = frozenset({ActionType.KICK, ActionType.CLOSE_ROOM, ActionType.LIFT})

_RULE = Rule(timeout=3, waits=(0.5, 1.5), limit="rooms", rate=Rate(20))  # Yunxin's limits are not published
_NO_ROOM = frozenset({"404", "http-404"})


async def open_yunxin(tenant: Tenant, stack: AsyncExitStack, rates: Rates) -> Execute:
    """For one tenant's application."""
    assert tenant.credentials.yunxin is not None, "the tenant's settings say so"
    return Yunxin(tenant.credentials.yunxin, await open_session(stack, PARALLEL), rates).execute


class Yunxin:
    """One tenant's application."""

    def __init__(
        self,
        credentials: YunxinCredentials,
        session: aiohttp.ClientSession,
        rates: Rates,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        secrets = (credentials.app_secret.get_secret_value(),)
        self._caller = Caller("yunxin", credentials.app_key, session, rates, secrets)
        self._now = now

    async def execute(self, order: Order, until: float) -> Result:
        """By the deadline."""
        room = order.target.id if order.target.kind == "room" else order.room
        user = order.target.id if order.target.kind == "user" else order.user
        type_ = order.lifts if order.type == ActionType.LIFT else order.type
        if not room:
            return _unsupported("no room is named")
        if type_ == ActionType.CLOSE_ROOM:
            if order.type == ActionType.LIFT:
                return _unsupported("a room that was closed is not opened again")
            return await self._carry_out("close_room", "DELETE", "rooms", room, None, until)
        if type_ != ActionType.KICK:
            return _unsupported(f"Yunxin has no {type_}")
        if not user:
            return _unsupported("no user is named")
        if not (user.isascii() and user.isdigit() and 0 < int(user) < 1 << 64):
            return _unsupported("Yunxin's members are numbers")
        operation, method = ("unkick", "DELETE") if order.type == ActionType.LIFT else ("kick", "POST")
        return await self._carry_out(operation, method, "kicklist", room, user, until)

    async def _carry_out(
        self, operation: str, method: str, kind: str, room: str, user: str | None, until: float
    ) -> Result:
        tries = Tries(until)
        member = "/members" if user else ""
        query = urlencode({"cname": room} | ({"uid": user} if user else {}))
        by_name = f"/v3/api/{kind}{member}?{query}"
        by_number = f"/v2/api/{kind}/{quote(room, safe='')}{member}{f'/{user}' if user else ''}"
        try:
            try:
                await self._call(tries, operation, method, by_name)
            except Refused as error:
                if error.code not in _NO_ROOM or not (room.isascii() and room.isdigit()) or not tries.left():
                    raise
                await self._call(tries, operation, method, by_number)
        except Refused as error:
            if error.code in _NO_ROOM and operation != "kick":
                # The room has ended, nobody is kept out, or the first of two tries did it.
                return Result(OutcomeState.DONE, tries.made, "there was nothing left to do")
            return failed(error, tries)
        except VendorError as error:
            return failed(error, tries)
        return Result(OutcomeState.DONE, tries.made, _DONE[operation])

    async def _call(self, tries: Tries, operation: str, method: str, path: str) -> None:
        url = f"{self._credentials.rtc_base_url}{path}"

        def request(attempt: int) -> Request:
            headers = {"content-type": "application/json", **signed_headers(self._credentials, self._now)}
            return Request(method, url, headers, bodiless=True)

        def judge(answer: Answer) -> Any:
            require_good(operation, answer)

        await self._caller.call(operation, tries.of(_RULE), tries.counted(request), judge)


_DONE = {
    "kick": "until it is lifted or the room ends",
    "unkick": "may come back",
    "close_room": "closed",
}


def _unsupported(why: str) -> Result:
    return Result(OutcomeState.UNSUPPORTED, 0, why)
