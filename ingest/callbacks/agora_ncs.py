"""Agora's notification service: JSON events about moderation tasks, channels and users (Agora's documents)."""

from collections.abc import Mapping
from typing import Literal

from ingest.callbacks.contract import JSON_ONLY, Callback, Delivery, Found, missing, wrong
from ingest.callbacks.fields import an_object, as_id, first_id, object_at
from ingest.signatures import ncs_hmac, same_digest

_HEADERS: tuple[tuple[str, Literal["sha256", "sha1"]], ...] = (
    ("Agora-Signature-V2", "sha256"),
    ("Agora-Signature", "sha1"),
)


def identify(delivery: Delivery) -> Found:
    """`noticeId`, which stays the same when a notice is sent again; `notifyMs` does not."""
    body = an_object(delivery.body)
    payload = object_at(body, "payload")
    sid = as_id(payload.get("sid"))
    task = sid or first_id(payload.get("channelName"), payload.get("cname"))
    place = (sid, as_id(payload.get("sequence")), as_id(body.get("eventType")))
    return Found(as_id(body.get("noticeId")) or _joined(place), task)


def _joined(parts: tuple[str | None, ...]) -> str | None:
    found = [part for part in parts if part]
    return ":".join(found) if len(found) == len(parts) else None


def verify(delivery: Delivery, secrets: Mapping[str, str]) -> None:
    """The stronger of the two signatures that came."""
    for header, digest in _HEADERS:
        if given := delivery.headers.get(header):
            if not same_digest(ncs_hmac(secrets["secret"], delivery.body, digest), given):
                raise wrong(f"the header {header}")
            return
    raise missing("the header Agora-Signature-V2")


CALLBACK = Callback(
    accepts=JSON_ONLY, acknowledgement=b"{}", identify=identify, verify=verify, needs=(("secret",),)
)
