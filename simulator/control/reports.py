"""What running tasks report to the addresses they were given, and how their ends are told. Pure but for its chance."""

from collections import deque
from dataclasses import replace
from random import Random
from typing import Any

import orjson

from moderato.sources import Source
from simulator.callbacks import (
    agora_ncs,
    agora_video,
    agora_voice,
    sealed,
    shumei_audio,
    shumei_video,
    yidun_audio,
)
from simulator.callbacks.contract import Callback, Moment, Object, Told
from simulator.control.accounts import Accounts
from simulator.control.book import State, Task
from simulator.control.files import files_of
from simulator.control.world import World
from simulator.rooms import Decision, Room, make_rooms

_DECISIONS: tuple[Decision, ...] = ("pass", "review", "block")
_WEIGHTS = (0.85, 0.08, 0.07)
_KEPT = 200  # judgements of a Yidun task that its query tells


class Reports:
    """The callbacks of tasks, one segment after the other."""

    def __init__(self, world: World, seed: int = 0) -> None:
        self._world = world
        self._seed = seed
        self._sequence = 0
        self._rooms: dict[str, Room] = {}

    def started(self, task: Task) -> list[Callback]:
        """Agora's notice that a voice task began."""
        return self._notices(task, agora_ncs.started) if task.source is Source.AGORA_VOICE else []

    def next(self, task: Task) -> list[Callback]:
        """The next ten seconds of the task's room; nothing when the vendor has nothing to say about them."""
        if task.source is Source.IFLYTEK_AUDIO:
            return []
        moment = self._moment(task)
        task.reports += 1
        told = _TELL[task.source](task, moment)
        if task.source is Source.YIDUN_AUDIO:
            self._keep(task, moment, told)
        if told is None:
            return []
        return [self._callback(task, _address(task, told), moment, told)] if task.callbacks else []

    def ended(self, task: Task, why: str) -> list[Callback]:
        """How the vendor tells that a task is over; `why` as in `World.ending`."""
        if task.source in (Source.AGORA_VOICE, Source.AGORA_VIDEO):
            notice = {"failed": agora_ncs.failed, "token_expired": agora_ncs.fatal}.get(
                why, agora_ncs.stopped
            )
            return self._notices(task, notice)
        content = self._end(task, why)
        if content is None:
            return []
        told = Told(content, task.id, ends_task=True)
        if task.source is Source.YIDUN_AUDIO and not task.callbacks:
            self._world.to_poll.append(content)
        return [self._callback(task, address, self._moment(task), told) for address in task.callbacks[:1]]

    def _end(self, task: Task, why: str) -> Object | None:
        if task.source is Source.YIDUN_AUDIO:
            return {"antispam": _yidun_end(task, why)}
        if task.source is Source.IFLYTEK_AUDIO:
            done = task.state is State.FINISHED
            data: Object = {"request_id": task.id, "audit_status": 2 if done else 4}
            data["result_list"] = files_of(task) if done else []
            return {"code": "000000", "desc": "请求成功", "data": data, "sid": task.id}
        if task.details["returnFinishInfo"] != 1:
            return None
        aux: Object = {"streamTime": task.reports * 10}
        if why in _STREAM_CODES:
            aux["errorCode"] = _STREAM_CODES[why]
        end: Object = {"requestId": task.id, "btId": task.details["btId"], "code": 1100, "message": "成功"}
        end |= {"statCode": 1, "requestParams": {"room": task.room}, "auxInfo": aux}
        if task.source is Source.SHUMEI_VIDEO:
            end |= {"contentType": 1, "riskLevel": "PASS", "pullStreamSuccess": why not in _STREAM_CODES}
        return end

    def _keep(self, task: Task, moment: Moment, told: Told | None) -> None:
        """For the query of the task, and for the poll when there is no address to push to."""
        item = _echoed(yidun_audio.v3_flat(moment).content, task)
        kept = self._world.judged.setdefault(task.id, deque(maxlen=_KEPT))
        kept.append({"taskId": task.id, "callback": item["callback"], **item["evidences"]})
        if not task.callbacks and told is not None:
            self._world.to_poll.append({"antispam": item} if task.details["version"] == 3 else told.content)

    def _notices(self, task: Task, notice: agora_ncs.Kind) -> list[Callback]:
        url = self._world.accounts.ncs_url
        if url is None:
            return []
        moment = replace(self._moment(task), secrets={"secret": self._world.accounts.ncs_secret})
        told = agora_ncs.told(moment, notice)
        told.content["payload"]["uid"] = task.details["uid"]
        return [sealed(Source.AGORA_NCS, url, moment, told)]

    def _moment(self, task: Task) -> Moment:
        random = Random(f"{self._seed}/{task.id}/{task.reports}")
        decision = random.choices(_DECISIONS, _WEIGHTS)[0]
        now = self._world.clock.now()
        segment = self._room(task.room).segment(task.reports, now - 1.0, decision, random)
        self._sequence += 1
        return Moment(
            self._sequence, segment, False, task.id, now, _secrets(task, self._world.accounts), random
        )

    def _room(self, name: str) -> Room:
        if name not in self._rooms:
            self._rooms[name] = replace(make_rooms(1, Random(name))[0], name=name)
        return self._rooms[name]

    @staticmethod
    def _callback(task: Task, url: str, moment: Moment, told: Told) -> Callback:
        return sealed(task.source, url, moment, told)


