"""iFlytek audio compliance: submit files by URL, query until they are judged. Tasks end by themselves."""

import base64
import hmac
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote_plus

from pydantic import Field

from ingest.clients.contract import (
    Kind,
    Opening,
    Parameters,
    Prepared,
    Start,
    Started,
    Status,
    Task,
    TaskState,
)
from moderato.settings import Tenant
from moderato.vendor import Answer, Caller, Rate, Refused, Request, Rule, Throttled, Unreadable
from moderato.vendor import by_status as by_http_status
from moderato.vendor.answers import field_text, seen_code, seen_message

_RATE = Rate(10)  # iFlytek publishes no limit
# A second submit would be a second task, paid and judged: only what surely was not taken is sent again.
_SUBMIT = Rule(timeout=10, waits=(1, 3, 6), repeatable=False, limit="submit", rate=_RATE)
_QUERY = Rule(timeout=10, waits=(1, 3, 6), limit="query", rate=_RATE)

_OK = "000000"
_LATER = "100002"  # not documented; other clients repeat it

_STATES = {"0": TaskState.STARTING, "1": TaskState.RUNNING, "2": TaskState.ENDED, "4": TaskState.FAILED}


class File(Parameters):
    """One file. Without `audio_type` the ending of its URL decides. `name` comes back with its result."""

    file_url: str = Field(pattern=r"^https?://[^\s/]\S*$", max_length=500)
    name: str = Field(min_length=1, max_length=256)
    audio_type: Literal["mp3", "alaw", "ulaw", "pcm", "aac", "wav"] | None = None


class IflytekAudio(Parameters):
    """Up to 10 files. iFlytek knows no rooms: `room` is ours."""

    files: list[File] = Field(min_length=1, max_length=10)
    room: str | None = Field(default=None, min_length=1, max_length=128)

    @property
    def room_name(self) -> str | None:
        """The room that the files are of, if anybody said so."""
        return self.room


class IflytekClient:
    """For one tenant. Each call has a fresh time and uuid, each attempt its own signature."""

    def __init__(self, opening: Opening, now: Callable[[], float] = time.time) -> None:
        credentials = opening.tenant.credentials.iflytek
        assert credentials is not None, "Kind.missing comes first"
        self._credentials = credentials
        self._secret = credentials.access_key_secret.get_secret_value()
        self._now = now
        self._caller = Caller(
            "iflytek", credentials.access_key_id, opening.session, opening.rates, (self._secret,)
        )

    async def prepare(self, start: Start, attempt: int = 0) -> Prepared:
        """Nothing to prepare."""
        return Prepared()

    async def start(self, start: Start, prepared: Prepared) -> Started:
        """Submits the files. An answer that is lost leaves a task that nobody can look up: its notice comes all the
        same, to the callback address."""
        given: IflytekAudio = start.parameters
        body = {
            "audio_list": [file.model_dump(exclude_none=True) for file in given.files],
            "notify_url": start.callback_url,
        }
        request_id = await self._caller.call("submit", _SUBMIT, self._request("audio", body), _judge_submit)
        return Started(request_id)

    async def query(self, task: Task) -> Status:
        """How far the files are; `raw` once they are judged, or cannot be."""
        body = {"request_id": task.task_id}
        return await self._caller.call("query", _QUERY, self._request("query", body), _judge_query)

    async def stop(self, task: Task) -> None:
        """iFlytek has nothing to stop."""

    def _request(self, path: str, body: Any) -> Callable[[int], Request]:
        def request(attempt: int) -> Request:
            moment = datetime.fromtimestamp(self._now(), UTC)
            parameters = {
                "accessKeyId": self._credentials.access_key_id,
                "appId": self._credentials.app_id,
                "utc": moment.strftime("%Y-%m-%dT%H:%M:%S+0000"),
                "uuid": str(uuid.uuid4()),
            }
            if self._credentials.send_secret:
                parameters["accessKeySecret"] = self._secret
            query = signed_query(parameters, self._secret)
            return Request.json(f"{self._credentials.base_url}/audit/v2/{path}?{query}", body)

        return request


def signed_query(parameters: Mapping[str, str], secret: str) -> str:
    """The query string: all parameters that are not empty by their names' order, and their signature behind them."""
    base = "&".join(f"{name}={_encoded(value)}" for name, value in sorted(parameters.items()) if value)
    return f"{base}&signature={_encoded(signature(base, secret))}"


def signature(base: str, secret: str) -> str:
    """Base64 of HMAC-SHA1 over the encoded parameters, keyed with the API secret (the document's worked example)."""
    return base64.b64encode(hmac.digest(secret.encode(), base.encode(), "sha1")).decode()


def _encoded(value: str) -> str:
    """As Java's URLEncoder, which the vendor signs with."""
    return quote_plus(value, safe="*").replace("~", "%7E")


def _judge(operation: str, answer: Answer) -> dict[str, Any]:
    code, message = seen_code(answer.body, "code"), seen_message(answer.body, "desc", "message")
    if code == _LATER:
        raise Throttled("iflytek", operation, message or "later", code=code, retry_after=answer.retry_after)
    if code != _OK:
        by_http_status("iflytek", operation, answer, code, message)
        if code is None:
            raise Unreadable("iflytek", operation, "its answer has no code", code=f"http-{answer.status}")
        raise Refused("iflytek", operation, message or "an unknown code", code=code)
    data = answer.body.get("data")
    if not isinstance(data, dict):
        raise Unreadable("iflytek", operation, "its answer has no data", code=code)
    return data


def _judge_submit(answer: Answer) -> str:
    request_id = field_text(_judge("submit", answer), "request_id")
    if request_id is None:
        raise Unreadable("iflytek", "submit", "its answer has no request_id", code=_OK)
    return request_id


def _judge_query(answer: Answer) -> Status:
    data = _judge("query", answer)
    code = seen_code(data, "audit_status")
    if code is None:
        raise Unreadable("iflytek", "query", "its answer has no audit_status", code=_OK)
    state = _STATES.get(code, TaskState.UNKNOWN)
    settled = state in (TaskState.ENDED, TaskState.FAILED)
    return Status(state, code, None, answer.raw if settled else None)


def missing(tenant: Tenant) -> list[str]:
    """iFlytek's credentials."""
    return ["credentials.iflytek: is missing"] if tenant.credentials.iflytek is None else []


KIND = Kind(IflytekAudio, missing, IflytekClient, rhythm=10.0, lasting=False)
