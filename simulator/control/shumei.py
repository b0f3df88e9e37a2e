"""Shumei's audio and video streams: start, duplicate start, finish; the body may come encrypted."""

import base64
import binascii
import hmac
from typing import Any

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from moderato.sources import Source
from simulator.control.book import State, Task
from simulator.control.world import (
    Asked,
    Refusal,
    Reply,
    Route,
    World,
    is_address,
    is_int,
    is_text,
    json_object,
    new_id,
    section,
)

THROTTLED = Reply({"code": 1901, "message": "QPS超限"})
_FLAGS = ("returnAllText", "returnPreText", "returnPreAudio", "returnFinishInfo", "returnAllImg")
_PARAMETERS = {
    "ZEGO": "zegoParam",
    "AGORA": "agoraParam",
    "TRTC": "trtcParam",
    "VOLC": "volcParam",
    "GIN": "ginParam",
    "ALI": "aliParam",
    "YUNXIN": "yunxinParam",
}
# The fields without which no stream can be found.
_NEEDED: dict[str, tuple[str, ...]] = {
    "ZEGO": ("tokenId",),
    "AGORA": ("appId", "channel"),
    "TRTC": ("sdkAppId", "demoSences", "userId", "userSig"),
    "VOLC": ("appId", "roomId", "token", "userId"),
    "GIN": ("tokenId", "roomId"),
    "ALI": ("token", "room", "userId"),
    "YUNXIN": ("token", "cname", "uid", "appKey"),
}


