"""Drives one session: takes the steps that are due, and writes down what came of them."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from ingest.clients.contract import Client, Prepared, Start, Status, Task
from ingest.sessions.machine import (
    DOUBTS,
    Do,
    News,
    Outcome,
    Rules,
    due,
    resumed,
    settled,
    signalled,
    stop_asked,
)
from moderato.records import Session, SessionState, VendorTask
from moderato.times import epoch
from moderato.vendor import VendorError

log = structlog.get_logger(__name__)

Write = Callable[[Session], Awaitable[None]]
"""Writes a session down, and returns when Kafka has it."""

Polled = Callable[[Session, bytes], Awaitable[None]]
"""Publishes a vendor's answer as the raw record that a callback would have made."""


class Driver:
    """One session of a partition that is owned. `start` is what its client is given."""

    def __init__(
        self,
        session: Session,
        rules: Rules,
        client: Client,
        start: Start,
        *,
        write: Write,
        polled: Polled,
        heard_at: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.session = session
        self._rules = rules
        self._client = client
        self._start = start
        self._write = write
        self._polled = polled
        self._heard_at = heard_at
        self._clock = clock
        self.answered_at = clock()
        """Epoch seconds: the vendor's last word of it, called back or asked for; at first when it was taken up."""
        self._wake = asyncio.Event()
        self._changing = asyncio.Lock()

    async def run(self) -> None:
        """Until the session is over; cancelled when its partition goes to another process."""
        # Written down like every change: nobody else tells what has become of it.
        await self._change(lambda now, session: resumed(session, self._rules, now))
        while True:
            step = due(self.session, self._rules, self._clock(), self._heard_at)
            if step.do is Do.FORGET:
                return
            if (wait := step.at - self._clock()) > 0:
                await self._sleep(wait)
                continue
            outcome = await self._take(step.do)
            await self._settle(step.do, outcome)

    def heard(self) -> None:
        """The vendor has spoken of this session."""
        self.answered_at = self._clock()
        if self._rules.rhythm is None:
            self._heard_at = self.answered_at

    async def signalled(self, news: News) -> None:
        """A signal of this session has come."""
        await self._change(lambda now, session: signalled(session, self._rules, news, now))
        if news.kind in DOUBTS and self._rules.rhythm is not None:
            self._heard_at = 0.0
            self._wake.set()

    async def stop(self, reason: str) -> None:
        """Somebody wants it to end: returns when that is written down."""
        await self._change(lambda now, session: stop_asked(session, reason, now))

    async def _settle(self, do: Do, outcome: Outcome) -> None:
        await self._change(
            lambda now, session: settled(session, self._rules, do, outcome, now, now - self.answered_at)
        )

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, 3600.0)):
                await self._wake.wait()

    async def _change(self, change: Callable[[float, Session], Session]) -> None:
        """Changes the session and writes it down: one change after another, each of what the one before left."""
        async with self._changing:
            after = change(self._clock(), self.session)
            if after is self.session:
                return
            await self._write(after)
            if after.state is not self.session.state:
                log.info(
                    "session_changed",
                    session=after.id,
                    source=after.source,
                    tenant=after.tenant,
                    state=after.state,
                    reason=after.reason,
                    fault=after.fault and after.fault.message,
                )
            self.session = after
        self._wake.set()

    async def _take(self, do: Do) -> Outcome:
        try:
            outcome = await self._call(do)
        except VendorError as error:
            return error
        if do in (Do.START, Do.ASK, Do.QUERY):
            self.answered_at = self._clock()
        return outcome

    async def _call(self, do: Do) -> Outcome:
        session = self.session
        if do is Do.PREPARE:
            return await self._client.prepare(self._start, session.attempt)
        if do in (Do.START, Do.ASK):
            if do is Do.ASK:
                self._heard_at = self._clock()
            assert session.task is not None
            return await self._client.start(self._start, _prepared(session.task))
        if do is Do.QUERY:
            return await self._query(session)
        retired = session.retiring if do is Do.RETIRE else session.task if do is Do.STOP else None
        if retired is not None and retired.id is not None:
            await self._client.stop(Task(self._start, _prepared(retired), retired.id))
        return None

    async def _query(self, session: Session) -> Status:
        assert session.task is not None
        assert session.task.id is not None
        self._heard_at = self._clock()
        status = await self._client.query(Task(self._start, _prepared(session.task), session.task.id))
        if status.raw is not None and session.state is SessionState.ACTIVE:
            await self._polled(session, status.raw)
        return status


def _prepared(task: VendorTask) -> Prepared:
    return Prepared(task.values, epoch(task.expires_at) if task.expires_at else None)