_STREAM_CODES = {"failed": 3003, "token_expired": 3005}


def _secrets(task: Task, accounts: Accounts) -> dict[str, str]:
    if task.source is Source.AGORA_VOICE:
        return {"uid": accounts.aliyun_uid, "seed": task.details["seed"]}
    if task.source is Source.AGORA_VIDEO:
        return {"callback_addr": task.callbacks[0]}
    if task.source is Source.YIDUN_AUDIO:
        return {
            "secret_id": accounts.yidun_secret_id,
            "business_id": accounts.yidun_business_id,
            "secret_key": accounts.yidun_secret_key,
        }
    return {}


def _address(task: Task, told: Told) -> str:
    """Shumei's video has an address for pictures and one for sound."""
    return task.callbacks[-1] if told.content.get("contentType") == 2 else task.callbacks[0]


def _agora_voice(task: Task, moment: Moment) -> Told:
    told = agora_voice.tell(moment)
    data = orjson.loads(told.content["dataId"]) | {"uid": task.details["uid"]}
    told.content["dataId"] = orjson.dumps(data).decode()
    return told


def _agora_video(task: Task, moment: Moment) -> Told:
    told = agora_video.tell(moment)
    told.content["callbackParam"] = task.details["callback_param"]
    return told


def _shumei_audio(task: Task, moment: Moment) -> Told | None:
    if task.details["returnAllText"] != 1 and moment.segment.worst.decision == "pass":
        return None
    told = shumei_audio.nested(moment)
    told.content["btid"] = task.details["btId"]
    return _passed_through(told, told.content["audioDetail"]["auxInfo"], task)


def _shumei_video(task: Task, moment: Moment) -> Told | None:
    sound = len(task.callbacks) > 1 and moment.random.random() < 0.5
    wanted = task.details["returnAllText" if sound else "returnAllImg"] == 1
    if not wanted and moment.segment.worst.decision == "pass":
        return None
    told = (shumei_video.v4_audio if sound else shumei_video.v4_frame)(moment)
    return _passed_through(told, told.content.setdefault("auxInfo", {}), task)


def _passed_through(told: Told, aux: Object, task: Task) -> Told:
    if task.details["pass_through"] is None:
        aux.pop("passThrough", None)
    else:
        aux["passThrough"] = task.details["pass_through"]
    return told


def _yidun(task: Task, moment: Moment) -> Told:
    tell = yidun_audio.v3_flat if task.details["version"] == 3 else yidun_audio.v4
    told = tell(moment)
    return replace(told, content=_echoed(told.content, task))


def _echoed(content: Any, task: Task) -> Any:
    """With the callback and the data id that the caller gave."""
    if isinstance(content, dict):
        echo = {"callback": task.details["callback"], "dataId": task.details["data_id"]}
        return {name: echo[name] if name in echo else _echoed(value, task) for name, value in content.items()}
    return [_echoed(item, task) for item in content] if isinstance(content, list) else content


def _yidun_end(task: Task, why: str) -> Object:
    end: Object = {"taskId": task.id, "dataId": task.details["data_id"], "callback": task.details["callback"]}
    end |= {"censorSource": 2, "duration": task.reports * 10}
    if why in ("failed", "token_expired"):
        return end | {"status": 3, "failureReason": 2}
    return end | {"status": 2, "finishType": 1 if why == "stopped" else 0}


_TELL = {
    Source.AGORA_VOICE: _agora_voice,
    Source.AGORA_VIDEO: _agora_video,
    Source.SHUMEI_AUDIO: _shumei_audio,
    Source.SHUMEI_VIDEO: _shumei_video,
    Source.YIDUN_AUDIO: _yidun,
}