class Shumei:
    """`<prefix>/audiostream/v4`, `/videostream/v4` and their finishes."""

    prefix = "/shumei"

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Start and finish of both streams."""
        return [
            Route("start", "POST", "/audiostream/v4", self._start_audio, THROTTLED),
            Route("finish", "POST", "/finish_audiostream/v4", self._finish_audio, THROTTLED),
            Route("start_video", "POST", "/videostream/v4", self._start_video, THROTTLED),
            Route("finish_video", "POST", "/finish_videostream/v4", self._finish_video, THROTTLED),
        ]

    async def _start_audio(self, asked: Asked) -> Reply:
        given = self._body(asked)
        _either(given, "type", "businessType")
        _address(given, "callback")
        return self._start(asked, Source.SHUMEI_AUDIO, given, (given["callback"],))

    async def _start_video(self, asked: Asked) -> Reply:
        given = self._body(asked)
        _either(given, "imgType", "imgBusinessType")
        _address(given, "imgCallback")
        addresses: tuple[str, ...] = (given["imgCallback"],)
        if given.get("audioType", "NONE") != "NONE" or "audioBusinessType" in given:
            _address(given, "audioCallback")
            addresses += (given["audioCallback"],)
        return self._start(asked, Source.SHUMEI_VIDEO, given, addresses)

    def _start(
        self, asked: Asked, source: Source, given: dict[str, Any], addresses: tuple[str, ...]
    ) -> Reply:
        for name in ("appId", "eventId"):
            if not is_text(given.get(name), 64):
                raise _wrong(name)
        data = self._data(given)
        stream = _stream(data)
        key = f"{given['appId']}/{stream}"
        room = data.get("room")
        running = self._world.book.running(source, key)
        if running is None:
            details = {"pass_through": (section(data, "extra") or {}).get("passThrough")} | {
                name: data.get(name, 0) for name in ("returnAllText", "returnAllImg", "returnFinishInfo")
            }
            place = str(room) if is_text(room) else _channel(data)
            now = self._world.clock.now()
            task = Task(
                source, given["appId"], new_id(), place, key, now, addresses, details | {"btId": data["btId"]}
            )
            self._world.start(task, asked.fault)
            if not asked.duplicate:
                return _answer(task.id)
            running = task
        detail = {"errorCode": 1001, "dupRequestId": running.id}
        return Reply({"code": 1100, "message": "成功", "requestId": new_id(), "detail": detail})

    async def _finish_audio(self, asked: Asked) -> Reply:
        return self._finish(asked, Source.SHUMEI_AUDIO)

    async def _finish_video(self, asked: Asked) -> Reply:
        return self._finish(asked, Source.SHUMEI_VIDEO)

    def _finish(self, asked: Asked, source: Source) -> Reply:
        request_id = self._body(asked).get("requestId")
        if not is_text(request_id):
            raise _wrong("requestId")
        task = self._world.book.tasks.get((source, str(request_id)))
        if task is None or task.state is not State.RUNNING:
            return Reply({"code": 1909, "message": "该路流不存在", "requestId": request_id})
        self._world.end(task, State.STOPPED, "stopped")
        return _answer(task.id)

    def _body(self, asked: Asked) -> dict[str, Any]:
        given = json_object(asked.body)
        if given is None:
            raise _coded(1902, "参数不合法: body")
        access_key = given.get("accessKey")
        due = self._world.accounts.shumei_access_key
        if not isinstance(access_key, str) or not hmac.compare_digest(access_key.encode(), due.encode()):
            raise _coded(9101, "无权限操作")
        most = self._world.limits.shumei_qps
        if not self._world.rates.admits(f"shumei/{asked.http.path}", self._world.clock.now(), most, 1.0):
            raise Refusal(THROTTLED)
        return given

    def _data(self, given: dict[str, Any]) -> dict[str, Any]:
        data = given.get("data")
        if given.get("encryptType") is not None:
            if given["encryptType"] != "sm4" or not isinstance(data, str):
                raise _wrong("encryptType")
            data = json_object(_decrypted(data, self._world.accounts.shumei_secret_key))
        if not isinstance(data, dict):
            raise _wrong("data")
        for name, longest in (("tokenId", 1024), ("btId", 128)):
            if not is_text(data.get(name), longest):
                raise _wrong(f"data.{name}")
        for name in _FLAGS:
            if name in data and not is_int(data[name], 0, 1):
                raise _wrong(f"data.{name}")
        for name, low, high in (
            ("initDomain", 0, 6),
            ("audioDetectStep", 1, 36),
            ("detectFrequency", 1, 60),
            ("level", 0, 4),
        ):
            if name in data and not is_int(data[name], low, high):
                raise _wrong(f"data.{name}")
        for name in ("room", "lang"):
            if name in data and not isinstance(data[name], str):
                raise _wrong(f"data.{name}")
        return data


def _stream(data: dict[str, Any]) -> str:
    """What the stream is, checked: the same text for the same stream."""
    kind = data.get("streamType")
    if kind == "NORMAL":
        url = data.get("url")
        if not is_text(url) or not str(url).startswith(("rtmp://", "rtmps://", "http://", "https://")):
            raise _wrong("data.url")
        return f"NORMAL/{url}"
    if kind not in _PARAMETERS:
        raise _wrong("data.streamType")
    name = _PARAMETERS[kind]
    given = section(data, name)
    if given is None or not given:
        raise _wrong(f"data.{name}")
    for field in _NEEDED[kind]:
        if given.get(field) in (None, ""):
            raise _wrong(f"data.{name}.{field}")
    if "isMixingEnabled" in given and not isinstance(given["isMixingEnabled"], bool):
        raise _wrong(f"data.{name}.isMixingEnabled")
    if kind == "ZEGO":
        return _zego(given)
    if kind == "AGORA":
        if "uid" in given and not is_int(given["uid"], 0, 2**32 - 1):
            raise _wrong("data.agoraParam.uid")
        if "channelProfile" in given and not is_int(given["channelProfile"], 0, 1):
            raise _wrong("data.agoraParam.channelProfile")
        return f"AGORA/{given['appId']}/{given['channel']}"
    if kind == "TRTC":
        return _trtc(given)
    return f"{kind}/{given.get('appId', given.get('appKey', ''))}/{_channel(data)}"


def _zego(given: dict[str, Any]) -> str:
    stream, room = given.get("streamId"), given.get("roomId")
    if not stream and not room:
        raise _wrong("data.zegoParam.streamId")
    if given.get("isMixingEnabled", True) is False and (stream or not room):
        raise _wrong("data.zegoParam.roomId")
    return f"ZEGO/{stream or room}"


def _trtc(given: dict[str, Any]) -> str:
    if not is_int(given["sdkAppId"], 1, 2**53):
        raise _wrong("data.trtcParam.sdkAppId")
    if given["demoSences"] not in (2, 4) or not is_int(given["demoSences"], 2, 4):
        raise _wrong("data.trtcParam.demoSences")
    if not is_text(given["userId"], 32):
        raise _wrong("data.trtcParam.userId")
    room = given.get("roomId", given.get("strRoomId"))
    if "roomId" in given and not is_int(given["roomId"], 1, 4_294_967_294):
        raise _wrong("data.trtcParam.roomId")
    if not room:
        raise _wrong("data.trtcParam.roomId")
    return f"TRTC/{given['sdkAppId']}/{given.get('uid', given['userId'])}/{room}"


def _channel(data: dict[str, Any]) -> str:
    given = section(data, _PARAMETERS.get(data["streamType"], "")) or {}
    for name in ("channel", "roomId", "strRoomId", "room", "cname", "streamId"):
        if given.get(name):
            return str(given[name])
    return str(data["btId"])


def _decrypted(text: str, secret_key: str) -> bytes:
    """SM4-CBC with PKCS7 padding, the key's first 16 bytes, and sixteen zero bytes to begin with."""
    try:
        sealed = base64.b64decode(text, validate=True)
        cipher = Cipher(algorithms.SM4(secret_key.encode()[:16]), modes.CBC(bytes(16))).decryptor()
        padded = cipher.update(sealed) + cipher.finalize()
        unpadder = padding.PKCS7(128).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except (binascii.Error, ValueError):
        raise _wrong("data") from None


def _either(given: dict[str, Any], *names: str) -> None:
    if not any(is_text(given.get(name)) for name in names):
        raise _wrong(names[0])


def _address(given: dict[str, Any], name: str) -> None:
    if not is_address(given.get(name)):
        raise _wrong(name)


def _answer(request_id: str) -> Reply:
    return Reply({"code": 1100, "message": "成功", "requestId": request_id})


def _coded(code: int, message: str) -> Refusal:
    return Refusal(Reply({"code": code, "message": message, "requestId": new_id()}))


def _wrong(name: str) -> Refusal:
    return _coded(1902, f"参数不合法: {name}")
