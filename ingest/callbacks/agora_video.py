"""Agora RTC video moderation: one JSON object a screenshot, answered with JSON within 5 s (Agora's documents)."""

import re
from collections.abc import Mapping

from ingest.callbacks.contract import JSON_ONLY, Callback, Delivery, Found, missing, wrong
from ingest.callbacks.fields import an_object, as_id
from ingest.signatures import agora_video_checksum, same_digest

# <prefix>/<yyyymmdd>/<sid>_<cname>__uid_s_<uid>__uid_e_<type>_<utc>.jpg
_SID = re.compile(r"[0-9A-Fa-f]{32}(?=_|$)")


def identify(delivery: Delivery) -> Found:
    """`requestId`, one for each screenshot; the task is the session id in the picture's file name."""
    body = an_object(delivery.body)
    file = (as_id(body.get("object")) or "").rpartition("/")[2]
    sid = _SID.match(file)
    return Found(as_id(body.get("requestId")), sid.group() if sid else as_id(body.get("channelName")))


def verify(delivery: Delivery, secrets: Mapping[str, str]) -> None:
    """`checksum`, by the formula that we assume."""
    body = an_object(delivery.body)
    checksum = as_id(body.get("checksum"))
    if checksum is None:
        raise missing("checksum")
    code, name, request_id = (as_id(body.get(field)) or "" for field in ("code", "object", "requestId"))
    if not same_digest(agora_video_checksum(secrets["callback_addr"], code, name, request_id), checksum):
        raise wrong("checksum")


CALLBACK = Callback(
    accepts=JSON_ONLY,
    acknowledgement=b"{}",
    identify=identify,
    verify=verify,
    may=("callback_addr",),
    enforced=False,
)
