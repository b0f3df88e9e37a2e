"""iFlytek's audio compliance: files are submitted and asked after; everything is signed in the URL.

The codes of the document are 000000 and 100001. What it leaves open is answered here with codes of the simulator's own:
100003 for a wrong signature or time, 100004 for a uuid that was used before, 100005 for a wrong body."""

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote_plus

from moderato.sources import Source
from simulator.control.book import State, Task
from simulator.control.files import files_of
from simulator.control.world import (
    Asked,
    Refusal,
    Reply,
    Route,
    World,
    is_address,
    is_text,
    json_object,
    media_type,
    new_id,
)

THROTTLED = Reply({"code": "100006", "desc": "too many requests", "sid": "simulated"}, 429)
_SIGNED = ("uuid", "accessKeyId", "signature", "appId", "utc")
_TYPES = ("mp3", "alaw", "ulaw", "pcm", "aac", "wav")
_MOST_SKEW = 1800  # seconds
_WAITING_SECONDS = 1.0
_WORKING_SECONDS = 3.0


def signature(query: dict[str, str], secret: str) -> str:
    """Base64 of HMAC-SHA1 over the sorted, URL-encoded parameters that are not empty, without the signature."""
    pairs = (
        f"{name}={quote_plus(query[name])}" for name in sorted(query) if name != "signature" and query[name]
    )
    return base64.b64encode(
        hmac.new(secret.encode(), "&".join(pairs).encode(), hashlib.sha1).digest()
    ).decode()


class Iflytek:
    """`<prefix>/audit/v2/audio` and `/audit/v2/query`."""

    prefix = "/iflytek"

    def __init__(self, world: World) -> None:
        self._world = world
        self._uuids: set[str] = set()

    def routes(self) -> list[Route]:
        """Submit and query."""
        return [
            Route("submit", "POST", "/audit/v2/audio", self._submit, THROTTLED),
            Route("query", "POST", "/audit/v2/query", self._query, THROTTLED),
        ]

    async def _submit(self, asked: Asked) -> Reply:
        given = self._body(asked)
        files = given.get("audio_list")
        if not isinstance(files, list) or not 1 <= len(files) <= 10:
            raise _coded("100005", "audio_list: 1 to 10 files")
        for place, file in enumerate(files):
            if not isinstance(file, dict):
                raise _coded("100005", f"audio_list[{place}]: an object")
            if not is_address(file.get("file_url")) or len(file["file_url"]) > 500:
                raise _coded("100005", f"audio_list[{place}].file_url: an address of at most 500 characters")
            if not is_text(file.get("name")):
                raise _coded("100005", f"audio_list[{place}].name: a text")
            if file.get("audio_type", "mp3") not in _TYPES:
                raise _coded("100005", f"audio_list[{place}].audio_type: one of {' '.join(_TYPES)}")
        notify = given.get("notify_url")
        if notify is not None and not is_address(notify):
            raise _coded("100005", "notify_url: an address")
        now = self._world.clock.now()
        request_id = "T" + datetime.fromtimestamp(now).strftime("%Y%m%d%H%M") + new_id()[:20]
        names = [file["name"] for file in files]
        task = Task(
            Source.IFLYTEK_AUDIO,
            self._world.accounts.iflytek_app_id,
            request_id,
            names[0],
            request_id,
            now,
            (str(notify),) if notify else (),
            {"names": names, "due": now + _WORKING_SECONDS},
        )
        self._world.start(task, asked.fault)
        return _ok({"request_id": request_id})

    async def _query(self, asked: Asked) -> Reply:
        request_id = self._body(asked).get("request_id")
        task = self._world.book.tasks.get((Source.IFLYTEK_AUDIO, str(request_id)))
        if task is None:
            raise _coded("100005", "request_id: unknown")
        now = self._world.clock.now()
        data: dict[str, object] = {"request_id": task.id}
        if task.state is State.DIED and not task.silent:
            return _ok(data | {"audit_status": 4, "result_list": []})
        if task.silent or now < task.details["due"]:
            status = 0 if now - task.started < _WAITING_SECONDS else 1
            return _ok(data | {"audit_status": status})
        if task.state is State.RUNNING:
            self._world.end(task, State.FINISHED, "finished")
        return _ok(data | {"audit_status": 2, "result_list": files_of(task)})

    def _body(self, asked: Asked) -> dict[str, object]:
        query = dict(asked.http.query)
        missing = [f"{name}:must not be blank" for name in _SIGNED if not query.get(name)]
        if missing:
            raise _coded("100001", f"验签参数不完整：{';'.join(missing)};")
        accounts = self._world.accounts
        due = signature(query, accounts.iflytek_access_key_secret)
        known = (query["accessKeyId"], query["appId"]) == (
            accounts.iflytek_access_key_id,
            accounts.iflytek_app_id,
        )
        if not known or not hmac.compare_digest(due.encode(), query["signature"].encode()):
            raise _coded("100003", "验签失败")
        try:
            sent = datetime.strptime(query["utc"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
        except ValueError:
            raise _coded("100003", "utc: yyyy-MM-dd'T'HH:mm:ssZ") from None
        if abs(self._world.clock.now() - sent) > _MOST_SKEW:
            raise _coded("100003", "utc: more than 30 minutes off")
        if query["uuid"] in self._uuids:
            raise _coded("100004", "uuid: used before")
        self._uuids.add(query["uuid"])
        kind, charset = media_type(asked.http)
        given = json_object(asked.body)
        if kind != "application/json" or charset not in ("", "utf-8") or given is None:
            raise _coded("100005", "application/json;charset=UTF-8 with an object is due")
        return given


def _ok(data: object) -> Reply:
    return Reply({"code": "000000", "desc": "请求成功", "data": data, "sid": new_id()})


def _coded(code: str, description: str) -> Refusal:
    return Refusal(Reply({"code": code, "desc": description, "sid": new_id()}))
