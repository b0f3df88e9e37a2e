"""The layout that carries nearly all of Shumei's traffic, read in one pass: a segment of sound in `audioDetail`.

Whatever is out of the ordinary is left to `shumei.read`, which knows every layout and is the reference: property tests
hold both to the same records. What pays is to look at the names of an object once, and to look up by the words of a
label, once, what the tables and the rules make of it.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from moderato.records import Evidence, Label, Media, Span
from moderato.sources import Source
from normalize.mappings.shumei import speaker_in, text_of
from normalize.mappings.shumei_keys import NAMES, opened
from normalize.mappings.shumei_labels import business_labels, risk_labels
from normalize.mappings.shumei_times import LONGEST, span_of
from normalize.payload import Json, Object, Unreadable, as_id
from normalize.reading import Reading
from normalize.scale import Judgement, Tables, VendorTable

_SUCCESS = 1100
_NOTHING: Object = {}
# An ordinary record has documented names only, and none that makes it another layout, the report of a failure or of a
# reviewer, or that brings keywords or pictures.
_TOP = NAMES - {"detail", "videoDetail", "frameDetail", "auxInfo", "serviceId", "pullStreamSuccess"}
_CONTENT = NAMES - {"riskType", "imgUrl", "videoUrl", "matchedItem", "matchedLists", "riskSegments"}
_RISK = NAMES - {"ocrText", "audioUrl", "preAudioUrl", "imgUrl", "matchedLists", "riskSegments"}
_LONGEST_WORDS = 160  # characters of all words of a label that the cache keeps

_Found = tuple[Sequence[Label], Judgement]


def read_segment(top: Object, out: Reading) -> bool:
    """Adds the verdict of an ordinary record. False, and nothing added, when the record is not ordinary."""
    segment, content = top.get("requestId"), top.get("audioDetail")
    if (
        type(segment) is not str
        or not segment
        or type(content) is not dict
        or top.get("code") != _SUCCESS
        or top.get("statCode") not in (None, 0)
        or content.get("allLabels")
        or not _TOP.issuperset(top)
        or not _CONTENT.issuperset(content)
    ):
        return False
    aux, params = content.get("auxInfo"), top.get("requestParams", _NOTHING)
    risk = content.get("riskDetail", _NOTHING)
    if (
        type(aux) is not dict
        or type(params) is not dict
        or type(risk) is not dict
        or not _RISK.issuperset(risk)
    ):
        return False
    aux, params = opened(aux, "auxInfo"), opened(params, "requestParams")
    room = as_id(aux.get("room")) or as_id(params.get("room"))
    found = _found(content, out)
    if room is None or found is None:
        return False
    try:
        tags = business_labels(content)
    except Unreadable:
        return False
    labels, judgement = found
    span, end = _span(aux.get("audioStartTime"), aux.get("audioEndTime"), out.zone) or span_of(
        Media.AUDIO, (aux, risk, content), out.zone
    )
    out.verdict(
        judgement,
        media=Media.AUDIO,
        task_id=segment.partition("_")[0],
        segment_id=segment,
        room=room,
        user=speaker_in(aux),
        account=as_id(params.get("tokenId")),
        labels=(*labels, *tags),
        text=text_of(content, risk, _NOTHING),
        evidence=_sounds(content),
        span=span,
        occurred=end,
    )
    return True


def _found(content: Object, out: Reading) -> _Found | None:
    """The risk labels of a content and the judgement on them; None when its words are not all there."""
    get: Callable[[str], Any] = content.get
    words = (
        get("riskLevel"),
        get("riskLabel1"),
        get("riskLabel2"),
        get("riskLabel3"),
        get("riskDescription"),
    )
    try:
        length = len("".join(words))
    except TypeError:
        return None
    return _judged(*words, out.tables, out.table, out.raw.source) if length <= _LONGEST_WORDS else None


@lru_cache(maxsize=4096)
def _judged(
    level: str,
    label1: str,
    label2: str,
    label3: str,
    description: str,
    tables: Tables,
    table: VendorTable,
    source: Source,
) -> _Found | None:
    decision = table.decision("riskLevel", level)
    if decision is None or not (label1 or description):
        return None
    record = {
        "riskLabel1": label1,
        "riskLabel2": label2,
        "riskLabel3": label3,
        "riskDescription": description,
    }
    labels, candidates = risk_labels(record, decision, table, "riskType", listed=False)
    return labels, tables.judge(source, decision, candidates)


def _span(start: Json, end: Json, zone: ZoneInfo) -> tuple[Span, float] | None:
    if type(start) is str and type(end) is str and len(start) <= LONGEST and len(end) <= LONGEST:
        return _cached_span(start, end, zone)
    return None


@lru_cache(maxsize=4096)
def _cached_span(start: str, end: str, zone: ZoneInfo) -> tuple[Span, float] | None:
    """None when either is no time: another place may have one. Cached as the times themselves are."""
    span, moment = span_of(Media.AUDIO, ({"audioStartTime": start, "audioEndTime": end},), zone)
    return (span, moment) if span is not None and moment is not None else None


def _sounds(content: Object) -> tuple[Evidence, ...]:
    urls = content.get("audioUrl"), content.get("preAudioUrl")
    return tuple([Evidence(url, "audio") for url in urls if type(url) is str and url])
