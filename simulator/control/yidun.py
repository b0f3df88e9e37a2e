"""NetEase Yidun's live audio: check, feedback, poll of results, query of a task; signed forms."""

import hmac
import re
from typing import Any
from urllib.parse import parse_qsl

import orjson

from moderato.sources import Source
from simulator.callbacks.yidun_audio import signature
from simulator.control.book import State, Task
from simulator.control.world import (
    Asked,
    Refusal,
    Reply,
    Route,
    World,
    is_address,
    is_int,
    media_type,
    new_id,
)

THROTTLED = Reply({"code": 411, "msg": "high frequency"})
_WINDOW = 300  # seconds that a timestamp may be off; the document names none
_METHODS = ("MD5", "SHA1", "SHA256", "SM3")
_SPEAKERS = re.compile(r"[0-9]+(,[0-9]+){0,19}")
_POLLS, _POLL_SECONDS = 20, 10.0
_BATCH = 100
_LISTEN = re.compile(r"yunxin://([0-9]+):([^@/]+)@([^/]+)/(.+)")
_LENGTHS = {"title": 512, "ip": 128, "account": 128, "deviceId": 128, "dataId": 128, "roomNo": 128}


class Yidun:
    """`<prefix>/v3|v4/liveaudio/…` and `/v1/liveaudio/…`."""

    prefix = "/yidun"

    def __init__(self, world: World) -> None:
        self._world = world
        self._nonces: set[tuple[str, str]] = set()
        self._handing: tuple[str, list[Any]] | None = None

    def routes(self) -> list[Route]:
        """Check, feedback, results, query."""
        return [
            Route("check", "POST", "/v3/liveaudio/check", self._check_v3, THROTTLED),
            Route("check", "POST", "/v4/liveaudio/check", self._check_v4, THROTTLED),
            Route("feedback", "POST", "/v1/liveaudio/feedback", self._feedback, THROTTLED),
            Route("results", "POST", "/v3/liveaudio/callback/results", self._results_v3, THROTTLED),
            Route("results", "POST", "/v4/liveaudio/callback/results", self._results_v4, THROTTLED),
            Route("query_task", "POST", "/v1/liveaudio/query/task", self._query_task, THROTTLED),
        ]

    async def _check_v3(self, asked: Asked) -> Reply:
        return self._check(asked, self._form(asked, "v3.1"), 3, 512)

    async def _check_v4(self, asked: Asked) -> Reply:
        return self._check(asked, self._form(asked, "v4", "v4.1"), 4, 1024)

    def _check(self, asked: Asked, form: dict[str, str], version: int, longest_callback: int) -> Reply:
        url, address = form.get("url", ""), form.get("callbackUrl")
        wrong = (
            not 0 < len(url) <= 1024
            or "://" not in url
            or len(form.get("callback", "")) > longest_callback
            or (address is not None and (not is_address(address) or len(address) > 512))
            or any(len(form.get(name, "")) > longest for name, longest in _LENGTHS.items())
        )
        for name in ("checkSpeakerIds", "noCheckSpeakerIds"):
            ids = form.get(name)
            wrong = wrong or (ids is not None and (len(ids) > 200 or not _SPEAKERS.fullmatch(ids)))
        if wrong:
            raise _coded(405, "param error")
        key = form.get("uniqueKey") or url
        running = self._world.book.running(Source.YIDUN_AUDIO, key)
        if running:
            return _ok({"taskId": running.id, "status": 3})
        alive = sum(task.source is Source.YIDUN_AUDIO for task in self._world.book.all_running())
        if alive >= self._world.limits.yidun_running:
            return _ok({"taskId": "", "status": 2})
        found = _LISTEN.fullmatch(url)
        details = {
            "version": version,
            "callback": form.get("callback", ""),
            "data_id": form.get("dataId", ""),
        }
        room = found.group(4) if found else (form.get("roomNo") or form.get("title") or key)
        now = self._world.clock.now()
        task = Task(
            Source.YIDUN_AUDIO,
            form["businessId"],
            new_id(),
            room,
            key,
            now,
            (address,) if address else (),
            details,
        )
        self._world.start(task, asked.fault)
        if found and task.state is State.RUNNING and not self._may_listen(found.group(3), found.group(2)):
            self._world.end(task, State.DIED, "token_expired")
        return _ok({"taskId": task.id, "status": 3 if asked.duplicate else 0})

    def _may_listen(self, app_key: str, token: str) -> bool:
        """Whether a room of the simulated Yunxin lets this token in; other applications' rooms let all in."""
        if app_key != self._world.accounts.yunxin_app_key:
            return True
        return self._world.listening.get(token, 0.0) > self._world.clock.now()

    async def _feedback(self, asked: Asked) -> Reply:
        form = self._form(asked, "v1.0", "v1")
        try:
            items = orjson.loads(form.get("feedbacks", ""))
        except orjson.JSONDecodeError:
            raise _coded(405, "param error") from None
        if not isinstance(items, list) or not 1 <= len(items) <= 100:
            raise _coded(405, "param error")
        if not all(isinstance(item, dict) and isinstance(item.get("taskId"), str) for item in items):
            raise _coded(405, "param error")
        return _ok([{"taskId": item["taskId"], "result": self._stop(item)} for item in items])

    def _stop(self, item: dict[str, Any]) -> int:
        task = self._world.book.tasks.get((Source.YIDUN_AUDIO, item["taskId"]))
        if task is None:
            return 2
        # The vendor's demo for Python sends the status as text, that for Java as a number.
        if str(item.get("status")) == "100" and task.state is State.RUNNING:
            self._world.end(task, State.STOPPED, "stopped")
        return 0

    async def _results_v3(self, asked: Asked) -> Reply:
        taken = self._results(asked, self._form(asked, "v3"))
        return _ok(
            {
                "antispam": [item["antispam"] for item in taken if "antispam" in item],
                "asr": [item["asr"] for item in taken if "asr" in item],
            }
        )

    async def _results_v4(self, asked: Asked) -> Reply:
        return _ok(self._results(asked, self._form(asked, "v4", "v4.1")))

    def _results(self, asked: Asked, form: dict[str, str]) -> list[Any]:
        now = self._world.clock.now()
        if not self._world.rates.admits(f"yidun/results/{form['businessId']}", now, _POLLS, _POLL_SECONDS):
            raise Refusal(THROTTLED)
        request_id = form.get("yidunRequestId", "")
        # The same id again: what it was given has not been handled.
        if request_id and self._handing and self._handing[0] == request_id and self._handing[1]:
            return self._handing[1]
        waiting = self._world.to_poll
        taken = [waiting.popleft() for _ in range(min(_BATCH, len(waiting)))]
        self._handing = (request_id, taken)
        return taken

    async def _query_task(self, asked: Asked) -> Reply:
        form = self._form(asked, "v1.0", "v1")
        try:
            begin, end = int(form.get("startTime", "")), int(form.get("endTime", ""))
        except ValueError:
            raise _coded(405, "param error") from None
        if not 0 <= end - begin <= 600_000 or not form.get("taskId"):
            raise _coded(405, "param error")
        kept = self._world.judged.get(form["taskId"], ())
        return _ok([item for item in kept if begin <= item["endTime"] <= end])

    def _form(self, asked: Asked, *versions: str) -> dict[str, str]:
        if media_type(asked.http)[0] != "application/x-www-form-urlencoded":
            raise _coded(405, "param error")
        try:
            pairs = parse_qsl(asked.body.decode(), keep_blank_values=True, strict_parsing=True)
        except ValueError:
            raise _coded(405, "param error") from None
        form: dict[str, str] = {}
        for name, value in pairs:
            form.setdefault(name, value)
        accounts = self._world.accounts
        if not form.get("secretId") or not form.get("businessId"):
            raise _coded(400, "bad request")
        if (form["secretId"], form["businessId"]) != (accounts.yidun_secret_id, accounts.yidun_business_id):
            raise _coded(401, "forbidden")
        if form.get("signatureMethod", "MD5").upper() not in _METHODS:
            raise _coded(405, "param error")
        signed = {name: value for name, value in form.items() if name != "signature"}
        due = signature(signed, accounts.yidun_secret_key)
        if not hmac.compare_digest(due.encode(), form.get("signature", "").encode()):
            raise _coded(410, "signature failure")
        self._fresh(form)
        if form.get("version") not in versions:
            raise _coded(405, "param error")
        return form

    def _fresh(self, form: dict[str, str]) -> None:
        stamp, nonce = form.get("timestamp", ""), form.get("nonce", "")
        if not nonce or not stamp.isdecimal() or not is_int(int(stamp), 0, 2**53):
            raise _coded(405, "param error")
        if abs(self._world.clock.now() - int(stamp) / 1000) > _WINDOW:
            raise _coded(420, "request expired")
        if (stamp, nonce) in self._nonces:
            raise _coded(430, "replay attack")
        self._nonces.add((stamp, nonce))


def _ok(result: object) -> Reply:
    return Reply({"code": 200, "msg": "ok", "result": result})


def _coded(code: int, message: str) -> Refusal:
    return Refusal(Reply({"code": code, "msg": message}))
