"""iFlytek audio compliance: its query's answer, posted. Content-Type, signature and answer are not documented."""

from ingest.callbacks.contract import ANY_TEXT, Callback, Delivery, Found
from ingest.callbacks.fields import an_object, as_id, object_at


def identify(delivery: Delivery) -> Found:
    """`request_id` and `audit_status`, in `data` or without an envelope around it."""
    body = an_object(delivery.body)
    data = object_at(body, "data") or body
    request_id, status = as_id(data.get("request_id")), as_id(data.get("audit_status"))
    return Found(f"{request_id}:{status}" if request_id and status else None, request_id)


CALLBACK = Callback(
    accepts=ANY_TEXT, acknowledgement=b'{"code":"000000","desc":"success"}', identify=identify
)
