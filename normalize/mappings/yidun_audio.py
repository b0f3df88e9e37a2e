"""NetEase Yidun's live audio check: pushes (a form whose `callbackData` is JSON) and polled records (that JSON).

The layouts of `callbackData`, of which Yidun documents none literally for a push:

- v4: `{antispam: {…, evidences | reviewEvidences}, asr, language, voice, quality, llmCheckInfo}`
- v3: `{antispam: [item, …], asr: […]}`; v2 and v3 also as flat items with `evidences` or `reviewEvidences`
- v1: flat items `{asrStatus, asrResult, action, segments | labels}`
- arrays of any of these
"""

from collections.abc import Callable

from moderato.records import SignalKind
from normalize.mappings import yidun
from normalize.mappings.yidun import Task
from normalize.payload import (
    Json,
    Object,
    Unreadable,
    a_list,
    as_id,
    as_int,
    as_text,
    looks_like_json,
    object_in,
    parse_form,
    parse_json,
)
from normalize.reading import Raw, Reading

_RESULT_FIELDS = ("suggestion", "action", "asrStatus", "segments", "labels")
_ITEM_FIELDS = ("evidences", "reviewEvidences", *_RESULT_FIELDS)
_SILENT_BLOCKS = ("language", "voice", "llmCheckInfo")
_ENDED = (0, 1)
# 1 download failed, 2 stream absent; 3 parse failed and 4 format error are not the stream's fault. Yidun's table for
# recorded audio and the live wall numbers them otherwise.
_UNREACHABLE = frozenset((1, 2))
_NO_TASK = Task()


def read(raw: Raw, out: Reading) -> None:
    payload = _payload(raw.body)
    for record in payload if isinstance(payload, list) else (payload,):
        yidun.guarded(record, "a record", out, _task_of_record(record), _record)


def _payload(body: bytes) -> Json:
    if not looks_like_json(body):
        text = parse_form(body).get("callbackData")
        if text is None:
            raise Unreadable("neither JSON nor a form with callbackData")
        return parse_json(text)
    payload = parse_json(body)
    if isinstance(payload, dict):
        if "callbackData" in payload:
            data = payload["callbackData"]
            return parse_json(data) if isinstance(data, str) else data
        if "result" in payload and "code" in payload:  # the poll's whole answer
            return payload["result"]
    return payload


def _record(record: Object, out: Reading, task: Task) -> None:
    known = _blocks(record, "antispam", out, task, _item)
    known |= _blocks(record, "asr", out, task, _transcript)
    known |= _blocks(record, "quality", out, task, _quality)
    for name in _SILENT_BLOCKS:
        known |= _blocks(record, name, out, task, _nothing)
    if known:
        return
    if all(record.get(name) is None for name in _ITEM_FIELDS):
        raise Unreadable("none of Yidun's blocks in a record")
    _item(record, out, task)


def _blocks(
    record: Object, name: str, out: Reading, task: Task, read_block: Callable[[Object, Reading, Task], None]
) -> bool:
    """Reads the block, or each of its blocks, and says whether there is one. v3 has arrays where v4 has objects."""
    value = record.get(name)
    if value is None:
        return False
    if isinstance(value, dict):
        read_block(value, out, _task_of(value, task))
    else:
        for block in a_list(value, name):
            yidun.guarded(block, f"an element of {name}", out, _task_of(block, task), read_block)
    return True


def _item(item: Object, out: Reading, task: Task) -> None:
    evidences = object_in(item, "evidences")
    review = object_in(item, "reviewEvidences")
    if evidences is None and review is None and any(item.get(name) is not None for name in _RESULT_FIELDS):
        evidences = item  # v1
    yidun.failure_signal(item, evidences, out, task, _UNREACHABLE)
    finish = as_int(item.get("finishType"))
    if finish in _ENDED:
        out.signal(SignalKind.TASK_ENDED, task_id=task.id, room=task.room, code=str(finish))
    if evidences is not None:
        judge = yidun.result_judge(item, reviewed=review is not None)
        yidun.result(evidences, out, task, judge, as_id(evidences.get("speakerId")))
    if review is not None:
        yidun.review(
            review,
            out,
            task,
            yidun.review_judge(item),
            as_id(review.get("speakerId")),
            reason="spamType",
            detail="spamDetail",
        )


def _transcript(asr: Object, out: Reading, task: Task) -> None:
    out.signal(
        SignalKind.TRANSCRIPT,
        task_id=task.id,
        segment_id=as_id(asr.get("segmentId")),
        room=task.room,
        user=as_id(asr.get("speakerId")),
        text=as_text(asr.get("content")),
        span=yidun.span_of(asr, "startTime", "endTime"),
    )


def _quality(quality: Object, out: Reading, task: Task) -> None:
    details = object_in(quality, "details")
    if details is not None and details.get("silent") is True:
        out.signal(
            SignalKind.NO_SPEECH,
            task_id=task.id,
            room=task.room,
            user=as_id(quality.get("speakerId")),
            span=yidun.span_of(quality, "startTime", "endTime"),
        )


def _nothing(block: Object, out: Reading, task: Task) -> None:
    """Language, age and gender of the voice, and a language model's second opinion: facts that judge nobody."""


def _task_of_record(record: Json) -> Task:
    """The task that all blocks of a v4 record belong to; only some of them echo the callback."""
    if not isinstance(record, dict):
        return _NO_TASK
    antispam = record.get("antispam")
    return _task_of(antispam if isinstance(antispam, dict) else record, _NO_TASK)


def _task_of(block: Json, default: Task) -> Task:
    if not isinstance(block, dict):
        return default
    task_id = as_id(block.get("taskId")) or default.id
    room = default.room
    if room is None or block.get("callback") is not None:
        room = _echoed_room(block.get("callback")) or room
    return Task(task_id, room)


def _echoed_room(callback: Json) -> str | None:
    """`room` of the text that was given with the submission, when that was JSON."""
    if isinstance(callback, str):
        if "{" not in callback:
            return None
        try:
            callback = parse_json(callback)
        except Unreadable:
            return None
    return as_id(callback.get("room")) if isinstance(callback, dict) else None
