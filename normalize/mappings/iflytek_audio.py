"""iFlytek's audio compliance: the answer to a query, for a request of up to ten audio files.

What is posted to `notify_url` is not documented; it is read as the query's answer, with or without its envelope of
`code`, `desc` and `data`. Neither a room nor a speaker is in it: both come from the session's token.
"""

import math
from collections.abc import Sequence

from moderato.records import Category, Decision, Evidence, Label, Media, SignalKind, Span
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
    objects_in,
    parse_json,
)
from normalize.reading import Raw, Reading
from normalize.scale import FAIL_SAFE, Candidate, Judgement

_SUCCESS = 0  # "000000"
_NOT_READY = (0, 1)  # audit_status: waiting, being moderated
_DONE = 2
_FAILED = 4


def read(raw: Raw, out: Reading) -> None:
    """Verdicts file by file: each segment, then the file. Raises Unreadable."""
    answer = an_object(parse_json(raw.body), "the answer")
    data = object_in(answer, "data")
    if data is None:
        data = answer
    code = as_id(answer.get("code"))
    if code is None and data.get("audit_status") is None:
        raise Unreadable("neither audit_status nor code")
    status = as_int(data.get("audit_status"))
    refused = code is not None and as_int(code) != _SUCCESS
    listed = data.get("result_list")
    files = [] if listed is None else a_list(listed, "result_list")
    task_id = as_id(data.get("request_id"))
    if refused or status == _FAILED:
        out.signal(
            SignalKind.TASK_FAILED,
            task_id=task_id,
            user=raw.user,
            code=code if refused else str(_FAILED),
            message=as_text(answer.get("desc")) if refused else None,
        )
        _unjudged(files, out, task_id, "the vendor could not moderate it", unreadable=False)
    elif status == _DONE:
        for file in files:
            _file(file, out, task_id)
    elif status not in _NOT_READY:
        _unjudged(files, out, task_id, "audit_status is none of 0, 1, 2, 4", unreadable=True)


def _unjudged(
    files: Sequence[Json], out: Reading, task_id: str | None, reason: str, *, unreadable: bool
) -> None:
    """The fail-safe verdict of every file that is known, or of the request."""
    named = [name for file in files if (name := _name(file))]
    for name in named or (None,):
        out.fail_safe(
            reason,
            media=Media.AUDIO,
            task_id=task_id,
            user=out.raw.user,
            file=name,
            final=True,
            unreadable=unreadable,
        )


def _name(file: Json) -> str | None:
    return as_id(file.get("name")) if isinstance(file, dict) else None


def _file(file: Json, out: Reading, task_id: str | None) -> None:
    try:
        detail = object_in(an_object(file, "an element of result_list"), "detail") or {}
        # All containers before the first verdict: half a file's segments would look like the whole of it.
        segments = [
            (segment, objects_in(segment, "category_list")) for segment in objects_in(detail, "audios")
        ]
    except Unreadable as error:
        _unjudged([file], out, task_id, str(error), unreadable=True)
        return
    name = _name(file)
    labels: dict[str, Label] = {}
    suspects: list[Candidate] = []
    for segment, categories in segments:
        candidates = _candidates(categories, out)
        judgement = _judgement(segment, candidates, out)
        sent = _labels(categories, out)
        _segment(segment, categories, judgement, sent, out, task_id, name)
        for label in sent:
            labels.setdefault(label.code, label)
        if judgement.decision is not Decision.PASS:
            suspects += candidates
    out.verdict(
        _judgement(file, suspects, out),
        media=Media.AUDIO,
        task_id=task_id,
        user=out.raw.user,
        file=name,
        labels=tuple(labels.values()),
        final=True,
    )


def _segment(
    segment: Object,
    categories: list[Object],
    judgement: Judgement,
    labels: Sequence[Label],
    out: Reading,
    task_id: str | None,
    name: str | None,
) -> None:
    offset = _offset(segment.get("offsetTime"))
    url = as_text(segment.get("audio_url"))
    out.verdict(
        judgement,
        media=Media.AUDIO,
        task_id=task_id,
        segment_id=None if name is None or offset is None else f"{name}#{offset}",
        user=out.raw.user,
        file=name,
        labels=labels,
        text=as_text(segment.get("content")),
        keywords=_keywords(categories),
        evidence=() if url is None else (Evidence(url, "audio"),),
        span=_span(segment),
    )


def _judgement(part: Object, candidates: Sequence[Candidate], out: Reading) -> Judgement:
    """Of a segment or of a file, by its own `suggest`."""
    decision = out.table.decision("suggest", part.get("suggest"))
    if decision is None:
        out.dead_letter("suggest is none of pass, review, block")
        return FAIL_SAFE
    return out.judge(decision, candidates)


def _candidates(categories: list[Object], out: Reading) -> list[Candidate]:
    return [
        Candidate(out.table.category("category", code))
        for category in categories
        if (code := as_code(category.get("category"))) is not None
        and out.table.decision("suggest", category.get("suggest")) is not Decision.PASS
    ]


def _labels(categories: list[Object], out: Reading) -> list[Label]:
    return [
        Label(
            as_id(category["category"]) or code,
            out.table.category("category", code) or Category.OTHER,
            as_text(category.get("category_description")),
        )
        for category in categories
        if (code := as_code(category.get("category"))) is not None
    ]


def _keywords(categories: list[Object]) -> list[str]:
    """`word_list` is a string in the vendor's table and a list in its sample."""
    found: list[str] = []
    for category in categories:
        words = category.get("word_list")
        found += [
            word for word in (words if isinstance(words, list) else [words]) if type(word) is str and word
        ]
    return list(dict.fromkeys(found))


def _offset(value: Json) -> str | None:
    """Seconds as digits when they are whole, else as they were sent."""
    number = as_int(value)
    return as_id(value) if number is None else str(number)


def _span(segment: Object) -> Span | None:
    start = as_float(segment.get("offsetTime"))
    duration = as_float(segment.get("duration"))
    if start is None or duration is None or not math.isfinite(start + duration):
        return None
    return Span(start, start + duration, "stream")
