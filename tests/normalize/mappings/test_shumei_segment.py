"""The one-pass reading of Shumei's ordinary records gives what the reading of all layouts gives, to the byte."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato import topics
from moderato.records import RawRef
from moderato.sources import Source
from normalize.mappings import MAPPINGS, shumei, shumei_audio, shumei_video
from normalize.mappings.shumei_keys import NAMES
from normalize.mappings.shumei_segment import read_segment
from normalize.payload import parse_json
from normalize.reading import Raw, Reading, SourceMapping, TenantView, read
from normalize.scale import built_in
from tests.bench.bodies import bodies
from tests.normalize.hostile import mutated
from tests.normalize.support import NORMALIZED, RECEIVED

FIXTURES = Path(__file__).parents[2] / "fixtures"
AUDIO = FIXTURES / "shumei_audio"
REAL = [*AUDIO.iterdir(), *(FIXTURES / "shumei_video").iterdir()]
# One of each riskLevel and the vendor's own sample, which brings lists of tags.
ORDINARY = [
    *{orjson.loads(body)["audioDetail"]["riskLevel"]: body for body in bodies()}.values(),
    (AUDIO / "v4_nested_reject_normal.json").read_bytes(),
]
PRODUCTS = {Source.SHUMEI_AUDIO: shumei_audio.PRODUCT, Source.SHUMEI_VIDEO: shumei_video.PRODUCT}
SOURCES = st.sampled_from(list(PRODUCTS))
VIEW = TenantView(built_in())

# What may stand at any name: what Shumei sends somewhere, and what it might.
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 1100, 1904, 2**60, -1, 0.5, 99.0, 1795248010000),
    *(
        "",
        " ",
        "0",
        "1",
        "1100",
        "room",
        "PASS",
        "review",
        "REJECT",
        "normal",
        "ad",
        "命中自定义名单",
        "长" * 200,
    ),
    *("2026-11-21 16:00:00", "2026-11-21T16:00:00+08:00", "not a time", "https://example.com/a.mp3"),
    *([], {}, [[]], ["text"], {"room": "passed"}, {"label": "男性", "probability": 99}, {"errorCode": 3005}),
    {"gender": {"label": 1, "probability": "99"}, "song": True, "timbre": [{"label": "大叔"}], "language": 3},
    {"riskLevel": "REJECT", "riskLabel1": "porn", "audioUrl": "https://example.com/b.mp3"},
    [{"riskLevel": "REJECT", "riskLabel1": "porn", "riskLabel2": "x", "riskDescription": "色情"}],
    [{"name": "list", "words": [{"word": "加我", "position": [1, 2]}]}],
    [{"businessLabel1": "minor", "probability": 0.97, "confidenceLevel": 2}],
    [{"segment": "微信", "position": [1, 2]}],
]
PLACES = [
    (),
    ("audioDetail",),
    ("audioDetail", "riskDetail"),
    ("audioDetail", "auxInfo"),
    ("audioDetail", "audioTags"),
    ("requestParams",),
]
SPELLINGS = [
    "request_id",
    "riskLevel_",
    "AudioUrl",
    "audio_starttime",
    "audioEndtime",
    "tokenid",
    "str_user_id",
    "new",
]
FIELDS = st.sampled_from(sorted(NAMES) + SPELLINGS)


@st.composite
def varied(draw: st.DrawFn) -> bytes:
    """An ordinary record with one to three fields set to something else, added, or taken away."""
    record = orjson.loads(draw(st.sampled_from(ORDINARY)))
    for _ in range(draw(st.integers(1, 3))):
        place = record
        for key in draw(st.sampled_from(PLACES)):
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            field = draw(st.sampled_from(sorted(place)) | FIELDS) if place else draw(FIELDS)
            if draw(st.integers(0, 4)):
                place[field] = draw(st.sampled_from(VALUES))
            else:
                place.pop(field, None)
    return orjson.dumps(record)


def raw_of(source: Source, body: bytes) -> Raw:
    ref = RawRef(topics.raw(source), 0, 7, "raw-1")
    return Raw(
        source, "default", "raw-1", body, "application/json", RECEIVED, ref, "its-task", None, "its-room"
    )


def everything(reading: Reading) -> tuple[Any, ...]:
    # Written out, since 0, 0.0 and False are equal.
    written = orjson.dumps([reading.verdicts, reading.signals, reading.occurred, reading.faults])
    return written, reading.verdicts, reading.signals, reading.occurred, reading.faults


def in_general(source: Source, body: bytes) -> Reading:
    """`body` as the reading of all layouts reads it."""

    def mapping(raw: Raw, out: Reading) -> None:
        shumei.read(parse_json(raw.body), out, PRODUCTS[source])

    return read(
        SourceMapping(mapping, "shumei", MAPPINGS[source].media), raw_of(source, body), VIEW, NORMALIZED
    )


def agrees(source: Source, body: bytes) -> None:
    found = read(MAPPINGS[source], raw_of(source, body), VIEW, NORMALIZED)
    assert everything(found) == everything(in_general(source, body))


@pytest.mark.parametrize("source", PRODUCTS)
@pytest.mark.parametrize("body", [path.read_bytes() for path in REAL], ids=[path.stem for path in REAL])
def test_real_records_read_the_same(source: Source, body: bytes) -> None:
    agrees(source, body)


def test_the_traffic_of_the_benchmark_reads_the_same() -> None:
    for body in bodies():
        agrees(Source.SHUMEI_AUDIO, body)


@given(SOURCES, mutated(*(path.read_bytes() for path in REAL), *ORDINARY))
def test_records_with_junk_at_any_place_read_the_same(source: Source, body: bytes) -> None:
    agrees(source, body)


@given(SOURCES, varied())
def test_ordinary_records_with_other_fields_read_the_same(source: Source, body: bytes) -> None:
    agrees(source, body)


def taken(record: Any) -> bool:
    reading = Reading(raw_of(Source.SHUMEI_AUDIO, b""), VIEW, VIEW.tables.vendors["shumei"], NORMALIZED)
    done = read_segment(record, reading)
    assert len(reading.verdicts) == done
    return done


def test_ordinary_records_are_read_in_one_pass() -> None:
    assert [taken(orjson.loads(body)) for body in ORDINARY] == [True] * 4


def test_an_ordinary_record_may_lack_what_shumei_does_not_promise() -> None:
    record = orjson.loads(ORDINARY[0])
    for place, field in [
        ("audioDetail", "riskDetail"),
        ("audioDetail", "audioText"),
        ("audioDetail", "preAudioUrl"),
    ]:
        del record[place][field]
        assert taken(record)
    del record["requestParams"], record["statCode"]
    assert taken(record)


@pytest.mark.parametrize(
    ("place", "field", "value"),
    [
        ((), "audioDetail", []),
        ((), "code", 1904),
        ((), "statCode", 1),
        ((), "requestId", ""),
        ((), "requestParams", []),
        ((), "a name that no document has", 1),
        (("audioDetail",), "auxInfo", None),
        (("audioDetail",), "riskLevel", "unheard of"),
        (("audioDetail",), "riskLabel1", 7),
        (("audioDetail",), "riskDescription", "长" * 200),
        (("audioDetail",), "audioTags", "text"),
        (("audioDetail",), "allLabels", [{}]),
        (("audioDetail",), "matchedItem", "加我"),
        (("audioDetail", "riskDetail"), "matchedLists", []),
    ],
)
def test_a_record_out_of_the_ordinary_is_left_alone(place: tuple[str, ...], field: str, value: Any) -> None:
    record = orjson.loads(ORDINARY[0])
    inner = record
    for key in place:
        inner = inner[key]
    inner[field] = value
    assert not taken(record)


def test_a_record_without_a_room_or_a_label_is_left_alone() -> None:
    record = orjson.loads(ORDINARY[0])
    record["audioDetail"]["riskLabel1"] = record["audioDetail"]["riskDescription"] = ""
    assert not taken(record)
    record = orjson.loads(ORDINARY[0])
    del record["audioDetail"]["auxInfo"]["room"], record["requestParams"]["room"]
    assert not taken(record)
