"""NetEase Yunxin RTC copy callbacks: JSON of room and member events and of its bundled moderation (Yunxin's
documents and sample server). Their Content-Type is not documented."""

from collections.abc import Mapping

from ingest.callbacks.contract import ANY_TEXT, Callback, Delivery, Found, missing, wrong
from ingest.callbacks.fields import an_object, first_id, object_at
from ingest.signatures import same_digest, yunxin_checksum


def identify(delivery: Delivery) -> Found:
    """No id is documented, so the body's digest is one."""
    body = an_object(delivery.body)
    data = object_at(body, "data") or body
    return Found(task=first_id(data.get("taskId"), data.get("channelId"), data.get("channelName")))


def verify(delivery: Delivery, secrets: Mapping[str, str]) -> None:
    """The header CheckSum, over the body's own MD5: what the header MD5 says does not count."""
    checksum, cur_time = delivery.headers.get("CheckSum"), delivery.headers.get("CurTime")
    if not checksum or not cur_time:
        raise missing("the header CheckSum or CurTime")
    if not same_digest(yunxin_checksum(secrets["app_secret"], delivery.body, cur_time), checksum):
        raise wrong("the header CheckSum")


CALLBACK = Callback(
    accepts=ANY_TEXT,
    acknowledgement=b'{"code":200}',
    identify=identify,
    verify=verify,
    needs=(("app_secret",),),
)
