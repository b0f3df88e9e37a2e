"""Shumei's human review: a reviewer's decision about a live stream, or about one piece of static content."""

from moderato.records import Evidence, Judge, Media
from normalize.mappings.shumei_keys import opened_all, opened_in
from normalize.payload import Object, Unreadable, as_code, as_id, as_int, as_text
from normalize.reading import Reading

# serviceId in small letters -> which of the reviewers' tables, and what was reviewed.
_SERVICES = {
    "post_audiostream": ("live", Media.AUDIO),
    "post_videostream": ("live", Media.IMAGE),
    "post_text": ("static", Media.TEXT),
    "post_img": ("static", Media.IMAGE),
    "post_audio": ("static", Media.AUDIO),
    "post_video": ("static", Media.IMAGE),
}
_TARGET_USER = 1


def read_review(top: Object, segment: str | None, task: str | None, out: Reading) -> None:
    """One verdict of a reviewer, or a fail-safe one for an operation that no document names."""
    service = as_code(top.get("serviceId"))
    if service not in _SERVICES:
        raise Unreadable("serviceId is none of Shumei's")
    field, media = _SERVICES[service]
    result = opened_in(top, "result") or {}
    data = opened_in(top, "data") or {}
    room, account = as_id(data.get("room")), as_id(data.get("tokenId"))
    user = account if as_int(result.get("target")) == _TARGET_USER else None
    people = out.table.peoples(field, result.get("operation"))
    if people is None:
        out.fail_safe(
            "result.operation is none of Shumei's",
            media=media,
            task_id=task,
            segment_id=segment,
            room=room,
            user=user,
            account=account,
        )
        return
    out.verdict(
        out.judge_people(people, None),
        media=media,
        task_id=task,
        segment_id=segment,
        room=room,
        user=user,
        account=account,
        judge=Judge.VENDOR_HUMAN,
        evidence=_evidence(opened_in(result, "evidences") or {}),
    )


def _evidence(evidences: Object) -> list[Evidence]:
    found = [(as_text(item.get("imgUrl")), "image") for item in opened_all(evidences, "frameDetail")]
    found += [(as_text(item.get("audioUrl")), "audio") for item in opened_all(evidences, "audioDetail")]
    return [Evidence(url, kind) for url, kind in found if url]
