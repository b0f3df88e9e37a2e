"""What NetEase Yidun's live audio check and Yunxin's bundled moderation share: results, people's decisions, labels.

Field names and codes are those of Yidun's live audio documents and SDKs (v1 to v4); see `yidun_audio` for the layouts.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from moderato.records import Category, Decision, Evidence, Judge, Label, Media, SignalKind, Span
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
    object_in,
    objects_in,
)
from normalize.reading import Reading
from normalize.scale import Candidate, VendorTable

_PEOPLE: dict[int | None, Judge] = {0: Judge.VENDOR_HUMAN, 1: Judge.CUSTOMER_HUMAN}
_ASR_CHECKING = 2
_ASR_FAILED = 4
_MACHINE_CHECK_ENDED = 10
_DEEPER_LABELS = ("secondLabel", "thirdLabel")
_SUB_LABELS = ("subLabel", *_DEEPER_LABELS)
_FIRST_EPOCH = 1e9  # seconds: a smaller time is an offset into the stream, no date


class Task(NamedTuple):
    """The moderation task that a block belongs to, and the room that it watches."""

    id: str | None = None
    room: str | None = None


class Labels(NamedTuple):
    """The labels of one result: those that may win, all that were sent, and the words that were hit."""

    candidates: Sequence[Candidate]
    sent: Sequence[Label]
    keywords: Sequence[str]
    highest_level: int | None


def guarded(
    value: Json, what: str, out: Reading, task: Task, read: Callable[[Object, Reading, Task], None]
) -> None:
    """Reads one element; when it is unreadable, its own fail-safe verdict takes the place of all that it gave."""
    verdicts, signals, faults = len(out.verdicts), len(out.signals), len(out.faults)
    try:
        read(an_object(value, what), out, task)
    except Unreadable as error:
        del out.verdicts[verdicts:], out.signals[signals:], out.faults[faults:]
        out.fail_safe(str(error), media=Media.AUDIO, task_id=task.id, room=task.room)


def result_judge(item: Object, *, reviewed: bool) -> Judge:
    """Who decided `evidences`. Beside `reviewEvidences` it is the machine: `censorSource` then tells of the review."""
    return Judge.MACHINE if reviewed else _PEOPLE.get(_censor_source(item), Judge.MACHINE)


def review_judge(item: Object) -> Judge:
    """Who decided `reviewEvidences`: always a person, so that a `censorSource` of machine tells of its neighbour."""
    return _PEOPLE.get(_censor_source(item), Judge.VENDOR_HUMAN)


def result(block: Object, out: Reading, task: Task, judge: Judge, user: str | None) -> None:
    """The verdict of one audio result: v4 `suggestion`, v1 to v3 and Yunxin `action`."""
    suggestion = block.get("suggestion")
    field, word = ("action", block.get("action")) if suggestion is None else ("suggestion", suggestion)
    decision = out.table.decision(field, word)
    asr_status = as_int(block.get("asrStatus"))
    if asr_status == _ASR_FAILED and decision in (None, Decision.PASS):
        return  # nobody heard it: the signal of the failure says so, and "pass" would claim the contrary
    labels = read_labels(block, out.table)
    if word is None and asr_status == _ASR_CHECKING and not labels.sent:
        return  # with labels something was found, whatever the status says
    segment_id = as_id(block.get("segmentId"))
    span = span_of(block, "startTime", "endTime")
    if decision is None:
        out.fail_safe(
            f"{field} is {'missing' if word is None else 'unknown'} in a result",
            media=Media.AUDIO,
            task_id=task.id,
            segment_id=segment_id,
            room=task.room,
            user=user,
            occurred=epoch_end(span),
        )
        return
    url = as_text(block.get("url"))
    out.verdict(
        out.judge(
            decision,
            labels.candidates,
            machine=judge is Judge.MACHINE,
            suspect_low=as_int(block.get("suggestionLevel")) == 1,
        ),
        media=Media.AUDIO,
        task_id=task.id,
        segment_id=segment_id,
        room=task.room,
        user=user,
        labels=labels.sent,
        judge=judge,
        text=as_text(block.get("content")),
        keywords=labels.keywords,
        evidence=(Evidence(url, "audio"),) if url else (),
        span=span,
    )


def review(
    block: Object,
    out: Reading,
    task: Task,
    judge: Judge,
    user: str | None,
    *,
    reason: str,
    detail: str,
    media: Media = Media.AUDIO,
    evidence: Sequence[Evidence] = (),
) -> None:
    """A person's decision. `reason` and `detail` name the fields that hold the code and the words of its reason."""
    occurred = seconds(block.get("actionTime"))
    action = block.get("action")
    if as_int(action) == _MACHINE_CHECK_ENDED:
        out.signal(
            SignalKind.TASK_ENDED,
            task_id=task.id,
            room=task.room,
            code=str(_MACHINE_CHECK_ENDED),
            occurred=occurred,
        )
        return
    people = out.table.peoples("reviewEvidences", action)
    if people is None:
        out.fail_safe(
            f"action is {'missing' if action is None else 'unknown'} in reviewEvidences",
            media=media,
            task_id=task.id,
            room=task.room,
            user=user,
            occurred=occurred,
        )
        return
    code = as_code(block.get(reason))
    category = out.table.category("spamType", code)
    labels: list[Label] = []
    if code is not None:
        labels.append(
            Label(as_id(block[reason]) or code, category or Category.OTHER, as_text(block.get(detail)))
        )
    labels += _censor_labels(block, out.table)
    out.verdict(
        out.judge_people(people, None if code is None else Candidate(category)),
        media=media,
        task_id=task.id,
        room=task.room,
        user=user,
        labels=labels,
        judge=judge,
        evidence=evidence,
        occurred=occurred,
    )


