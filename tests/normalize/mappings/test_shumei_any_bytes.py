"""Whatever arrives under Shumei's name ends as records, in time that grows with its length."""

import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderato.records import Decision, Severity
from moderato.sources import Source
from normalize.mappings.shumei_keys import opened
from normalize.reading import Reading
from tests.normalize.support import read_body

FIXTURES = Path(__file__).parents[2] / "fixtures"
BODIES = [
    path.read_bytes() for name in ("shumei_audio", "shumei_video") for path in (FIXTURES / name).iterdir()
]
NAMES = sorted(
    {name for body in BODIES for name in orjson.loads(body)} | {"riskLevel", "allLabels", "audioTags"}
)

SOURCES = st.sampled_from([Source.SHUMEI_AUDIO, Source.SHUMEI_VIDEO])
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["1", "1100", "REJECT", "2022-10-27 21:08:42", "0001-01-01 00:00:00", "9999-12-31 23:59:59"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner)
    ),
    max_leaves=8,
)


def holds(found: Reading) -> None:
    """What is true of every reading of an authentic body."""
    assert found.verdicts or found.signals
    for got in found.verdicts:
        assert got.severity_level == got.severity.level
        assert (got.decision is Decision.PASS) == (got.severity is Severity.NONE)
        assert got.mapping.rules
    assert bool(found.faults) == any(got.degraded for got in found.verdicts)
    assert orjson.dumps([found.verdicts, found.signals])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@given(SOURCES, st.binary(max_size=200))
def test_any_bytes(source: Source, body: bytes) -> None:
    holds(read_body(source, body))


@given(SOURCES, JUNK)
def test_any_json(source: Source, value: Any) -> None:
    holds(read_body(source, json.dumps(value).encode()))


@settings(max_examples=400)
@given(SOURCES, st.sampled_from(BODIES), st.data())
def test_a_vendors_body_with_anything_anywhere(source: Source, body: bytes, data: st.DataObject) -> None:
    record = json.loads(body)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(places(record)[1:]))
        holder = record
        for step in way:
            holder = holder[step]
        holder[last] = data.draw(JUNK)
    holds(read_body(source, json.dumps(record).encode()))


@given(SOURCES, st.sampled_from(BODIES), st.data())
def test_a_vendors_body_cut_or_with_other_bytes(source: Source, body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    found = read_body(
        source, body[:at] + data.draw(st.binary(max_size=4)) + body[at + data.draw(st.integers(0, 4)) :]
    )
    holds(found)


@given(
    st.dictionaries(
        st.sampled_from(["audioEndTime", "audioendtime", "audio_endtime", "AUDIO_END_TIME", "other"]),
        st.integers(),
    )
)
def test_a_field_that_is_there_in_any_spelling_is_found(fields: dict[str, int]) -> None:
    found = opened(dict(fields), "x").get("audioEndTime")
    spelt = {value for name, value in fields.items() if name != "other"}
    assert found == fields["audioEndTime"] if "audioEndTime" in fields else found in (spelt or {None})


@pytest.mark.parametrize(
    "part",
    [
        {"allLabels": [{"riskLabel1": f"label{n}", "riskLevel": "REJECT"} for n in range(20_000)]},
        {"audioTags": {"timbre": [{"label": f"tag{n}", "probability": 3} for n in range(20_000)]}},
        {"riskDetail": {"matchedLists": [{"words": [{"word": f"word{n}"} for n in range(40_000)]}]}},
        {"auxInfo": {"audioEndTime": "2" * 1_000_000}},
        {f"audio_End_Time{'_' * (n % 90)}{n}": 1 for n in range(20_000)},
    ],
)
def test_a_body_of_a_megabyte_is_read_in_a_moment(part: dict[str, Any]) -> None:
    body = orjson.dumps({"code": 1100, "audioDetail": {"riskLevel": "REJECT", "riskLabel1": "ad", **part}})
    begin = time.process_time()
    found = read_body(Source.SHUMEI_AUDIO, body)
    assert time.process_time() - begin < 2
    assert [got.decision for got in found.verdicts] == [Decision.BLOCK]


def test_ten_thousand_parts_are_ten_thousand_verdicts() -> None:
    body = orjson.dumps({"code": 1100, "videoDetail": {"frameDetail": [{"riskLevel": "PASS"}, 7] * 5_000}})
    begin = time.process_time()
    found = read_body(Source.SHUMEI_VIDEO, body)
    assert time.process_time() - begin < 5
    assert (len(found.verdicts), len(found.faults)) == (10_000, 5_000)
