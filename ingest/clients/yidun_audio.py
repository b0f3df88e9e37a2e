"""Yidun live audio check: submit a stream or a Yunxin room, stop it, ask for a task's results."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from ingest.clients.contract import (
    AlreadyRunning,
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
from ingest.clients.yidun import YidunApi
from ingest.clients.yunxin import LONGEST_TOKEN, YunxinClient
from moderato.settings import Tenant
from moderato.vendor import Rate, Refused, Rule, Throttled, Unavailable, Unreadable
from moderato.vendor.answers import field_text, seen_code

MOST_FEEDBACKS = 100  # items of one feedback
LONGEST_WINDOW = 600_000  # milliseconds of one query/task
_RENEW_BEFORE = 3600.0  # seconds before a long-term room's token ends, a tenth of its life at most

_RATE = Rate(50)  # for live audio Yidun publishes none; 411 is what says that it is reached
_CHECK = Rule(timeout=5, waits=(1, 3, 6), limit="check", rate=_RATE)
_FEEDBACK = Rule(timeout=5, waits=(1, 3, 6), limit="feedback", rate=_RATE)
_QUERY = Rule(timeout=5, waits=(1, 3), limit="query", rate=Rate(10))

_V4_ONLY = (
    "data_id",
    "room_no",
    "account_level",
    "account_name",
    "unique_key",
    "check_language_code",
    "extra",
)
_DEVICE_TYPES = {"v3": range(1, 8), "v4": (0, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24)}


def _speakers(value: list[str]) -> list[str]:
    if len(",".join(value)) > 200:
        raise ValueError("at most 200 characters are due, joined with commas")
    return value


SpeakerIds = Annotated[
    list[Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]], Field(max_length=20), AfterValidator(_speakers)
]

Extra = Literal[
    "photo", "backgroundImage", "cover", "publishTime", "nickname", "gender", "age", "level", "registerTime",
    "friendNum", "fansNum", "isPremiumUse", "role", "labourUnion", "operationManager", "phone", "token", "mac", "imei",
    "idfa", "idfv", "appVersion", "roomId", "extLon1", "extLon2", "extStr1", "extStr2", "extension", "subProduct",
]  # fmt: skip
"""What the SDK for Java sends beside the documented parameters, by its own names (version 4)."""


class YidunAudio(Parameters):
    """A `url`, or the Yunxin room `channel` with a `uid` of up to 12 digits that is reserved for listening.

    A `long` term room lives longer than its token of `expire_seconds`: the token is renewed and the task submitted
    anew before it ends. Without `data_id` the session's id is sent. Without `unique_key` Yidun tells duplicates by the
    URL, so that a renewed token makes a new task and a repeated submit does not."""

    url: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9+.-]*://\S+$", max_length=1024)
    channel: str | None = Field(
        default=None, pattern=r"^[^\s/@?#]+$", min_length=1, max_length=128, validate_default=True
    )
    uid: int | None = Field(default=None, ge=1, le=999_999_999_999, validate_default=True)
    term: Literal["short", "long"] = "short"
    expire_seconds: int = Field(default=LONGEST_TOKEN, ge=60, le=LONGEST_TOKEN)
    room: str | None = Field(default=None, min_length=1, max_length=128)
    title: str | None = Field(default=None, max_length=512)
    ip: str | None = Field(default=None, max_length=128)
    account: str | None = Field(default=None, max_length=128)
    device_id: str | None = Field(default=None, max_length=128)
    device_type: Literal[0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24] | None = None
    check_speaker_ids: SpeakerIds = Field(default=[])
    no_check_speaker_ids: SpeakerIds = Field(default=[])
    data_id: str | None = Field(default=None, min_length=1, max_length=128)
    room_no: str | None = Field(default=None, min_length=1, max_length=128)
    account_level: str | None = Field(default=None, pattern=r"^[A-Z]{1,10}$")
    account_name: str | None = Field(default=None, max_length=30)
    unique_key: str | None = Field(default=None, min_length=1, max_length=256)
    check_language_code: (
        Literal[
            "zh", "en", "it", "id", "es", "fr", "ms", "tl", "th", "de", "hi", "ru", "ar", "vi", "ja", "ko"
        ]
        | None
    ) = None
    extra: dict[Extra, str | int] = Field(default={})

    @field_validator("channel")
    @classmethod
    def _one(cls, channel: str | None, info: ValidationInfo) -> str | None:
        if "url" in info.data and (channel is None) == (info.data["url"] is None):
            raise ValueError("either url or channel is due")
        return channel

    @field_validator("uid")
    @classmethod
    def _of_the_channel(cls, uid: int | None, info: ValidationInfo) -> int | None:
        if "channel" in info.data and (uid is None) != (info.data["channel"] is None):
            raise ValueError("channel and uid go together")
        return uid

    @field_validator("check_speaker_ids", "no_check_speaker_ids")
    @classmethod
    def _not_ourselves(cls, ids: list[str], info: ValidationInfo) -> list[str]:
        uid = info.data.get("uid")
        if ids and "channel" in info.data and info.data["channel"] is None:
            raise ValueError("only for a Yunxin room: channel is due")
        if uid is not None and str(uid) in ids:
            raise ValueError("uid is the one that listens and cannot be listened to")
        return ids

    @property
    def room_name(self) -> str | None:
        """The room as given, or the channel."""
        return self.room or self.channel


class YidunClient:
    """For one tenant's business."""

    def __init__(self, opening: Opening, now: Callable[[], float] = time.time) -> None:
        self._api = YidunApi(opening, now)
        self._now = now
        yunxin = opening.tenant.credentials.yunxin
        self._yunxin = YunxinClient(opening, now) if yunxin is not None else None
        self._app_key = yunxin.app_key if yunxin is not None else ""

    async def prepare(self, start: Start, attempt: int = 0) -> Prepared:
        """The URL to listen to: as given, or a Yunxin room's with a fresh token. Raises NotYet while the room has no
        member, and Refused for parameters of the other version than the business's."""
        given: YidunAudio = start.parameters
        check_version(given, self._api.version)
        if given.url is not None:
            return Prepared({"url": given.url})
        if self._yunxin is None:
            raise Refused("yidun", "check", "credentials.yunxin: is missing, a channel needs it")
        assert given.channel is not None
        assert given.uid is not None
        asked = self._now()
        token = await self._yunxin.listening_token(given.channel, given.uid, given.expire_seconds)
        url = f"yunxin://{given.uid}:{token.checksum}@{self._app_key}/{given.channel}"
        return Prepared({"url": url}, asked + given.expire_seconds)

    async def start(self, start: Start, prepared: Prepared) -> Started:
        """Submits the check, or adopts the task that Yidun calls a duplicate of."""
        given: YidunAudio = start.parameters
        fields = check_fields(start, prepared.values["url"], self._api.version)
        version = "v3.1" if self._api.version == "v3" else "v4"
        path = f"/{self._api.version}/liveaudio/check"
        task_id, adopted = await self._api.call("check", _CHECK, path, version, fields, _judge_check)
        return Started(task_id, adopted, self._renew_at(given, prepared))

    async def query(self, task: Task) -> Status:
        """Yidun has no state to ask for; its results tell."""
        return Status(TaskState.UNKNOWN)

    async def stop(self, task: Task) -> None:
        """Feeds back that the room has ended."""
        failed = await self.stop_all([task.task_id])
        if failed:
            raise Unavailable("yidun", "feedback", "the stop failed", code="result-1", sent=True)

    async def stop_all(self, task_ids: Sequence[str]) -> list[str]:
        """Stops many tasks, 100 a call: the ids that Yidun failed at. One that it does not know has ended."""
        failed: list[str] = []
        for begin in range(0, len(task_ids), MOST_FEEDBACKS):
            batch = task_ids[begin : begin + MOST_FEEDBACKS]
            feedbacks = orjson.dumps([{"taskId": id, "status": 100} for id in batch]).decode()
            failed += await self._api.call(
                "feedback",
                _FEEDBACK,
                "/v1/liveaudio/feedback",
                "v1.0",
                {"feedbacks": feedbacks},
                partial(_judge_feedback, batch),
            )
        return failed

    async def results_of(self, task_id: str, begin: int, end: int) -> list[dict[str, Any]]:
        """The results of one task between two moments (epoch milliseconds), asked for in windows of 10 minutes."""
        found: list[dict[str, Any]] = []
        for first, last in windows(begin, end):
            fields = {"taskId": task_id, "startTime": str(first), "endTime": str(last)}
            found += await self._api.call(
                "query_task", _QUERY, "/v1/liveaudio/query/task", "v1.0", fields, _judge_query_task
            )
        return found

    def _renew_at(self, given: YidunAudio, prepared: Prepared) -> float | None:
        if given.term == "short" or prepared.expires_at is None:
            return None
        return prepared.expires_at - min(_RENEW_BEFORE, given.expire_seconds / 10)


