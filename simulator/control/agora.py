"""Agora's cloud-recording family: voice (`mode/mix`) and video (`mode/individual`) moderation."""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import Any

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
    media_type,
    new_id,
    section,
)

_RESOURCE_SECONDS = 300
_MOST_CALLS = 10  # a second, per endpoint and App ID
_CNAME = re.compile(r"[a-zA-Z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]{1,64}")
_SEED = re.compile(r"[A-Za-z0-9_]{1,64}")
_UID = re.compile(r"[1-9][0-9]{0,9}")
THROTTLED = Reply({"message": "API rate limit exceeded"}, 429)
_SOURCES = {"mix": Source.AGORA_VOICE, "individual": Source.AGORA_VIDEO}


@dataclass(slots=True)
class _Resource:
    app_id: str
    cname: str
    uid: str
    made: float
    task: Task | None = None


class Agora:
    """`<prefix>/v1/apps/<appid>/cloud_recording/…`."""

    prefix = "/agora"

    def __init__(self, world: World) -> None:
        self._world = world
        self._resources: dict[str, _Resource] = {}

    def routes(self) -> list[Route]:
        """acquire, start, query, stop."""
        base = "/v1/apps/{appid}/cloud_recording"
        resource = base + "/resourceid/{resourceid}"
        sid = resource + "/sid/{sid}/mode/{mode}"
        return [
            Route("acquire", "POST", base + "/acquire", self._acquire, THROTTLED),
            Route("start", "POST", resource + "/mode/{mode}/start", self._start, THROTTLED),
            Route("query", "GET", sid + "/query", self._query, THROTTLED),
            Route("stop", "POST", sid + "/stop", self._stop, THROTTLED),
            Route("other", "*", "/{rest:.*}", self._other, THROTTLED),
        ]

    async def _acquire(self, asked: Asked) -> Reply:
        app_id = self._admit(asked, "acquire")
        given = _body(asked)
        cname, uid = _channel(given)
        request = section(given, "clientRequest")
        if request is None or "clientRequest" not in given:
            raise _wrong("Acquire: clientRequest must be an object")
        if "resourceExpiredHour" in request and not is_int(request["resourceExpiredHour"], 1, 720):
            raise _wrong("Acquire: invalid resourceExpiredHour value!")
        resource_id = new_id()
        self._resources[resource_id] = _Resource(app_id, cname, uid, self._world.clock.now())
        return Reply({"resourceId": resource_id})

    async def _start(self, asked: Asked) -> Reply:
        app_id = self._admit(asked, "start")
        given = _body(asked)
        cname, uid = _channel(given)
        resource_id, resource = self._resource(asked, app_id)
        if (cname, uid) != (resource.cname, resource.uid):
            raise _coded(400, 432, "cname or uid is not that of the resource ID")
        if resource.task:
            return Reply(_started(resource_id, resource.task) | {"code": 7, "reason": "already started"}, 201)
        if self._world.clock.now() - resource.made > _RESOURCE_SECONDS:
            raise _coded(400, 433, "resource ID expired")
        source = _SOURCES.get(asked.http.match_info["mode"])
        if source is None:
            raise _no_route()
        request = section(given, "clientRequest") or {}
        address, details = _voice(request) if source is Source.AGORA_VOICE else _video(request)
        key = f"{app_id}/{cname}/{uid}"
        if self._world.book.running(source, key):
            raise _coded(400, 53, "task conflict")
        task = Task(
            source, app_id, new_id(), cname, key, self._world.clock.now(), (address,), details | {"uid": uid}
        )
        resource.task = self._world.start(task, asked.fault)
        if asked.duplicate:
            return Reply(_started(resource_id, task) | {"code": 7, "reason": "already started"}, 201)
        return Reply(_started(resource_id, task))

    async def _query(self, asked: Asked) -> Reply:
        resource_id, task = self._task(asked, "query")
        if task.state is not State.RUNNING:
            raise _coded(404, 404, "failed to find worker")
        return Reply(
            {"resourceId": resource_id, "sid": task.id, "serverResponse": _in_progress(task)},
        )

    async def _stop(self, asked: Asked) -> Reply:
        resource_id, task = self._task(asked, "stop")
        given = _body(asked)
        if f"{task.account}/{'/'.join(_channel(given))}" != task.key:
            raise _coded(400, 432, "cname or uid is not that of the resource ID")
        if section(given, "clientRequest") is None or "clientRequest" not in given:
            raise _wrong("Stop: clientRequest must be an object")
        if task.state is State.STOPPED:
            raise _coded(400, 49, "invalid operation")
        if task.state is not State.RUNNING:
            raise _coded(404, 404, "failed to find worker")
        self._world.end(task, State.STOPPED, "stopped")
        answer: dict[str, Any] = {"resourceId": resource_id, "sid": task.id}
        if task.source is Source.AGORA_VIDEO:
            answer["serverResponse"] = {
                "moderationUploadingStatus": "uploaded",
                "uploadingStatus": "uploaded",
            }
        return Reply(answer)

    async def _other(self, asked: Asked) -> Reply:
        authenticated(self._world, asked)
        if "/cloud_recording/" in asked.http.path and asked.http.path.rsplit("/", 1)[1] in _ENDS:
            raise _coded(400, 8, "wrong HTTP method")
        raise _no_route()

    def _admit(self, asked: Asked, operation: str) -> str:
        authenticated(self._world, asked)
        app_id = asked.http.match_info["appid"]
        if app_id != self._world.accounts.agora_app_id:
            raise Refusal(Reply({"message": "invalid appid"}, 400))
        key = f"agora/{app_id}/{operation}"
        if not self._world.rates.admits(key, self._world.clock.now(), _MOST_CALLS, 1.0):
            raise Refusal(THROTTLED)
        return app_id

    def _resource(self, asked: Asked, app_id: str) -> tuple[str, _Resource]:
        resource_id = asked.http.match_info["resourceid"]
        resource = self._resources.get(resource_id)
        if resource is None:
            raise _coded(400, 1001, "resource ID decryption failed")
        if resource.app_id != app_id:
            raise _coded(400, 1003, "appid does not match the resource ID")
        return resource_id, resource

    def _task(self, asked: Asked, operation: str) -> tuple[str, Task]:
        resource_id, resource = self._resource(asked, self._admit(asked, operation))
        task, mode = resource.task, asked.http.match_info["mode"]
        if task is None or task.id != asked.http.match_info["sid"]:
            raise _coded(400, 1003, "sid does not match the resource ID")
        if _SOURCES.get(mode) is not task.source:
            raise _coded(404, 404, "failed to find worker")
        return resource_id, task


