"""Agora's notification service: events of moderation tasks (productId 3) and of channels (productId 1)."""

import hashlib
import hmac
import re
from collections.abc import Callable
from random import Random

from simulator.callbacks.agora_voice import LISTENER
from simulator.callbacks.contract import Moment, Object, Secrets, Told, Wire, milliseconds
from simulator.delivery_rules import DeliveryRules, json_answer

# At once, then at growing intervals that are not published; given up after three retries.
DELIVERY = DeliveryRules(timeout=10.0, waits=(0.0, 5.0, 15.0), accepts=json_answer)
SECRETS = ("secret",)

_NOTIFY_MS = re.compile(rb'"notifyMs":[0-9]+')


def signatures(secret: str, body: bytes) -> dict[str, str]:
    """Both headers: HMAC-SHA1 and HMAC-SHA256 over the raw body, lowercase hex."""
    key = secret.encode()
    return {
        "Agora-Signature": hmac.new(key, body, hashlib.sha1).hexdigest(),
        "Agora-Signature-V2": hmac.new(key, body, hashlib.sha256).hexdigest(),
    }


def seal(content: bytes, secrets: Secrets, sent: float, random: Random) -> Wire:
    """JSON with both signatures beside it."""
    return Wire("application/json", signatures(secrets["secret"], content), content)


def restamp(content: bytes, now: float) -> bytes:
    """A retry carries a new `notifyMs`."""
    return _NOTIFY_MS.sub(b'"notifyMs":%d' % milliseconds(now), content)


def tell(moment: Moment) -> Told:
    """One notice; this source never judges content."""
    return told(moment, moment.random.choices(_NOTICES, _WEIGHTS)[0])


def told(moment: Moment, kind: "Kind") -> Told:
    """The notice of this kind."""
    product, event, payload, ends_task = kind(moment)
    notice_id = f"2000001428:4330:{moment.mark}"
    content = {
        "noticeId": notice_id,
        "productId": product,
        "eventType": event,
        "notifyMs": milliseconds(moment.sent),
        "payload": payload,
    }
    return Told(content, notice_id, ends_task=ends_task)


_Notice = tuple[int, int, Object, bool]  # productId, eventType, payload, whether the task ends
Kind = Callable[[Moment], _Notice]


def _recording(moment: Moment, service: int, name: str, **details: object) -> Object:
    return {
        "cname": moment.segment.room.name,
        "uid": LISTENER,
        "sid": moment.task,
        "sequence": moment.segment.index,
        "sendts": milliseconds(moment.segment.end),
        "serviceType": service,
        "details": {"msgName": name, **details},
    }


def _extension(moment: Moment, name: str, **details: object) -> Object:
    return _recording(
        moment, 4, name, serviceName="aliyun_voice_async_scan", streamType="audio", streamUid=0, **details
    )


def started(moment: Moment) -> _Notice:
    """The voice task began."""
    return 3, 202, _extension(moment, "extension_service_start"), False


def stopped(moment: Moment) -> _Notice:
    """The voice task was stopped."""
    return 3, 203, _extension(moment, "extension_service_stop"), True


def failed(moment: Moment) -> _Notice:
    """The voice task ended with an error of its own."""
    code = moment.random.randint(1, 5)
    return 3, 201, _extension(moment, "extension_service_error", errorCode=code), True


def _exited(moment: Moment) -> _Notice:
    return 3, 11, _recording(moment, 0, "session_exit", exitStatus=moment.random.randint(0, 1)), True


def fatal(moment: Moment) -> _Notice:
    """A recording task ended: the channel does not take its token."""
    details = _recording(
        moment,
        0,
        "cloud_recording_error",
        module=0,
        errorLevel=5,
        errorCode=110,
        stat=0,
        errorMsg="token wrong",
    )
    return 3, 1, details, True


def _uploaded(moment: Moment) -> _Notice:
    return 3, 31, _recording(moment, 2, "uploaded", status="uploaded"), False


def _channel(moment: Moment, **more: object) -> Object:
    return {"channelName": moment.segment.room.name, "ts": int(moment.segment.end), **more}


def _created(moment: Moment) -> _Notice:
    return 1, 101, _channel(moment), False


def _destroyed(moment: Moment) -> _Notice:
    return 1, 102, _channel(moment, lastUid=moment.segment.worst.speaker.uid), False


def _joined(moment: Moment) -> _Notice:
    event = moment.random.choice((103, 105, 107))
    return 1, event, _member(moment), False


def _left(moment: Moment) -> _Notice:
    event = moment.random.choice((104, 106, 108))
    # 1 left, 2 timed out, 3 kicked through the banning API.
    reason = moment.random.choice((1, 1, 2, 3))
    return 1, event, {**_member(moment), "reason": reason, "duration": moment.segment.offset}, False


def _member(moment: Moment) -> Object:
    speaker = moment.segment.worst.speaker
    return _channel(moment, uid=speaker.uid, platform=1, clientSeq=milliseconds(moment.segment.end))


def _checked(moment: Moment) -> _Notice:
    """The console's health check of a receiver's address."""
    return (
        1,
        103,
        {"channelName": "test_webhook", "ts": int(moment.sent), "uid": 12121212, "platform": 1},
        False,
    )


_KINDS: dict[Kind, int] = {
    started: 3,
    stopped: 2,
    failed: 2,
    _exited: 1,
    fatal: 1,
    _uploaded: 2,
    _created: 2,
    _destroyed: 2,
    _joined: 8,
    _left: 7,
    _checked: 1,
}
_NOTICES = tuple(_KINDS)
_WEIGHTS = tuple(_KINDS.values())
