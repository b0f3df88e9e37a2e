"""Agora's moderation API, which voice and video share: acquire, start, query, stop (Agora's cloud_recording family).

A resource id lives 5 minutes and is for one start. An error code means different things at different endpoints.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import quote

from pydantic import AfterValidator, Field

from ingest.clients.contract import (
    AlreadyRunning,
    Opening,
    Parameters,
    Prepared,
    Stale,
    Start,
    Started,
    Status,
    Task,
    TaskState,
)
from moderato.vendor import Answer, Caller, Rate, Refused, Request, Rule, Throttled, Unavailable, Unreadable
from moderato.vendor import by_status as by_http_status
from moderato.vendor.agora import basic_auth
from moderato.vendor.answers import field_text, seen_code, seen_message

RESOURCE_LIFE = 290.0  # seconds of the vendor's 300 that we count on
_RATE = Rate(10)  # by endpoint and App ID
_LAST_CALL = 600.0  # seconds before query and stop cease to be possible at which a task is started anew

_ACQUIRE = Rule(timeout=10, waits=(1, 3, 6), limit="acquire", rate=_RATE)
_START = Rule(timeout=10, waits=(3, 6, 9), limit="start", rate=_RATE)
_QUERY = Rule(timeout=10, waits=(5, 10, 15, 30), limit="query", rate=_RATE)
_STOP = Rule(timeout=10, waits=(1, 3, 6), limit="stop", rate=_RATE)

_STALE = frozenset({"433", "1001"})
_BUSY = frozenset({"7", "53"})
_LATER = frozenset({"62", "65", "500", "501", "502", "504"})
_ENDED_AT_STOP = frozenset({"49", "404", "435", "501"})
_AT_WORK = (4, 5)  # serverResponse.status
_BROKEN = frozenset({"serviceabnormal", "servicevalidationfailed"})
_DONE = frozenset({"servicecompleted", "servicepartialcompleted"})

Mode: TypeAlias = Literal["mix", "individual"]


def _channel(value: str) -> str:
    if len(value.encode()) > 64:
        raise ValueError("at most 64 bytes are due")
    return value


def _uid(value: str) -> str:
    if not 0 < int(value) < 1 << 32:
        raise ValueError("a number from 1 to 4294967295 is due")
    return value


Channel = Annotated[
    str,
    Field(min_length=1, pattern=r"^[a-zA-Z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]+$"),
    AfterValidator(_channel),
]
"""A channel's name: up to 64 bytes of the 89 characters that Agora takes (code 1013 for others)."""

Uid = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}$"), AfterValidator(_uid)]
"""A user's number as text; string user accounts are not supported."""


class AgoraParameters(Parameters):
    """What voice and video have in common. `uid` is the moderator's own and no user's of the channel; `spare_uids`
    take its place when it is taken. `resource_expired_hour`: how long the task can be asked about and stopped."""

    channel: Channel
    uid: Uid
    spare_uids: list[Uid] = Field(default=[], max_length=10)
    token: str | None = Field(default=None, min_length=1, json_schema_extra={"writeOnly": True})
    resource_expired_hour: int = Field(default=72, ge=1, le=720)
    channel_type: Literal[0, 1] = 0

    @property
    def room_name(self) -> str:
        """The channel."""
        return self.channel


