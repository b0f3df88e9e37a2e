"""Agora's notification service: what happened to moderation tasks (productId 3) and to channels (productId 1).

Notices carry no content, so this source gives signals only, and one that cannot be read is a dead letter only.
"""

from moderato.records import SignalKind
from normalize.payload import (
    Json,
    Object,
    Unreadable,
    an_object,
    as_float,
    as_id,
    as_int,
    as_text,
    object_in,
    parse_json,
)
from normalize.reading import Raw, Reading

_RTC = 1
_CLOUD_RECORDING = 3
_TEST_CHANNEL = "test_webhook"  # the console's check of a receiver's address

_CHANNELS = {101: SignalKind.ROOM_CREATED, 102: SignalKind.ROOM_CLOSED}
_JOINED = frozenset({103, 105, 107})  # host, audience, communication
_LEFT = frozenset({104, 106, 108})
_KICKED = 3  # reason: through the banning API

# Events of a task, each with the field of `details` that holds the vendor's code.
_TASKS = {
    1: (SignalKind.TASK_FAILED, "errorCode"),
    11: (SignalKind.TASK_ENDED, "exitStatus"),
    41: (SignalKind.TASK_ENDED, "leaveCode"),
    201: (SignalKind.TASK_FAILED, "errorCode"),
    202: (SignalKind.TASK_STARTED, None),
    203: (SignalKind.TASK_ENDED, None),
}
_ERROR = 1
_FATAL = 5  # errorLevel
_SESSION_EXIT = 11
_EXITS = {0: SignalKind.TASK_ENDED, 1: SignalKind.TASK_FAILED}

_FIRST_MILLISECONDS = 1e11  # as seconds that is the year 5138: from here on a time counts milliseconds


def read(raw: Raw, out: Reading) -> None:
    """At most one signal. Raises Unreadable."""
    notice = an_object(parse_json(raw.body), "the notice")
    event = as_int(notice.get("eventType"))
    if event is None:
        raise Unreadable("eventType is missing or not a number")
    payload = object_in(notice, "payload") or {}
    if _TEST_CHANNEL in (payload.get("channelName"), payload.get("cname")):
        return
    product = as_int(notice.get("productId"))
    occurred = _occurred(payload.get("sendts"), payload.get("ts"), notice.get("notifyMs"))
    if product == _RTC:
        _channel_event(event, payload, occurred, out)
    elif product == _CLOUD_RECORDING and event in _TASKS:
        _task_event(event, payload, occurred, out)


def _channel_event(event: int, payload: Object, occurred: float | None, out: Reading) -> None:
    room = as_id(payload.get("channelName")) or as_id(payload.get("cname"))
    if event in _CHANNELS:
        out.signal(_CHANNELS[event], room=room, occurred=occurred)
        return
    user = as_id(payload.get("uid"))
    if event in _JOINED:
        out.signal(SignalKind.USER_JOINED, room=room, user=user, occurred=occurred)
    elif event in _LEFT:
        reason = payload.get("reason")
        out.signal(
            SignalKind.USER_KICKED if as_int(reason) == _KICKED else SignalKind.USER_LEFT,
            room=room,
            user=user,
            code=as_id(reason),
            occurred=occurred,
        )


def _task_event(event: int, payload: Object, occurred: float | None, out: Reading) -> None:
    details = object_in(payload, "details") or {}
    kind, code_field = _TASKS[event]
    code = details.get(code_field) if code_field else None
    if event == _ERROR and as_int(details.get("errorLevel")) != _FATAL:
        return
    if event == _SESSION_EXIT:
        status = as_int(code)
        if status not in _EXITS:
            return
        kind = _EXITS[status]
    out.signal(
        kind,
        task_id=as_id(payload.get("sid")),
        room=as_id(payload.get("cname")) or as_id(payload.get("channelName")),
        code=as_id(code),
        message=as_text(details.get("errorMsg")) or as_text(details.get("serviceName")),
        occurred=occurred,
    )


def _occurred(*times: Json) -> float | None:
    """The first of the times that is one, in epoch seconds. `ts` counts seconds, the others milliseconds."""
    for value in times:
        number = as_float(value)
        if number is None:
            continue
        seconds = number / 1000 if number >= _FIRST_MILLISECONDS else number
        if 0 < seconds < _FIRST_MILLISECONDS:
            return seconds
    return None
