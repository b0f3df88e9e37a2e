"""Agora's RTC video moderation: one JSON callback a screenshot, judged porn, sexy or neutral.

The layout is the one that Agora documents for its content moderation callback, whose file name carries what the fields
may lack: `<prefix>/<yyyymmdd>/<sid>_<cname>__uid_s_<uid>__uid_e_<type>_<utc>.jpg`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from moderato.records import Category, Evidence, Label, Media
from normalize.mappings import agora_query
from normalize.payload import (
    Json,
    Object,
    an_object,
    as_code,
    as_id,
    as_int,
    as_ratio,
    as_text,
    object_in,
    parse_json,
)
from normalize.reading import Raw, Reading
from normalize.scale import FAIL_SAFE, Candidate, Judgement

_COMPLETE = 200
_SUPERVISED = "supervise complete"  # class supervision: a picture was taken, nothing was judged
_UID_STARTS = "__uid_s_"
_UID_ENDS = "__uid_e_"
_SID_LENGTH = 32
_HEX = frozenset("0123456789abcdefABCDEF")
_UTC_LENGTH = 17  # yyyyMMddHHmmssSSS


@dataclass(frozen=True, slots=True)
class _Picture:
    """What a screenshot's file name tells. `taken` is epoch seconds."""

    sid: str | None = None
    channel: str | None = None
    uid: str | None = None
    taken: float | None = None


def read(raw: Raw, out: Reading) -> None:
    """One verdict, or nothing for class supervision. Raises Unreadable."""
    content = an_object(parse_json(raw.body), "the callback")
    if "suggestion" not in content and agora_query.is_answer(content):
        agora_query.read(content, out)
        return
    results = object_in(content, "results") or object_in(content, "result") or {}
    judged = content.get("code") is None or as_int(content["code"]) == _COMPLETE
    if judged and not results and as_code(content.get("msg")) == _SUPERVISED:
        return
    label = _label(object_in(results, "porn") or {}, out)
    path = as_text(content.get("object"))
    picture = _picture(path)
    out.verdict(
        _judgement(content, label, out) if judged else FAIL_SAFE,
        media=Media.IMAGE,
        task_id=picture.sid,
        room=as_id(content.get("channelName")) or _echoed(content.get("callbackParam")) or picture.channel,
        user=as_id(content.get("userId")) or picture.uid,
        labels=() if label is None else (label,),
        evidence=() if path is None else (Evidence(path, "image"),),
        occurred=_taken(content.get("timestamp")) if picture.taken is None else picture.taken,
    )


def _judgement(content: Object, label: Label | None, out: Reading) -> Judgement:
    decision = out.table.decision("suggestion", content.get("suggestion"))
    if decision is None:
        out.dead_letter("suggestion is none of pass, review, block")
        return FAIL_SAFE
    if label is None:
        return out.judge(decision, ())
    category = out.table.category("scene", as_code(label.code))
    return out.judge(decision, (Candidate(category, label.confidence),))


def _label(porn: Object, out: Reading) -> Label | None:
    """The class that won, with its probability."""
    scene = porn.get("scene")
    code = as_code(scene)
    outputs = object_in(porn, "outputs") or {}
    if code is None:
        return None
    category = out.table.category("scene", code) or Category.OTHER
    return Label(as_id(scene) or code, category, confidence=_probability(outputs, code))


def _probability(outputs: Mapping[str, Json], code: str) -> float | None:
    if code in outputs:
        return as_ratio(outputs[code])
    # One of Agora's own samples writes "Neutral".
    return next((as_ratio(value) for name, value in outputs.items() if as_code(name) == code), None)


def _echoed(callback_param: Json) -> str | None:
    """The channel in `callbackParam`, which is ours to choose: of any kind, and usually `{"cname": …}`."""
    return as_id(callback_param.get("cname")) if isinstance(callback_param, dict) else None


def _picture(path: str | None) -> _Picture:
    if path is None:
        return _Picture()
    name = path.rpartition("/")[2]
    # A channel name may hold `_` and even the markers: the last ones are Agora's.
    front, ends, tail = name.rpartition(_UID_ENDS)
    stem, starts, uid = front.rpartition(_UID_STARTS)
    sid, _, channel = (stem if starts else name).partition("_")
    if len(sid) != _SID_LENGTH or not _HEX.issuperset(sid):
        sid = channel = ""
    return _Picture(
        sid=sid or None,
        channel=(starts and channel) or None,
        uid=(starts and uid) or None,
        taken=_taken(tail.rpartition("_")[2].partition(".")[0]) if ends else None,
    )


def _taken(utc: Json) -> float | None:
    """yyyyMMddHHmmssSSS in UTC -> epoch seconds. As a number it is above 2**53: never read it as a float."""
    digits = str(as_int(utc))
    if len(digits) != _UTC_LENGTH:
        return None
    year, rest = int(digits[:4]), digits[4:]
    month, day, hour, minute, second = (int(rest[place : place + 2]) for place in range(0, 10, 2))
    try:
        return datetime(year, month, day, hour, minute, second, int(rest[10:]) * 1000, UTC).timestamp()
    except ValueError:
        return None