class AgoraClient:
    """One mode for one tenant. `client_request` makes the body of `start` but for the token."""

    def __init__(
        self,
        opening: Opening,
        mode: Mode,
        client_request: Callable[[Start], dict[str, Any]],
        secrets: tuple[str, ...] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        credentials = opening.tenant.credentials.agora
        assert credentials is not None, "Kind.missing comes first"
        self._mode = mode
        self._client_request = client_request
        self._now = now
        self._credentials = credentials
        basic, basics = basic_auth(credentials)
        self._headers = {"authorization": basic, "content-type": "application/json;charset=utf-8"}
        self._caller = Caller(
            "agora", credentials.app_id, opening.session, opening.rates, (*basics, *secrets)
        )

    async def prepare(self, start: Start, attempt: int = 0) -> Prepared:
        """Acquires a resource id, for the uid whose turn it is."""
        given: AgoraParameters = start.parameters
        uids = [given.uid, *given.spare_uids]
        uid = uids[attempt % len(uids)]
        body = {
            "cname": given.channel,
            "uid": uid,
            "clientRequest": {"resourceExpiredHour": given.resource_expired_hour},
        }
        asked = self._now()
        resource_id = await self._caller.call(
            "acquire", _ACQUIRE, self._request("POST", "acquire", body), _judge_acquire
        )
        return Prepared({"uid": uid, "resource_id": resource_id}, asked + RESOURCE_LIFE)

    async def start(self, start: Start, prepared: Prepared) -> Started:
        """Starts with the resource id. Raises Stale when it has expired, without a call when we know."""
        if prepared.expires_at is not None and self._now() >= prepared.expires_at:
            raise Stale("agora", "start", "the resource id has lived its 5 minutes", code="433")
        given: AgoraParameters = start.parameters
        request = self._client_request(start)
        if given.token is not None:
            request = {"token": given.token, **request}
        body = {"uid": prepared.values["uid"], "cname": given.channel, "clientRequest": request}
        path = f"resourceid/{_segment(prepared.values['resource_id'])}/mode/{self._mode}/start"
        sid, adopted = await self._caller.call(
            "start", _START, self._request("POST", path, body), _judge_start
        )
        return Started(sid, adopted, self._now() + given.resource_expired_hour * 3600 - _LAST_CALL)

    async def query(self, task: Task) -> Status:
        """Asks how it fares. A 404 is confirmed with waits in between: it may be a fail-over, which takes a minute."""
        try:
            return await self._caller.call(
                "query", _QUERY, self._request("GET", self._path(task, "query"), None), _judge_query
            )
        except _Gone as error:
            return Status(TaskState.ENDED, error.code, error.message)

    async def stop(self, task: Task) -> None:
        """Stops it. Nobody may query meanwhile, or again."""
        given: AgoraParameters = task.start.parameters
        body = {"cname": given.channel, "uid": task.prepared.values["uid"], "clientRequest": {}}
        await self._caller.call(
            "stop", _STOP, self._request("POST", self._path(task, "stop"), body), _judge_stop
        )

    def _path(self, task: Task, verb: str) -> str:
        resource = _segment(task.prepared.values["resource_id"])
        return f"resourceid/{resource}/sid/{_segment(task.task_id)}/mode/{self._mode}/{verb}"

    def _request(self, method: str, path: str, body: Any) -> Callable[[int], Request]:
        hosts = self._credentials.base_urls

        def request(attempt: int) -> Request:
            # The first repetition goes to the same host, the others to the second.
            host = hosts[0] if attempt < 2 else hosts[-1]
            url = f"{host}/v1/apps/{self._credentials.app_id}/cloud_recording/{path}"
            if body is None:
                return Request(method, url, self._headers)
            return Request.json(url, body, self._headers)

        return request


class _Gone(Unavailable):
    """A 404 of query: tried again like an outage, and believed when it stays."""


def _segment(id: str) -> str:
    return quote(id, safe="")


def _fault(operation: str, answer: Answer) -> None:
    """Raises what an answer calls for that is no success and none of the endpoint's own cases."""
    code, message = seen_code(answer.body, "code"), seen_message(answer.body, "reason", "message")
    if code in _STALE:
        raise Stale("agora", operation, message or "the resource id counts no more", code=code)
    if code == "406":
        raise Throttled(
            "agora", operation, message or "overloaded", code=code, retry_after=answer.retry_after
        )
    by_http_status("agora", operation, answer, code, message)
    if code is not None and code not in ("0", "200"):
        raise Refused("agora", operation, message or f"HTTP {answer.status}", code=code)


def _judge_acquire(answer: Answer) -> str:
    code = seen_code(answer.body, "code")
    if code in ("501", "504") and answer.status >= 400:
        raise Unavailable(
            "agora", "acquire", seen_message(answer.body, "reason") or "no worker", code=code, sent=True
        )
    _fault("acquire", answer)
    return _required(answer, "acquire", "resourceId")


def _judge_start(answer: Answer) -> tuple[str, bool]:
    code = seen_code(answer.body, "code")
    message = seen_message(answer.body, "reason", "message")
    if code in _BUSY:
        sid = field_text(answer.body, "sid")
        if code == "7" and sid:
            return sid, True
        raise AlreadyRunning("agora", "start", message or "a task runs already", code=code)
    if code in _LATER or answer.status == HTTPStatus.PARTIAL_CONTENT:
        raise Unavailable("agora", "start", message or f"HTTP {answer.status}", code=code, sent=True)
    _fault("start", answer)
    return _required(answer, "start", "sid"), False


def _judge_query(answer: Answer) -> Status:
    code = seen_code(answer.body, "code")
    message = seen_message(answer.body, "reason", "message")
    if code == "501" or code == "435":
        return Status(TaskState.ENDED, code, message, answer.raw)
    if answer.status == HTTPStatus.NOT_FOUND and (code == "404" or "message" not in answer.body):
        raise _Gone("agora", "query", message or "no such task", code="404", sent=True)
    if code == "65" or answer.status == HTTPStatus.PARTIAL_CONTENT:
        raise Unavailable("agora", "query", message or "not completed", code=code, sent=True)
    _fault("query", answer)
    response = answer.body.get("serverResponse")
    if not isinstance(response, dict):
        raise Unreadable("agora", "query", "its answer has no serverResponse", code=f"http-{answer.status}")
    state, detail = task_state(response)
    well = state in (TaskState.STARTING, TaskState.RUNNING)
    return Status(state, None, detail, None if well else answer.raw)


def _judge_stop(answer: Answer) -> None:
    code = seen_code(answer.body, "code")
    if code in _ENDED_AT_STOP:
        return
    if answer.status == HTTPStatus.NOT_FOUND and "message" not in answer.body:
        return
    if code == "65":
        message = seen_message(answer.body, "reason") or "not completed"
        raise Unavailable("agora", "stop", message, code=code, sent=True)
    # 206 without a code: a query came in between, or nobody has published.
    _fault("stop", answer)


def task_state(response: dict[str, Any]) -> tuple[TaskState, str | None]:
    """How a task fares by `serverResponse`, and the word that says so. The keys of the services are written in more
    than one way, so their values decide."""
    services = response.get("subServiceStatus")
    states = (
        [value for value in services.values() if isinstance(value, str)] if isinstance(services, dict) else []
    )
    streams = [
        status
        for extension in _objects(response.get("extensionServiceState"))
        for stream in _objects(extension.get("streamState"))
        if isinstance(status := stream.get("status"), str)
    ]
    for state in (*states, *streams):
        if state.lower() in _BROKEN or state.lower() == "failed":
            return TaskState.FAILED, state
    number = response.get("status")
    if number == 20:
        return TaskState.FAILED, "20"
    if states and all(state.lower() in _DONE for state in states):
        return TaskState.ENDED, states[0]
    if number in _AT_WORK or any(state.lower() == "serviceinprogress" for state in states) or streams:
        return TaskState.RUNNING, None
    return (TaskState.STARTING, None) if states or number in (0, 1, 2, 3) else (TaskState.UNKNOWN, None)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _required(answer: Answer, operation: str, name: str) -> str:
    value = field_text(answer.body, name)
    if not value:
        raise Unreadable("agora", operation, f"its answer has no {name}", code=f"http-{answer.status}")
    return value
