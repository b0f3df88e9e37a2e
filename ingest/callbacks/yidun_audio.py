"""NetEase Yidun live audio check: a signed form whose `callbackData` is JSON (Yidun's push documents and SDKs).

A polled item is the same JSON without the form, and has the same id."""

from collections.abc import Mapping
from typing import Any

from ingest.callbacks.contract import FORM, FORM_ONLY, Callback, Delivery, Found, missing, wrong
from ingest.callbacks.fields import Object, as_id, content_digest, first_id, parse
from ingest.refusals import Refused
from ingest.signatures import same, same_digest, yidun_signature

_BLOCKS = ("evidences", "reviewEvidences", "asr", "language", "voice", "quality", "llmCheckInfo")


def identify(delivery: Delivery) -> Found:
    """Task, kind, segment, speaker, who judged, and a digest of what was said: a push has no id of its own."""
    data = delivery.body if delivery.is_json else delivery.form.get("callbackData", "").encode()
    result = parse(data)
    item = _first(result)
    core = _first(item.get("antispam")) or item  # version 4 and 3 wrap, version 2 and 1 do not
    blocks = {
        name: block for holder in (core, item) for name in _BLOCKS if (block := _first(holder.get(name)))
    }
    task = first_id(*(holder.get("taskId") for holder in (core, item, *blocks.values())))
    if task is None:
        return Found()
    segment = next(iter(blocks.values()), core)
    parts = (
        task,
        "+".join(blocks) or "result",
        as_id(segment.get("segmentId")) or _span(segment),
        as_id(segment.get("speakerId")) or "",
        as_id(core.get("censorSource")) or "",
        content_digest(result, data),
    )
    return Found(":".join(parts), task)


def _first(value: Any) -> Object:
    """An object, or the first one of an array of them; empty for anything else."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _span(segment: Object) -> str:
    start, end = as_id(segment.get("startTime")), as_id(segment.get("endTime"))
    return f"{start or ''}-{end or ''}" if start or end else ""


def verify(delivery: Delivery, secrets: Mapping[str, str]) -> None:
    """`signature`, over all other fields of the form, and that it is our product's: `secretId`, and `businessId` when
    the setting `business_id` is there."""
    form = delivery.form
    signature = form.get("signature")
    if not signature:
        raise missing("the form field signature")
    if not same(secrets["secret_id"], form.get("secretId", "")):
        raise wrong("the form field secretId")
    business_id = secrets.get("business_id")
    if business_id and not same(business_id, form.get("businessId", "")):
        raise wrong("the form field businessId")
    try:
        expected = yidun_signature(form, secrets["secret_key"])
    except ValueError as error:
        raise Refused("bad_signature", str(error)) from None
    if not same_digest(expected, signature):
        raise wrong("the form field signature")


CALLBACK = Callback(
    accepts=FORM_ONLY,
    acknowledgement=b'{"code":200,"msg":"ok"}',
    identify=identify,
    verify=verify,
    needs=(("secret_id",), ("secret_key",)),
    may=("business_id",),
    content_type=FORM,
)
