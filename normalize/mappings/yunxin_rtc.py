"""NetEase Yunxin's RTC copies: `{eventType, data}`. Events 400 and 401 are results of its bundled moderation (Yidun
behind Yunxin), 1, 2, 4 and 5 tell of rooms and members; all others are none of Moderato's business.

Fields as in Yunxin's documents and in NetEase's public sample server, which alone names those of the room events."""

from moderato.records import Evidence, Judge, Media, SignalKind
from normalize.mappings import yidun
from normalize.mappings.yidun import Task
from normalize.payload import (
    Json,
    Object,
    Unreadable,
    a_list,
    an_object,
    as_code,
    as_float,
    as_id,
    as_int,
    as_text,
    object_in,
    parse_json,
)
from normalize.reading import Raw, Reading

_MODERATION = ("400", "401")
_ROOM_EVENTS = {
    "1": SignalKind.ROOM_CREATED,
    "2": SignalKind.ROOM_CLOSED,
    "4": SignalKind.USER_JOINED,
    "5": SignalKind.USER_LEFT,
}
_STATUS_ENDED = 102
# 2 download failed, 4 stream absent in the live wall's own table, by which the bundled moderation runs.
_UNREACHABLE = frozenset((2, 4))
_FIRST_MILLISECONDS = 1e11  # as seconds a date after the year 5138


def read(raw: Raw, out: Reading) -> None:
    body = an_object(parse_json(raw.body), "the body")
    event = as_code(body.get("eventType")) or as_code(body.get("type"))
    if event is None:
        raise Unreadable("no eventType")
    if event in _MODERATION:
        data = body.get("data")
        yidun.guarded(data, "data", out, _task_of(data), _moderation)
    elif event in _ROOM_EVENTS:
        _room_event(event, body, out)


def _moderation(data: Object, out: Reading, task: Task) -> None:
    evidences = object_in(data, "evidences") or {}
    review = object_in(data, "reviewEvidences")
    judge = yidun.result_judge(data, reviewed=review is not None)
    # An empty object is what the vendor's serializer leaves of a medium that was not judged.
    audio = object_in(evidences, "audio")
    if audio:
        yidun.failure_signal({}, audio, out, task, _UNREACHABLE)
        yidun.result(audio, out, task, judge, as_id(audio.get("uid")))
    video = object_in(evidences, "video")
    if video:
        _picture(video, out, task, judge)
    if review is not None:
        _review(data, review, out, task)
    if as_int(data.get("status")) == _STATUS_ENDED:
        out.signal(SignalKind.TASK_ENDED, task_id=task.id, room=task.room, code=str(_STATUS_ENDED))


def _picture(video: Object, out: Reading, task: Task, judge: Judge) -> None:
    """A picture has no action of its own: its gravest label's level decides."""
    labels = yidun.read_labels(video, out.table)
    shot = object_in(video, "evidence") or {}
    decision = out.table.decision("level", labels.highest_level)
    span = yidun.span_of(shot, "beginTime", "endTime")
    user = as_id(shot.get("uid"))
    if decision is None:
        level = "no" if labels.highest_level is None else "an unknown"
        out.fail_safe(
            f"{level} level in the labels of a picture",
            media=Media.IMAGE,
            task_id=task.id,
            room=task.room,
            user=user,
            occurred=yidun.epoch_end(span),
        )
        return
    url = as_text(shot.get("url"))
    out.verdict(
        out.judge(decision, labels.candidates, machine=judge is Judge.MACHINE),
        media=Media.IMAGE,
        task_id=task.id,
        room=task.room,
        user=user,
        labels=labels.sent,
        judge=judge,
        keywords=labels.keywords,
        evidence=(Evidence(url, "image"),) if url else (),
        span=span,
    )


def _review(data: Object, review: Object, out: Reading, task: Task) -> None:
    snapshots = _snapshots(review)
    yidun.review(
        review,
        out,
        task,
        yidun.review_judge(data),
        as_id(review.get("uid")),
        reason="label",
        detail="detail",
        media=Media.IMAGE if snapshots else Media.AUDIO,
        evidence=snapshots,
    )


def _snapshots(review: Object) -> list[Evidence]:
    """The pictures that a reviewer kept: `{snapshot}` in the vendor's sample server, no document says more."""
    shots = review.get("evidence")
    found = []
    for shot in [] if shots is None else a_list(shots, "evidence"):
        url = as_text(shot.get("snapshot") or shot.get("url") if isinstance(shot, dict) else shot)
        if url is not None:
            found.append(Evidence(url, "image"))
    return found


def _room_event(event: str, body: Object, out: Reading) -> None:
    data = body.get("data")
    if not isinstance(data, dict):
        out.dead_letter(f"data of event {event} is not an object")
        return
    out.signal(
        _ROOM_EVENTS[event],
        room=as_id(data.get("channelName")) or as_id(data.get("channelId")),
        user=as_id(data.get("uid")) or as_id(data.get("user")) or as_id(data.get("accid")),
        code=event,
        occurred=_moment(data.get("timestamp")),
    )


def _moment(timestamp: Json) -> float | None:
    """A timestamp whose unit no document gives, in seconds."""
    number = as_float(timestamp)
    return number if number is None or number < _FIRST_MILLISECONDS else number / 1000


def _task_of(data: Json) -> Task:
    if not isinstance(data, dict):
        return Task()
    return Task(as_id(data.get("taskId")), as_id(data.get("channelName")))
