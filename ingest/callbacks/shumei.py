"""Shumei's stream callbacks, audio and video: JSON, without a documented Content-Type or signature (Shumei's
documents)."""

from ingest.callbacks.contract import ANY_TEXT, Callback, Delivery, Found
from ingest.callbacks.fields import an_object, as_id, digest


def identify(delivery: Delivery) -> Found:
    """`requestId` is `<task>_<segment>`, or the task's own on its end, which `statCode` tells apart.

    A person's review names a requestId that the machine has used already, and may come more than once."""
    body = an_object(delivery.body)
    request_id = as_id(body.get("requestId"))
    if request_id is None:
        return Found()
    task = request_id.partition("_")[0]
    service = as_id(body.get("serviceId")) or ""
    if service.startswith("POST_"):
        return Found(f"{request_id}:{service}:{digest(delivery.body)}", task)
    stat_code = as_id(body.get("statCode"))
    return Found(request_id if stat_code is None else f"{request_id}:{stat_code}", task)


# The machine's callbacks want status 200 only; those of people's reviews want code 1100 in the body too.
CALLBACK = Callback(accepts=ANY_TEXT, acknowledgement=b'{"code":1100,"message":"success"}', identify=identify)
