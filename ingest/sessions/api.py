"""`/v1/sessions`: start, show, list, stop."""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
import structlog

from ingest.sessions.asked import request_of, shown
from ingest.sessions.described import FILTERS, LIST, MOST_PAGE, PAGE, PATH, SHOW, START, STOP
from ingest.sessions.directory import Directory
from ingest.sessions.machine import requested
from moderato import topics
from moderato.api.problem import Fault, Problem, invalid, not_found, unavailable
from moderato.api.server import Call, Handler, Operation, Reply
from moderato.bus.publisher import Publisher
from moderato.records import RawRef, Session, SessionRequest, SessionState
from moderato.session_requests import request_message
from moderato.settings import Settings
from moderato.times import now

log = structlog.get_logger("moderato.audit")

_LOOK = 0.05  # seconds between two looks of one who waits
_MOST_WAIT = 60.0
_WAIT = re.compile(r"([0-9]{1,3})s")
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


class SessionsApi:
    """The operations. `publisher` takes the requests, the directory shows what became of them."""

    def __init__(self, settings: Settings, directory: Directory, publisher: Publisher) -> None:
        self._tenants = settings.tenants
        self._directory = directory
        self._publisher = publisher

    def handlers(self) -> list[tuple[Operation, Handler]]:
        """For the server."""
        return [(START, self.start), (LIST, self.list), (SHOW, self.show), (STOP, self.stop)]

    async def start(self, call: Call) -> Reply:
        """202 with the session: what is asked for is in Kafka, and a controller will start it."""
        wait = _waiting(call)
        key = call.headers.get("Idempotency-Key")
        if key is not None and not _KEY.fullmatch(key):
            raise invalid([Fault("Idempotency-Key", "1 to 128 printable ASCII characters are due")])
        assert call.body is not None
        request = request_of(call.body, call.caller, self._tenants, key)
        self._require_ready()
        session = self._directory.get(request.id)
        if session is None:
            await self._ask(request)
            session = requested(request, RawRef(topics.SESSION_REQUESTS, 0, 0, request.id))
            self._directory.note(session)
        elif session.digest != request.digest:
            detail = "the Idempotency-Key stands for another request already"
            raise Problem(HTTPStatus.CONFLICT, "idempotency_key_reused", detail)
        session = await self._after(
            session, wait, lambda now: now.state is SessionState.ACTIVE or now.state.over
        )
        return Reply(view(session), HTTPStatus.ACCEPTED, {"Location": f"{PATH}/{session.id}"})

    async def show(self, call: Call) -> Reply:
        """One session."""
        return Reply(view(self._found(call)))

    async def list(self, call: Call) -> Reply:
        """The newest first, by pages."""
        limit = _limit(call.query.get("limit"))
        after = _cursor(call.query.get("after"))
        wanted = {name: call.query[name] for name in FILTERS if name in call.query}
        found = sorted(
            (
                session
                for session in self._directory.all()
                if call.caller.may_see(session.tenant)
                and all(getattr(session, name) == value for name, value in wanted.items())
                and (after is None or _place(session) < after)
            ),
            key=_place,
            reverse=True,
        )
        page = found[:limit]
        following = _encoded(_place(page[-1])) if len(found) > limit else None
        return Reply({"sessions": [view(session) for session in page], "next": following})

    async def stop(self, call: Call) -> Reply:
        """202: it will end; 200 for one that is over."""
        wait = _waiting(call)
        session = self._found(call)
        if session.state.over:
            return Reply(view(session))
        self._require_ready()
        await self._ask(
            SessionRequest(
                id=session.id,
                kind="stop",
                tenant=session.tenant,
                source=session.source,
                room=None,
                user=None,
                parameters=None,
                digest=None,
                requested_by=call.caller.name,
                created_at=now(),
            )
        )
        session = await self._after(session, wait, lambda now: now.state.over)
        return Reply(view(session), HTTPStatus.OK if session.state.over else HTTPStatus.ACCEPTED)

    async def _ask(self, request: SessionRequest) -> None:
        await self._publisher.publish_all([request_message(request)])
        log.info(
            "session_asked",
            what=request.kind,
            by=request.requested_by,
            tenant=request.tenant,
            session=request.id,
            source=request.source,
        )

    def _found(self, call: Call) -> Session:
        session = self._directory.get(call.path["id"])
        if session is None or not call.caller.may_see(session.tenant):
            raise not_found("session")
        return session

    def _require_ready(self) -> None:
        if fault := self._directory.unready():
            raise unavailable(fault)

    async def _after(self, session: Session, wait: float, met: Callable[[Session], bool]) -> Session:
        """The session as soon as it is so, or as it is after `wait` seconds."""
        for _ in range(round(wait / _LOOK)):
            if met(session):
                break
            await asyncio.sleep(_LOOK)
            session = self._directory.get(session.id) or session
        return session


def view(session: Session) -> dict[str, Any]:
    """A session as callers see it: without tokens, and without what only its controller needs."""
    return {
        "id": session.id,
        "tenant": session.tenant,
        "source": session.source,
        "state": session.state,
        "watched": session.watched,
        "room": session.room,
        "user": session.user,
        "task_id": session.task.id if session.task else None,
        "reason": session.reason,
        "fault": session.fault,
        "resubmits": session.resubmits,
        "parameters": shown(session.source, session.parameters),
        "requested_by": session.requested_by,
        "created_at": session.created_at,
        "active_at": session.active_at,
        "ended_at": session.ended_at,
        "updated_at": session.updated_at,
    }


def _waiting(call: Call) -> float:
    given = call.query.get("wait")
    if given is None:
        return 0.0
    found = _WAIT.fullmatch(given)
    if not found or not 0 <= int(found[1]) <= _MOST_WAIT:
        raise invalid([Fault("wait", f"seconds up to {_MOST_WAIT:.0f}s are due, as in 10s")])
    return float(found[1])


def _limit(given: str | None) -> int:
    if given is None:
        return PAGE
    if not given.isascii() or not given.isdigit() or len(given) > 4 or not 1 <= int(given) <= MOST_PAGE:
        raise invalid([Fault("limit", f"a number from 1 to {MOST_PAGE} is due")])
    return int(given)


def _place(session: Session) -> tuple[str, str]:
    return session.created_at, session.id


def _encoded(place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _cursor(given: str | None) -> tuple[str, str] | None:
    if given is None:
        return None
    try:
        place = orjson.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        created_at, id = place
    except (binascii.Error, ValueError, TypeError):
        place = created_at = id = None
    if not isinstance(place, list) or not isinstance(created_at, str) or not isinstance(id, str):
        raise invalid([Fault("after", "what a page gave as `next` is due")])
    return created_at, id
