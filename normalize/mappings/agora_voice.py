"""Agora's voice moderation, judged by Aliyun: one form callback a stretch of mixed speech.

The fields are those of Aliyun's asynchronous voice scan, one element of its `data[]` as the form field `content`; the
bare JSON of `content` and Agora's answers to `query` are read as well. The channel is mixed, so nobody is named: the
`uid` in `dataId` is the listening bot's.
"""

from moderato.records import Category, Label, Media, SignalKind, Span
from normalize.mappings import agora_query
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
    as_ratio,
    as_text,
    looks_like_json,
    objects_in,
    parse_form,
    parse_json,
)
from normalize.reading import Raw, Reading
from normalize.scale import FAIL_SAFE, Candidate, Judgement

_UNREACHABLE = (480, 592)  # DOWNLOAD_FAILED, DOWNLOAD_TIMEOUT: Aliyun could not pull the stream
_NORMAL = "normal"
_FIRST_EPOCH = 1_000_000_000  # seconds: a smaller time is an offset into the stream, no date


def read(raw: Raw, out: Reading) -> None:
    """A verdict for each of `results[]`, and a signal when `code` is not 2xx. Raises Unreadable."""
    content = an_object(_content(raw.body), "content")
    code = content.get("code")
    if code is None and agora_query.is_answer(content):
        agora_query.read(content, out)
        return
    status = as_int(code)
    if status is None:
        raise Unreadable("code is missing or not a number")
    room = _room(content.get("dataId"))
    task_id = as_id(content.get("taskId"))
    if not 200 <= status < 300:
        out.signal(
            SignalKind.STREAM_UNREACHABLE if status in _UNREACHABLE else SignalKind.TASK_FAILED,
            task_id=task_id,
            room=room,
            code=as_id(code),
            message=as_text(content.get("msg")),
        )
    results = content.get("results")
    for result in a_list(results, "results") if results is not None else ():
        try:
            _result(an_object(result, "an element of results"), out, task_id, room)
        except Unreadable as error:
            out.fail_safe(str(error), media=Media.AUDIO, task_id=task_id, room=room)


def _content(body: bytes) -> Json:
    if looks_like_json(body):
        return parse_json(body)
    content = parse_form(body).get("content")
    if content is None:
        raise Unreadable("neither JSON nor a form with the field content")
    return parse_json(content)


def _room(data_id: Json) -> str | None:
    """The channel named in `dataId`, which is JSON in a string."""
    if type(data_id) is str:
        try:
            data_id = parse_json(data_id)
        except Unreadable:
            return None  # an echo of our own words: a broken one must not hide the judgement beside it
    if not isinstance(data_id, dict):
        return None
    return as_id(data_id.get("channelName")) or as_id(data_id.get("channel"))


def _result(result: Object, out: Reading, task_id: str | None, room: str | None) -> None:
    sentences = objects_in(result, "details")
    heard = [sentence for sentence in sentences if as_code(sentence.get("label")) != _NORMAL] or sentences
    labels = _labels(result, heard, out)
    out.verdict(
        _judgement(result, out),
        media=Media.AUDIO,
        task_id=task_id,
        room=room,
        labels=labels,
        text=" ".join(text for sentence in heard if (text := as_text(sentence.get("text")))) or None,
        keywords=_keywords(sentences),
        span=_span(heard),
    )


def _judgement(result: Object, out: Reading) -> Judgement:
    decision = out.table.decision("suggestion", result.get("suggestion"))
    if decision is None:
        out.dead_letter("suggestion of a result is none of pass, review, block")
        return FAIL_SAFE
    code = as_code(result.get("label"))
    if code is None:
        return out.judge(decision, ())
    return out.judge(decision, (Candidate(out.table.category("label", code), _rate(result)),))


def _labels(result: Object, heard: list[Object], out: Reading) -> list[Label]:
    """The result's own label first, with its rate, then those of the sentences that it does not repeat."""
    labels: dict[str, Label] = {}
    for place in (result, *heard):
        sent = place.get("label")
        code = as_code(sent)
        if code is not None and code not in labels:
            category = out.table.category("label", code) or Category.OTHER
            rate = _rate(result) if place is result else None
            labels[code] = Label(as_id(sent) or code, category, confidence=rate)
    return list(labels.values())


def _rate(result: Object) -> float | None:
    rate = result.get("rate")
    return as_ratio(result.get("score") if rate is None else rate, 100.0)


def _keywords(sentences: list[Object]) -> list[str]:
    words = (as_text(sentence.get("keyword")) for sentence in sentences)
    return list(dict.fromkeys(word for word in words if word))


def _span(heard: list[Object]) -> Span | None:
    """From the first to the last of the sentences. Epoch seconds and offsets are told apart by their size."""
    starts = [start for sentence in heard if (start := as_float(sentence.get("startTime"))) is not None]
    ends = [end for sentence in heard if (end := as_float(sentence.get("endTime"))) is not None]
    if not starts or not ends:
        return None
    start, end = min(starts), max(ends)
    return Span(start, end, "epoch" if start >= _FIRST_EPOCH else "stream")
