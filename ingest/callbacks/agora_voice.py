"""Agora channel audio moderated by Aliyun: a form of `checksum` and `content` (Aliyun's notification documents)."""

from collections.abc import Mapping

from ingest.callbacks.contract import FORM, FORM_ONLY, Callback, Delivery, Found, missing, wrong
from ingest.callbacks.fields import an_object, as_id, digest, first_id
from ingest.signatures import aliyun_checksum, room_seed, same_digest


def identify(delivery: Delivery) -> Found:
    """Task id and a digest of `content`: one task has many results and they carry no id of their own."""
    if delivery.is_json:
        body = an_object(delivery.body)
        if isinstance(content := body.get("content"), str):
            return _of_content(content)
        return Found(task=first_id(body.get("taskId"), body.get("sid")))
    return _of_content(delivery.form.get("content", ""))


def _of_content(content: str) -> Found:
    task = as_id(an_object(content).get("taskId"))
    return Found(f"{task}:{digest(content.encode())}", task) if task else Found()


def verify(delivery: Delivery, secrets: Mapping[str, str]) -> None:
    """`checksum`, over the form value `content` as it came. The seed is one for all rooms, or made from the room's
    name with `seed_key`."""
    checksum, content = delivery.form.get("checksum"), delivery.form.get("content")
    if not checksum or content is None:
        raise missing("the form field checksum or content")
    seed = secrets.get("seed") or room_seed(secrets["seed_key"], _channel(content))
    if not same_digest(aliyun_checksum(secrets["uid"], seed, content), checksum):
        raise wrong("the form field checksum")


def _channel(content: str) -> str:
    data_id = an_object(content).get("dataId")
    names = an_object(data_id) if isinstance(data_id, str) else {}
    # Agora's documents say `channel`, what is seen in production says `channelName`.
    return first_id(names.get("channelName"), names.get("channel")) or ""


CALLBACK = Callback(
    accepts=FORM_ONLY,
    acknowledgement=b"{}",
    identify=identify,
    verify=verify,
    needs=(("uid",), ("seed", "seed_key")),
    content_type=FORM,
)
