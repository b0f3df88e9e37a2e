"""Whatever somebody writes into a policy or a test file, it is read, or refused with a line for each fault."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderato.errors import Fatal
from sinks.policy.cases import CaseFile, further_faults
from sinks.policy.faults import Document
from sinks.policy.loading import load
from sinks.policy.schemas import FILES, file_schemas

_NAMES = sorted(
    {
        name
        for schema in file_schemas().values()
        for model in ({"properties": schema["properties"]}, *schema["$defs"].values())
        for name in model.get("properties", ())
    }
)
_words = st.sampled_from(
    [
        "high",
        "block",
        "kick",
        "ban",
        "10m",
        "2d",
        "22:00",
        "06:00",
        "UTC",
        "mon",
        "shadow",
        "user",
        "room",
        "",
    ]
)
_scalars = (
    st.none() | st.booleans() | st.integers(-2, 200) | st.floats() | _words | st.dates() | st.text(max_size=5)
)
_keys = st.sampled_from(_NAMES) | st.integers(0, 3) | st.text(max_size=3)
_anything = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_rules = st.fixed_dictionaries(
    {"id": st.just("a") | _anything, "match": st.just({}) | _anything, "then": st.just(["x"]) | _anything},
    optional=dict.fromkeys(("count", "agreement", "ladder", "unless", "stop", "rollout", "mode"), _anything),
)
_cases = st.fixed_dictionaries(
    {"name": st.just("n"), "verdicts": st.lists(_anything, max_size=2) | _anything}
)


@pytest.mark.parametrize("kind", FILES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    data=_anything
    | st.fixed_dictionaries({"rules": st.lists(_rules | _anything, max_size=3)})
    | st.fixed_dictionaries(
        {"cases": st.lists(_cases | _anything, max_size=3)}, optional={"given": _anything}
    )
)
def test_a_file_is_read_or_refused_line_by_line(tmp_path: Path, kind: str, data: Any) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    refused = ""
    try:
        if kind == "policy":
            load(path)
        else:
            Document(path).read(CaseFile, further_faults)
    except Fatal as fault:
        refused = str(fault)
    assert all(re.match(r".*file\.yaml:.*\w", line) for line in refused.split("\n") if refused)


def test_what_is_not_printable_is_written_as_an_escape(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text('rules: [{"a\\nb\\e[2J": 1}]\n')
    with pytest.raises(Fatal) as caught:
        load(path)
    assert r"rules.0.'a\nb\x1b[2J': unknown field" in str(caught.value)
