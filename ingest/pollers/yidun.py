"""Yidun's results of one business, polled: `tenants.<t>.credentials.yidun.results: poll`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import structlog

from ingest.clients.yidun_results import YidunResults
from ingest.pollers.polled import polled
from moderato.bus.publisher import Message
from moderato.errors import Poison
from moderato.records import Session
from moderato.sources import Source
from moderato.vendor import VendorError

log = structlog.get_logger(__name__)

_IDLE = 2.0  # seconds until the next look, when there was nothing
_TROUBLE = 10.0  # seconds, when Yidun did not answer well
_DEEPEST = 4  # objects in which the echo of what was submitted is looked for


class YidunPoller:
    """`publish` returns when Kafka has the records, however long that takes; `session_of` finds a session by its id."""

    def __init__(
        self,
        tenant: str,
        results: YidunResults,
        publish: Callable[[Sequence[Message]], Awaitable[None]],
        session_of: Callable[[str], Session | None],
    ) -> None:
        self._tenant = tenant
        self._results = results
        self._publish = publish
        self._session_of = session_of
        self._publishing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Polls until cancelled. What was fetched by then is still published: Yidun may give it only once."""
        while True:
            try:
                items = await self._results.fetch()
            except VendorError as error:
                log.warning("poll_failed", tenant=self._tenant, error=str(error))
                await asyncio.sleep(_TROUBLE)
                continue
            if items:
                self._publishing = asyncio.create_task(self._safe([self._message(item) for item in items]))
                await asyncio.shield(self._publishing)
            self._results.handled()
            if not items:
                await asyncio.sleep(_IDLE)

    async def settled(self) -> None:
        """Waits until what was fetched is in Kafka. Whoever waits no longer does not end it."""
        if self._publishing is not None:
            await asyncio.shield(self._publishing)

    async def _safe(self, messages: Sequence[Message]) -> None:
        try:
            return await self._publish(messages)
        except Poison:
            pass  # one of them; the others are to get there
        for message in messages:
            try:
                await self._publish([message])
            except Poison as error:
                log.error(
                    "polled_result_lost",
                    tenant=self._tenant,
                    bytes=len(message.value or b""),
                    error=str(error),
                )

    def _message(self, item: bytes) -> Message:
        session = self._session_of(_session_id(orjson.loads(item)) or "")
        if session is None or session.tenant != self._tenant:
            return polled(Source.YIDUN_AUDIO, self._tenant, item)
        return polled(
            Source.YIDUN_AUDIO,
            self._tenant,
            item,
            session_id=session.id,
            room=session.room,
            user=session.user,
        )


def _session_id(item: Any, depth: int = 0) -> str | None:
    """The session that the submit's `callback` names, which every result echoes."""
    if isinstance(item, list):
        item = item[0] if item else None
    if not isinstance(item, dict) or depth > _DEEPEST:
        return None
    echo = item.get("callback")
    if isinstance(echo, str):
        try:
            told = orjson.loads(echo)
        except orjson.JSONDecodeError:
            return None
        session = told.get("session") if isinstance(told, dict) else None
        return session if isinstance(session, str) else None
    for value in item.values():
        if isinstance(value, dict | list) and (found := _session_id(value, depth + 1)):
            return found
    return None
