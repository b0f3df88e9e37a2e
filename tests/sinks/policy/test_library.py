"""The ready policies in docs/policies: their own tests hold, and the evening in their README is what they do."""

import re
from pathlib import Path

import orjson
import pytest

from moderato.yaml_file import read_mapping
from sinks.policy.cases import CaseFile, differences, further_faults
from sinks.policy.faults import Document
from sinks.policy.loading import load
from sinks.policy.reach import unreachable
from tests.sinks.policy.evening import LIBRARY, POLICIES, evening, table
from tests.sinks.policy.test_schemas import VALIDATORS

each_policy = pytest.mark.parametrize("name", POLICIES)


def test_every_file_of_the_library_is_tested() -> None:
    assert {path.name for path in LIBRARY.glob("*.yaml")} == {
        f"{name}{ending}" for name in POLICIES for ending in (".yaml", ".tests.yaml")
    }


@each_policy
def test_a_policy_does_what_its_tests_say(name: str) -> None:
    cases = Document(LIBRARY / f"{name}.tests.yaml").read(CaseFile, further_faults)
    assert list(differences(load(LIBRARY / f"{name}.yaml"), cases)) == []


@each_policy
def test_no_rule_of_a_policy_is_out_of_reach(name: str) -> None:
    assert list(unreachable(load(LIBRARY / f"{name}.yaml"))) == []


@each_policy
def test_editors_are_pointed_to_a_schema_that_accepts_the_file(name: str) -> None:
    for path, kind in ((f"{name}.yaml", "policy"), (f"{name}.tests.yaml", "policy-tests")):
        [schema] = re.findall(r"^# yaml-language-server: \$schema=(.+)$", text_of(LIBRARY / path), re.M)
        described = orjson.loads((LIBRARY / schema).read_bytes())
        assert described == VALIDATORS[kind].schema
        VALIDATORS[kind].validate(read_mapping(LIBRARY / path))


@each_policy
def test_what_hits_a_person_or_a_room_grows_old(name: str) -> None:
    for rule in load(LIBRARY / f"{name}.yaml").rules:
        for then in (*rule.then, *(each for step in rule.ladder for each in step.then)):
            assert (then.max_age is None) == (then.action in ("review", "notify")), rule.id


def test_the_evening_in_the_document_is_what_the_policies_do() -> None:
    [shown] = re.findall(r"^\| policy \| rule \|(?:.*\n)(?:\|.*\n)+", text_of(LIBRARY / "README.md"), re.M)
    assert shown == table()
    decisions = [orjson.loads(text)["decision"] for text in evening()]
    numbers = [len(decisions), *(decisions.count(each) for each in ("pass", "review", "block"))]
    assert "{:,} verdicts: {:,} pass, {:,} review, {:,} block".format(*numbers) in text_of(
        LIBRARY / "README.md"
    )


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")
