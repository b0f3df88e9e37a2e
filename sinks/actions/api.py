"""`/v1/actions`: demand, show, take back."""

import asyncio
import re
import time
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

import structlog

from moderato import topics
from moderato.api.problem import Fault, invalid, not_found, unavailable
from moderato.api.server import Call, Handler, Operation, Reply
from moderato.bus.connection import Connection
from moderato.bus.publisher import Publisher
from moderato.errors import Fatal
from moderato.records import Action
from moderato.settings import Settings
from moderato.times import now
from moderato.trace import find_action, trace
from sinks.actions import described
from sinks.actions.asked import action_of, lift_of
from sinks.actions.described import CREATE, PATH, SHOW, UNDO
from sinks.policy.results import action_message

log = structlog.get_logger("moderato.audit")

_T = TypeVar("_T")

_DEADLINE = 10.0  # seconds for a record to be acknowledged
_SEARCH = 30.0  # seconds for a look through the topics
_SEARCHES = 4  # at once: each reads a part of the topics
_WITHIN = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_USUAL = 86_400.0  # seconds
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


class ActionsApi:
    """The operations. What is asked for is written where the policy writes its actions."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._tenants = settings.tenants
        self._connection = connection
        self._publisher = Publisher(connection, deadline=_DEADLINE)
        self._searches = asyncio.Semaphore(_SEARCHES)

    async def start(self) -> None:
        """Raises Fatal when Kafka or the topic cannot be had."""
        await self._publisher.start([topics.ACTIONS])

    async def stop(self) -> None:
        """Disconnects."""
        await self._publisher.stop()

    def handlers(self) -> list[tuple[Operation, Handler]]:
        """For the server."""
        return [(CREATE, self.create), (SHOW, self.show), (UNDO, self.undo)]

    def schemas(self) -> dict[str, Any]:
        """What the operations' documents refer to."""
        return described.schemas()

    async def create(self, call: Call) -> Reply:
        """202 with the action: it is in Kafka, and an enforcer will carry it out."""
        key = call.headers.get("Idempotency-Key")
        if key is not None and not _KEY.fullmatch(key):
            raise invalid([Fault("Idempotency-Key", "1 to 128 printable ASCII characters are due")])
        assert call.body is not None
        return await self._demand(action_of(call.body, call.caller, self._tenants, key, now()))

    async def show(self, call: Call) -> Reply:
        """200 with the chain behind it."""
        traced = await self._searched(trace(self._connection, call.path["id"], _since(call), service=True))
        if traced is None or not call.caller.may_see(traced.action["tenant"]):
            raise not_found("action")
        return Reply(traced)

    async def undo(self, call: Call) -> Reply:
        """202 with the lift."""
        found = await self._searched(
            find_action(self._connection, call.path["id"], _since(call), service=True)
        )
        if found is None or not call.caller.may_see(found[0]["tenant"]):
            raise not_found("action")
        return await self._demand(lift_of(found[0], call.caller, now()))

    async def _searched(self, search: Coroutine[Any, Any, _T]) -> _T:
        """What a search has found, if it comes to an end."""
        try:
            async with asyncio.timeout(_SEARCH), self._searches:
                return await search
        except TimeoutError:
            raise unavailable(f"not found within {_SEARCH:.0f} s; look less far back") from None
        except Fatal as error:
            raise unavailable(str(error)) from error
        finally:
            search.close()  # when its turn did not come

    async def _demand(self, action: Action) -> Reply:
        await self._publisher.publish_all([action_message(action, None)])
        log.info(
            "action_asked",
            what=action.type,
            by=action.requested_by,
            tenant=action.tenant,
            action=action.id,
            target_kind=action.target.kind,
            target=action.target.id,
            undoes=action.undoes,
        )
        return Reply(action, HTTPStatus.ACCEPTED, {"Location": f"{PATH}/{action.id}"})


def _since(call: Call) -> float:
    """Epoch seconds."""
    given = call.query.get("within")
    if given is None:
        return time.time() - _USUAL
    found = _WITHIN.fullmatch(given)
    if not found:
        raise invalid([Fault("within", "a number with its unit is due: 90s, 30m, 2h or 7d")])
    return time.time() - float(found[1]) * _UNITS[found[2]]