_ENDS = ("acquire", "start", "query", "stop")


def authenticated(world: World, asked: Asked) -> None:
    """Refuses (401) whoever is not the customer; HTTP Basic."""
    header = asked.http.headers.get("Authorization")
    if header is None:
        raise Refusal(Reply({"message": "Unauthorized"}, 401))
    due = f"{world.accounts.agora_customer_id}:{world.accounts.agora_customer_secret}"
    kind, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        given = b""
    if kind.lower() != "basic" or not hmac.compare_digest(given, due.encode()):
        raise Refusal(Reply({"message": "Invalid authentication credentials"}, 401))


def _body(asked: Asked) -> dict[str, Any]:
    # The API page wants the charset, the vendor's own code goes without.
    kind, charset = media_type(asked.http)
    if kind != "application/json" or charset not in ("", "utf-8"):
        raise _coded(400, 8, "invalid Content-type")
    given = json_object(asked.body)
    if given is None:
        raise _coded(400, 8, "body is not a JSON object")
    return given


def _channel(given: dict[str, Any]) -> tuple[str, str]:
    cname, uid = given.get("cname"), given.get("uid")
    if not isinstance(cname, str):
        raise _wrong("cname must be a string")
    if not _CNAME.fullmatch(cname):
        raise _coded(400, 1013, "illegal channel name")
    if not isinstance(uid, str) or not _UID.fullmatch(uid) or int(uid) >= 2**32:
        raise _wrong("uid must be a string of an integer from 1 to 4294967295")
    return cname, uid