def windows(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """A span of milliseconds in windows that Yidun takes, one beginning where the last ended."""
    while begin < end:
        last = min(begin + LONGEST_WINDOW, end)
        yield begin, last
        begin = last


def check_version(given: YidunAudio, version: Literal["v3", "v4"]) -> None:
    """Raises Refused for parameters that the version of the business does not have."""
    wrong = [name for name in _V4_ONLY if version == "v3" and getattr(given, name)]
    if given.device_type is not None and given.device_type not in _DEVICE_TYPES[version]:
        wrong.append("device_type")
    if wrong:
        raise Refused("yidun", "check", f"not in version {version}: {', '.join(wrong)}", code="405")


def check_fields(start: Start, url: str, version: Literal["v3", "v4"]) -> dict[str, str]:
    """The fields of check, the common ones left out. Raises Refused for a URL that is longer than Yidun takes."""
    given: YidunAudio = start.parameters
    longest = 512 if version == "v3" else 1024
    callback = orjson.dumps({"room": given.room_name, "session": start.session_id}).decode()
    texts = (("url", url, 1024), ("callbackUrl", start.callback_url, 512), ("callback", callback, longest))
    for name, text, limit in texts:
        if len(text) > limit:
            raise Refused(
                "yidun", "check", f"{name} has {len(text)} characters, {limit} are allowed", code="414"
            )
    fields: dict[str, str | int | None] = {
        "url": url,
        "callback": callback,
        "callbackUrl": start.callback_url or None,
        "title": given.title,
        "ip": given.ip,
        "account": given.account,
        "deviceId": given.device_id,
        "deviceType": given.device_type,
        "checkSpeakerIds": ",".join(given.check_speaker_ids) or None,
        "noCheckSpeakerIds": ",".join(given.no_check_speaker_ids) or None,
    }
    if version == "v4":
        fields |= {
            "dataId": given.data_id or start.session_id,
            "uniqueKey": given.unique_key,
            "roomNo": given.room_no,
            "accountLevel": given.account_level,
            "accountName": given.account_name,
            "checkLanguageCode": given.check_language_code,
        }
        fields.update({str(name): value for name, value in given.extra.items()})
    return {name: str(value) for name, value in fields.items() if value is not None}


def _judge_check(result: Any) -> tuple[str, bool]:
    item = result[0] if isinstance(result, list) and result else result
    if not isinstance(item, dict):
        raise Unreadable("yidun", "check", "its answer has no result", code="200")
    status, task_id = seen_code(item, "status"), field_text(item, "taskId")
    if status == "1":
        raise Refused("yidun", "check", "the submit failed", code="status-1")
    if status == "2":
        raise Throttled("yidun", "check", "the limit of concurrent tasks is reached", code="status-2")
    if status == "3" and task_id is None:
        raise AlreadyRunning("yidun", "check", "a duplicate of a task it does not name", code="status-3")
    if task_id is None or status not in ("0", "3"):
        raise Unreadable("yidun", "check", "its answer has no taskId or an unknown status", code="200")
    return task_id, status == "3"


def _judge_feedback(batch: Sequence[str], result: Any) -> list[str]:
    if not isinstance(result, list):
        raise Unreadable("yidun", "feedback", "its answer has no result", code="200")
    said = {
        field_text(item, "taskId"): seen_code(item, "result") for item in result if isinstance(item, dict)
    }
    return [id for id in batch if said.get(id) not in ("0", "2")]


def _judge_query_task(result: Any) -> list[dict[str, Any]]:
    if result is None:
        return []
    if isinstance(result, dict):
        result = [result]
    if not isinstance(result, list):
        raise Unreadable("yidun", "query_task", "its result is no array", code="200")
    return [item for item in result if isinstance(item, dict)]


def missing(tenant: Tenant) -> list[str]:
    """Yidun's credentials. Yunxin's are needed for rooms only, which `prepare` says."""
    return ["credentials.yidun: is missing"] if tenant.credentials.yidun is None else []


KIND = Kind(YidunAudio, missing, YidunClient, rhythm=None)
