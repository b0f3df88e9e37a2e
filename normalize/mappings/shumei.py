"""Shumei's callbacks: what its audio streams and its video streams share.

One record comes in one of these layouts (Shumei's documents, v2 to v5):

- nested: `audioDetail` or `frameDetail`, at the top or (v5, several of them) in `videoDetail`;
- flat: the judgement at the top (an early v4), or in `detail` under a riskLevel at the top (v2 audio, v3 video);
- the end of a stream: `statCode` 1 without either detail;
- a reviewer's decision: `serviceId` (see `shumei_review`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from moderato.records import Evidence, Media, SignalKind
from normalize.mappings.shumei_keys import opened, opened_all, opened_in
from normalize.mappings.shumei_labels import business_labels, is_labelled, risk_labels
from normalize.mappings.shumei_review import read_review
from normalize.mappings.shumei_times import span_of
from normalize.payload import Json, Object, Unreadable, as_code, as_id, as_int, as_text
from normalize.reading import Reading

_SUCCESS = "1100"
_UNREACHABLE_OR_QUOTA = "1904"
_TOKEN_EXPIRED = "3005"  # noqa: S105 - Shumei's error code, no secret
_SWITCHES = {"true": "1", "false": "0"}
_URLS = (("audioUrl", "audio"), ("preAudioUrl", "audio"), ("imgUrl", "image"))
_NOTHING: Object = {}

_Event = tuple[SignalKind, str | None]
"""A signal and the vendor's code for it."""


@dataclass(frozen=True, slots=True)
class Product:
    """Where Shumei's products differ: what code 1904 means, what a flat record judged, and which table reads the
    riskType numbers of a medium."""

    code_1904: SignalKind
    flat_media: Callable[[Object], Media]
    risk_types: dict[Media, str]


@dataclass(slots=True)
class _Record:
    """One callback, opened. `places`: those of `top`, `videoDetail` and `detail` that are there; `auxes` and `params`:
    every auxInfo and requestParams in them; `room`, `end` (epoch seconds): of the content that was read last."""

    top: Object
    detail: Object
    video: Object
    places: list[Object]
    auxes: list[Object]
    params: list[Object]
    segment: str | None
    task: str | None
    room: str | None = None
    end: float | None = None


def read(body: Json, out: Reading, product: Product) -> None:
    """One callback of a stream: the verdicts on its contents, and signals for what it says about the task."""
    top = opened(body, "the body")
    segment = as_id(top.get("requestId"))
    task = segment.partition("_")[0] if segment else None
    if top.get("serviceId") is not None:
        read_review(top, segment, task, out)
        return
    code = as_code(top.get("code"))
    if code is None:
        raise Unreadable("neither code nor serviceId is there")
    record = _record(top, segment, task)
    failures = _failures(record, code, product)
    ended = _switch(top.get("statCode")) == "1"
    if code == _SUCCESS:
        for media, content in _contents(record, product, ended, bool(failures)):
            try:
                _read_content(media, content, record, out, product)
            except Unreadable as error:
                _fail_safe(str(error), media, content, record, out)
    if failures or ended:
        _signal(failures, ended, code, record, out)


def _record(top: Object, segment: str | None, task: str | None) -> _Record:
    detail = opened_in(top, "detail") or _NOTHING
    video = opened_in(top, "videoDetail") or _NOTHING
    places = [place for place in (top, video, detail) if place] if detail or video else [top]
    auxes = [aux for place in places if (aux := opened_in(place, "auxInfo"))]
    params = [given for place in places if (given := opened_in(place, "requestParams"))]
    return _Record(top, detail, video, places, auxes, params, segment, task)


def _failures(record: _Record, code: str, product: Product) -> list[_Event]:
    """What went wrong with the task."""
    events: list[_Event] = []
    if code != _SUCCESS:
        kind = product.code_1904 if code == _UNREACHABLE_OR_QUOTA else SignalKind.TASK_FAILED
        events.append((kind, code))
    for aux in record.auxes:
        error = as_code(aux.get("errorCode"))
        if error is not None and error != "0":
            expired = error == _TOKEN_EXPIRED
            events.append((SignalKind.TOKEN_EXPIRED if expired else SignalKind.STREAM_UNREACHABLE, error))
            break
    if _switch(record.top.get("pullStreamSuccess")) == "0" and all(
        kind is not SignalKind.STREAM_UNREACHABLE for kind, _ in events
    ):
        events.append((SignalKind.STREAM_UNREACHABLE, None))
    return events


def _switch(value: Json) -> str | None:
    """A flag that the versions send as a number, a boolean or text: "1", "0", or the code as it stands."""
    if value is None:
        return None
    code = str(value).casefold() if isinstance(value, bool) else as_code(value)
    return None if code is None else _SWITCHES.get(code, code)


def _contents(record: _Record, product: Product, ended: bool, failed: bool) -> list[tuple[Media, Json]]:
    """Every content that was judged, in the vendor's order: frames before sounds."""
    found: list[tuple[Media, Json]] = []
    for key, media in (("frameDetail", Media.IMAGE), ("audioDetail", Media.AUDIO)):
        for place in record.places:
            value = place.get(key)
            if isinstance(value, list):
                found += [(media, item) for item in value]
            elif value is not None and value != {}:
                found.append((media, value))
    if found or ended:
        return found
    flat = dict(record.top)
    for place in (record.video, record.detail):
        flat.update((key, value) for key, value in place.items() if value is not None)
    if failed and flat.get("riskLevel") is None:
        return found
    return [(product.flat_media(flat), flat)]