def failure_signal(
    item: Object, block: Object | None, out: Reading, task: Task, unreachable: frozenset[int]
) -> None:
    """The signal of a task that failed: `status` 3 or `failureReason` of the item, or `asrStatus` 4 of its result.

    `unreachable` are the reasons that mean that the stream could not be had; 0 is no reason."""
    failed = as_int(item.get("status")) == 3
    reason = as_int(item.get("failureReason"))
    if block is not None and as_int(block.get("asrStatus")) == _ASR_FAILED:
        failed = True
        reason = reason or as_int(block.get("asrResult"))
    if failed or reason:
        out.signal(
            SignalKind.STREAM_UNREACHABLE if reason in unreachable else SignalKind.TASK_FAILED,
            task_id=task.id,
            room=task.room,
            code=str(reason) if reason else None,
            span=None if block is None else span_of(block, "startTime", "endTime"),
        )


def read_labels(block: Object, table: VendorTable) -> Labels:
    """`label`, `labels[]` (v4, Yunxin's pictures) and `segments[]` (v1 to v3, Yunxin's audio), in that order."""
    entries = objects_in(block, "labels")
    if "segments" in block:
        entries = entries + objects_in(block, "segments")
    codes = [as_code(entry.get("label")) for entry in entries]
    rates: dict[str, float | None] = {}
    sent: list[Label] = []
    keywords: list[str] = []
    primary = as_code(block.get("label"))
    primary_category = table.category("label", primary) or Category.OTHER
    if primary is not None:
        rates[primary] = None
        if primary not in codes:
            sent.append(Label(as_id(block["label"]) or primary, primary_category))
    highest: int | None = None
    for entry, code in zip(entries, codes, strict=True):
        category = primary_category if code == primary else table.category("label", code) or Category.OTHER
        if code is not None:
            rate = as_ratio(entry.get("rate"))
            if rates.get(code) is None:
                rates[code] = rate
            level = as_int(entry.get("level"))
            if level is not None and (highest is None or level > highest):
                highest = level
            sent.append(Label(as_id(entry["label"]) or code, category, None, level, rate))
        _sub_labels(entry, category, sent, keywords)
    _deeper_labels(block, primary_category, sent)
    candidates = [Candidate(table.category("label", code), rate) for code, rate in rates.items()]
    return Labels(candidates, sent, list(dict.fromkeys(keywords)), highest)


def span_of(block: Object, start: str, end: str) -> Span | None:
    """The span between two fields in epoch milliseconds; with one of them, that moment."""
    first, last = seconds(block.get(start)), seconds(block.get(end))
    if last is None:
        last = first
    if last is None:
        return None
    return Span(last if first is None else first, last, "epoch" if last >= _FIRST_EPOCH else "stream")


def epoch_end(span: Span | None) -> float | None:
    """When a span ended, in epoch seconds, for a verdict that does not carry it."""
    return span.end if span is not None and span.clock == "epoch" else None


def seconds(milliseconds: Json) -> float | None:
    """A vendor's milliseconds as seconds; None for anything that is no time."""
    number = as_float(milliseconds)
    return number / 1000 if number is not None and number >= 0 else None


def _censor_source(item: Object) -> int | None:
    return as_int(item.get("censorSource"))


def _deeper_labels(block: Object, category: Category, sent: list[Label]) -> None:
    """The second and third level of the primary label, unless they stand among its sub-labels."""
    for name in _DEEPER_LABELS:
        code = as_id(block.get(name))
        if code is not None and all(label.code != code for label in sent):
            sent.append(Label(code, category))


def _censor_labels(block: Object, table: VendorTable) -> list[Label]:
    """The reviewers' own labels: kept, but it is the reason that decides."""
    labels = []
    for entry in objects_in(block, "censorLabels"):
        sent = as_id(entry.get("code")) or as_id(entry.get("customCode"))
        if sent is not None:
            category = table.category("spamType", as_code(sent)) or Category.OTHER
            labels.append(Label(sent, category, as_text(entry.get("name")) or as_text(entry.get("desc"))))
    return labels


def _sub_labels(entry: Object, category: Category, sent: list[Label], keywords: list[str]) -> None:
    """Labels of the second and third level, with the category of their first, and the words that were hit."""
    hit = as_text(entry.get("evidence"))
    if hit is not None and as_ratio(hit) is None:  # v1: a word, or the score of a voice print
        keywords.append(hit)
    for sub in objects_in(entry, "subLabels"):
        rate = as_ratio(sub.get("rate"))
        codes = [code for name in _SUB_LABELS if (code := as_id(sub.get(name))) is not None]
        if len(codes) > 1:
            codes = list(dict.fromkeys(codes))
        sent += [Label(code, category, None, None, rate) for code in codes]
        details = object_in(sub, "details")
        if details is not None:
            _add_keywords(details, keywords)


def _add_keywords(details: Object, keywords: list[str]) -> None:
    hits: list[Json] = []
    for hit in _listed(details, "hitInfos"):
        # A text in pictures' labels, an object in those of audio.
        hits.append(hit if isinstance(hit, str) else an_object(hit, "an element of hitInfos").get("value"))
    hits += [keyword.get("word") for keyword in objects_in(details, "keywords")]
    hits.append(details.get("evidence"))
    keywords += [hit for hit in hits if as_text(hit) is not None]


def _listed(parent: Object, key: str) -> list[Json]:
    value = parent.get(key)
    return [] if value is None else a_list(value, key)
