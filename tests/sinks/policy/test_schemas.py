"""The schemas for editors accept what the readers accept, and name what they refuse."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from moderato.yaml_file import read_mapping
from sinks.policy.loading import BUILT_IN
from sinks.policy.schemas import FILES, file_schemas
from tests.cli.test_policy import POLICY, TESTS
from tests.sinks.policy.support import rule
from tests.sinks.policy.test_evaluate import _policies

VALIDATORS = {name: Draft202012Validator(schema) for name, schema in file_schemas().items()}


@pytest.mark.parametrize("name", FILES)
def test_each_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(VALIDATORS[name].schema)


@given(_policies)
def test_every_policy_that_is_read_is_accepted(made: list[Any]) -> None:
    rules = [rule(f"r{number}", match, *thens, **more) for number, (match, thens, more) in enumerate(made)]
    VALIDATORS["policy"].validate({"rules": rules})


def test_real_files_are_accepted(tmp_path: Path) -> None:
    VALIDATORS["policy"].validate(read_mapping(BUILT_IN))
    for name, text in (("policy", POLICY), ("policy-tests", TESTS.replace("notify-room", "[notify]"))):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        VALIDATORS[name].validate(read_mapping(path))


@pytest.mark.parametrize(
    "more",
    [
        {"match": {"catgory": "ad"}},
        {"match": {"category": "adds"}},
        {"match": {"category": []}},
        {"match": {"severity": {"at_leest": "high"}}},
        {"match": {"user": {"file": 5}}},
        {"match": {"time": {"from": 1320, "timezone": "UTC"}}},
        {"match": {"time": {"from": "22:00"}}},
        {"then": [{"action": "lift"}]},
        {"then": [{"action": "mute", "duration": "1 week"}]},
        {"count": {"at_least": 3}},
        {"rollout": 101},
        {"mode": None},
        {"id": "two words"},
    ],
)
def test_an_editor_is_told_of_faults(more: dict[str, Any]) -> None:
    VALIDATORS["policy"].validate({"rules": [rule()]})
    assert not VALIDATORS["policy"].is_valid({"rules": [rule() | more]})