def _read_content(media: Media, content: Json, record: _Record, out: Reading, product: Product) -> None:
    content = opened(content, "a detail")
    aux = opened_in(content, "auxInfo") or _NOTHING
    risk = opened_in(content, "riskDetail") or _NOTHING
    ocr = opened_in(risk, "ocrText") or _NOTHING
    top_level = record.top.get("riskLevel")
    level = content.get("riskLevel")
    if level is None:
        level = top_level
    decision = out.table.decision("riskLevel", level)
    if decision is None:
        raise Unreadable("riskLevel is missing" if level is None else "riskLevel is none of Shumei's")
    labelled = content
    if not is_labelled(content) and out.table.decision("riskLevel", top_level) in (None, decision):
        labelled = record.top
    words, listed = _keywords(content, risk, ocr)
    labels, candidates = risk_labels(labelled, decision, out.table, product.risk_types[media], listed)
    tags = business_labels(content)
    record.room = _room(aux, record)
    span, record.end = span_of(media, (aux, risk, content, record.video), out.zone)
    out.verdict(
        out.judge(decision, candidates),
        media=media,
        task_id=record.task,
        segment_id=record.segment,
        room=record.room,
        user=_user(aux, record),
        account=_param("tokenId", record),
        labels=[*labels, *tags],
        text=text_of(content, risk, ocr),
        keywords=words,
        evidence=_evidence(content, risk, record),
        span=span,
        occurred=record.end,
    )


def _fail_safe(reason: str, media: Media, content: Json, record: _Record, out: Reading) -> None:
    """The fail-safe verdict of one content, with whatever tells where it was."""
    found = content.get("auxInfo") if isinstance(content, dict) else None
    aux = found if isinstance(found, dict) else _NOTHING
    out.fail_safe(
        reason,
        media=media,
        task_id=record.task,
        segment_id=record.segment,
        room=_near_room(aux, record),
        user=_user(aux, record),
        account=_param("tokenId", record),
    )


def _signal(failures: list[_Event], ended: bool, code: str, record: _Record, out: Reading) -> None:
    room = record.room or _room(_NOTHING, record)
    events = [*failures, (SignalKind.TASK_ENDED, None)] if ended else failures
    for kind, its_code in events:
        out.signal(
            kind,
            task_id=record.task,
            # The end of a stream comes under the id of the task itself, which names no segment.
            segment_id=record.segment if record.segment != record.task else None,
            room=room,
            code=its_code,
            # Beside code 1100 the message is only that the callback itself is in order.
            message=as_text(record.top.get("message")) if its_code == code else None,
            occurred=record.end,
        )


def _near_room(aux: Object, record: _Record) -> str | None:
    room = as_id(aux.get("room"))
    if room is None:
        for place in (*record.auxes, record.detail):
            room = as_id(place.get("room"))
            if room is not None:
                return room
        room = _param("room", record)
    return room


def _room(aux: Object, record: _Record) -> str | None:
    room = _near_room(aux, record)
    if room is None:
        for place in (record.top, aux, *record.auxes):
            room = as_id((opened_in(place, "passThrough") or _NOTHING).get("room"))
            if room is not None:
                break
    return room


def _param(key: str, record: _Record) -> str | None:
    """One of the parameters that the customer started the stream with."""
    for params in record.params:
        value = as_id(params.get(key))
        if value is not None:
            return value
    return None


def _user(aux: Object, record: _Record) -> str | None:
    """The speaker, whom only streams that are recorded one by one name."""
    for place in (aux, *record.auxes, record.detail):
        user = speaker_in(place)
        if user is not None:
            return user
    return None


def speaker_in(place: Object) -> str | None:
    """The speaker whom an auxInfo or a detail names; userId 0 is nobody."""
    for key in ("strUserId", "trtcUserId", "userId"):
        value = place.get(key)
        if value is not None and (key != "userId" or as_int(value) != 0):
            user = as_id(value)
            if user is not None:
                return user
    return None


def text_of(content: Object, risk: Object, ocr: Object) -> str | None:
    """What was said, or else read in a picture."""
    return (
        as_text(content.get("audioText"))
        or as_text(risk.get("audioText"))
        or as_text(content.get("content"))
        or as_text(ocr.get("text"))
        or as_text(content.get("ocrText"))
    )


def _keywords(content: Object, risk: Object, ocr: Object) -> tuple[list[str], bool]:
    """The words that gave a content away, each once; and whether any stood in a list of the customer's own."""
    found: dict[str | None, None] = {}
    listed = False
    for place in (content, risk, ocr):
        if "matchedLists" in place:
            for entry in opened_all(place, "matchedLists"):
                listed = True
                found.update((as_text(word.get("word")), None) for word in opened_all(entry, "words"))
        if "riskSegments" in place:
            found.update((as_text(entry.get("segment")), None) for entry in opened_all(place, "riskSegments"))
    found[as_text(content.get("matchedItem"))] = None
    return [word for word in found if word], listed


def _evidence(content: Object, risk: Object, record: _Record) -> list[Evidence]:
    found: list[Evidence] = []
    for key, kind in _URLS:
        url = as_text(content.get(key) or risk.get(key))
        if url:
            found.append(Evidence(url, kind))
    clip = as_text(content.get("videoUrl") or record.video.get("videoUrl"))
    if clip:
        found.append(Evidence(clip, "video"))
    return found