def _voice(request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    recording = section(request, "recordingConfig")
    if recording is None:
        raise _wrong("recordingConfig must be an object")
    if recording.get("streamTypes", 2) != 0 or not is_int(recording.get("streamTypes"), 0, 0):
        raise _wrong("recordingConfig.streamTypes must be 0")
    _common(recording)
    uids = recording.get("subscribeAudioUids", [])
    if not isinstance(uids, list) or len(uids) > 32:
        raise _wrong("recordingConfig.subscribeAudioUids must be an array of at most 32")
    extension = section(request, "extensionServiceConfig")
    services = extension.get("extensionServices") if extension else None
    if (
        not extension
        or not isinstance(services, list)
        or len(services) != 1
        or not isinstance(services[0], dict)
    ):
        raise _wrong("extensionServiceConfig.extensionServices must be an array of one service")
    service = services[0]
    for place in (extension, service):
        if place.get("errorHandlePolicy", "error_abort") != "error_abort":
            raise _wrong("errorHandlePolicy must be error_abort")
    if service.get("serviceName") != "aliyun_voice_async_scan":
        raise _wrong("serviceName must be aliyun_voice_async_scan")
    if not is_int(service.get("streamTypes"), 0, 0):
        raise _wrong("extensionServices.streamTypes must be 0")
    parameters = section(service, "serviceParam") or {}
    data = section(parameters, "apiData") or {}
    if not is_address(parameters.get("callbackAddr")):
        raise _wrong("serviceParam.callbackAddr must be an HTTP address")
    for name in ("accessKey", "secretKey"):
        if not is_text(data.get(name)):
            raise _wrong(f"apiData.{name} must be a string")
    seed = data.get("callbackSeed")
    if not isinstance(seed, str) or not _SEED.fullmatch(seed):
        raise _wrong("apiData.callbackSeed must be letters, digits and _, at most 64")
    return parameters["callbackAddr"], {"seed": seed}


def _video(request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    policy = (section(request, "appsCollection") or {}).get("combinationPolicy", "default")
    if policy not in ("default", "storage_and_moderation"):
        raise _wrong("appsCollection.combinationPolicy must be default or storage_and_moderation")
    if policy == "default" and "storageConfig" in request:
        raise _wrong("storageConfig cannot be set under combinationPolicy default")
    if policy != "default":
        storage = section(request, "storageConfig") or {}
        for name in ("accessKey", "secretKey", "region", "vendor", "bucket"):
            if name not in storage:
                raise _wrong(f"storageConfig.{name} is missing")
    recording = section(request, "recordingConfig") or {}
    if not is_int(recording.get("streamTypes"), 1, 1):
        raise _wrong("recordingConfig.streamTypes must be 1")
    if "captureInterval" in recording and not is_int(recording["captureInterval"], 1, 2**31):
        raise _wrong("recordingConfig.captureInterval must be a number of seconds")
    _common(recording)
    moderation = section(request, "moderationConfig") or {}
    if not is_int(moderation.get("moderationStreamType"), 1, 1):
        raise _wrong("moderationConfig.moderationStreamType must be 1")
    if moderation.get("vendor") != "agora":
        raise _wrong("moderationConfig.vendor must be agora")
    parameters = section(moderation, "agoraApiParams") or {}
    if parameters.get("apiVersion") != "v1":
        raise _wrong("agoraApiParams.apiVersion must be v1")
    data = section(parameters, "apiData") or {}
    if data.get("type") != "PORN":
        raise _wrong("apiData.type must be PORN")
    if not is_address(moderation.get("callbackAddr")):
        raise _wrong("moderationConfig.callbackAddr must be an HTTP address")
    return moderation["callbackAddr"], {"callback_param": data.get("callbackParam")}


def _common(recording: dict[str, Any]) -> None:
    for name, low, high in (
        ("channelType", 0, 1),
        ("decryptionMode", 0, 3),
        ("audioProfile", 0, 2),
        ("maxIdleTime", 5, 2**32 - 1),
        ("subscribeUidGroup", 0, 3),
    ):
        if name in recording and not is_int(recording[name], low, high):
            raise _wrong(f"recordingConfig.{name} must be a number from {low} to {high}")


def _started(resource_id: str, task: Task) -> dict[str, Any]:
    return {"resourceId": resource_id, "sid": task.id}


def _in_progress(task: Task) -> dict[str, Any]:
    if task.source is Source.AGORA_VIDEO:
        return {"status": 5}
    stream = {"status": "inProgress", "streamType": "audio", "uid": "0"}
    return {
        "subServiceStatus": {
            "recording_Service": "serviceInProgress",
            "mediaDistributeService": "serviceInProgress",
        },
        "extensionServiceState": [{"serviceName": "aliyun_voice_async_scan", "streamState": [stream]}],
    }


def _coded(status: int, code: int, reason: str) -> Refusal:
    return Refusal(Reply({"code": code, "reason": reason}, status))


def _wrong(reason: str) -> Refusal:
    return _coded(400, 2, reason)


def _no_route() -> Refusal:
    return Refusal(Reply({"message": "no Route matched with those values"}, 404))
