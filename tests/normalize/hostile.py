"""Bodies that no vendor sends on purpose: real ones with something wrong at any place, and plain noise."""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import strategies as st

from moderato.records import Signal, Verdict
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.support import read_body

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=12)
    | st.sampled_from(["", " ", "0", "1", "-1", "1e400", "9" * 400, "{}", "[]", "null", 10**12, 1e308, -0.0])
)
_JUNK = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@st.composite
def mutated(draw: st.DrawFn, *samples: bytes) -> bytes:
    """JSON of one of `samples` with one to four places replaced by junk or removed."""
    document: Any = [json.loads(draw(st.sampled_from(samples)))]
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(document))
        container, key = places[draw(st.integers(0, len(places) - 1))]
        if isinstance(container, dict) and draw(st.booleans()):
            del container[key]
        else:
            container[key] = draw(_JUNK)
    return json.dumps(document[0], ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


def noise(*samples: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, any JSON, and `samples` cut short or with a foreign byte within."""
    sample = st.sampled_from(samples)
    return (
        st.binary(max_size=200)
        | _JUNK.map(lambda junk: json.dumps(junk).encode())
        | st.tuples(sample, st.integers(0, 2000)).map(lambda cut: cut[0][: cut[1]])
        | st.tuples(sample, st.integers(0, 2000), st.binary(min_size=1, max_size=3)).map(
            lambda patch: patch[0][: patch[1]] + patch[2] + patch[0][patch[1] + 1 :]
        )
    )


def read_hostile(source: Source, body: bytes) -> Reading:
    """Reads `body` and checks what must hold of every reading, whatever came in."""
    reading = read_body(source, body)
    assert [verdict.id for verdict in reading.verdicts] == [
        f"raw-1#{n}" for n in range(len(reading.verdicts))
    ]
    for verdict in reading.verdicts:
        assert verdict.degraded == (verdict.mapping.rules == ("fail-safe",))
        assert verdict.confidence is None or 0 <= verdict.confidence <= 1
    records: list[Verdict | Signal] = [*reading.verdicts, *reading.signals]
    for record in records:
        assert _RFC3339.fullmatch(record.occurred_at)
        written = orjson.loads(orjson.dumps(record))
        assert written["span"] is None or None not in written["span"].values()
        for field in ("task_id", "segment_id", "room", "user"):
            assert written[field] is None or isinstance(written[field], str)
    return reading


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a JSON document."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)
