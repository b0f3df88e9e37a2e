"""The published contracts: they accept what the pipeline makes today and may make tomorrow, and nothing broken."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from moderato import asyncapi, codec, topics
from moderato.records import (
    Action,
    ActionType,
    Outcome,
    OutcomeState,
    RuleRef,
    Signal,
    Target,
    Verdict,
)
from moderato.schemas import DIALECT, RECORDS, components, record_schemas
from moderato.sources import Source
from tests.normalize.support import read_body

FIXTURES = Path(__file__).parents[1] / "fixtures"
BODIES = sorted(path for path in FIXTURES.glob("*/*") if path.parent.name in set(Source))
AT = "2026-11-21T08:00:00.000Z"
SCHEMAS = record_schemas()


def valid(kind: str, record: object) -> None:
    """Raises when the schema does not accept the record's JSON."""
    data = record if isinstance(record, dict) else orjson.loads(orjson.dumps(record))
    Draft202012Validator(SCHEMAS[kind], format_checker=FormatChecker()).validate(data)


def a_verdict() -> Verdict:
    body = (FIXTURES / "yidun_audio" / "v4_push.form").read_bytes()
    return read_body(Source.YIDUN_AUDIO, body, "application/x-www-form-urlencoded").verdicts[0]


def an_action(target: Target) -> Action:
    return Action(
        id="a-1",
        tenant="default",
        type=ActionType.KICK,
        target=target,
        mode="enforce",
        rule=RuleRef("grave", "0123456789ab"),
        source=Source.YIDUN_AUDIO,
        session_id=None,
        task_id="t",
        room="r",
        user=None,
        account=None,
        duration=600.0,
        message=None,
        occurred_at=AT,
        created_at=AT,
        expires_at=None,
        verdict=a_verdict(),
    )


def an_outcome() -> Outcome:
    return Outcome(
        id="a-1@0",
        action_id="a-1",
        tenant="default",
        type=ActionType.KICK,
        state=OutcomeState.DONE,
        executor="webhook",
        target=Target("user", "u"),
        attempts=2,
        detail=None,
        occurred_at=AT,
        created_at=AT,
        finished_at=AT,
        rule=RuleRef("grave", "0123456789ab"),
    )


@pytest.mark.parametrize("kind", RECORDS)
def test_each_schema_is_one(kind: str) -> None:
    assert SCHEMAS[kind]["$schema"] == DIALECT
    Draft202012Validator.check_schema(SCHEMAS[kind])


@pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_real_bodies_give_is_accepted(path: Path) -> None:
    reading = read_body(Source(path.parent.name), path.read_bytes(), "")
    for verdict in reading.verdicts:
        valid("verdict", verdict)
    for signal in reading.signals:
        valid("signal", signal)


def test_the_bodies_give_verdicts_and_signals() -> None:
    kinds = {
        type(record)
        for path in BODIES
        for reading in [read_body(Source(path.parent.name), path.read_bytes(), "")]
        for record in (*reading.verdicts, *reading.signals)
    }
    assert kinds == {Verdict, Signal}


def test_actions_and_outcomes_are_accepted() -> None:
    valid("action", an_action(Target("room", "r")))
    valid("outcome", an_outcome())


def test_a_word_and_a_field_of_tomorrow_are_accepted() -> None:
    record = orjson.loads(orjson.dumps(a_verdict()))
    record |= {"category": "deepfake", "severity": "apocalyptic", "severity_level": 5, "source": "new_vendor"}
    record["span"]["clock"] = "media"
    record["mood"] = "grim"
    valid("verdict", record)


@pytest.mark.parametrize("field", list(SCHEMAS["verdict"]["properties"]))
def test_a_missing_field_is_refused(field: str) -> None:
    record = orjson.loads(orjson.dumps(a_verdict()))
    del record[field]
    with pytest.raises(ValidationError, match=f"'{field}' is a required property"):
        valid("verdict", record)


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"severity": 3},
        {"severity_level": "3"},
        {"confidence": 1.5},
        {"labels": None},
        {"labels": [{"code": "1"}]},
        {"span": {"start": "1", "end": 2.0, "clock": "epoch"}},
        {"final": "yes"},
        {"raw": None},
        {"room": 7},
    ],
)
def test_a_wrong_type_is_refused(change: dict[str, Any]) -> None:
    record = orjson.loads(orjson.dumps(a_verdict())) | change
    with pytest.raises(ValidationError):
        valid("verdict", record)


def test_known_words_are_listed() -> None:
    words = SCHEMAS["verdict"]["$defs"]
    assert words["Severity"]["examples"] == ["none", "low", "medium", "high", "critical"]
    assert words["Source"]["examples"] == list(Source)
    assert words["Judge"]["description"].startswith("Who decided")


def test_every_field_says_what_it_means() -> None:
    for schema in components().values():
        assert schema["description"]
        for described in schema.get("properties", {}).values():
            assert described["description"].endswith((".", "`."))


def test_every_topic_is_a_channel_with_its_shape() -> None:
    document = asyncapi.document()
    assert set(document["channels"]) == {topic.name for topic in topics.ALL}
    for topic in topics.ALL:
        kafka = document["channels"][topic.name]["bindings"]["kafka"]
        assert (kafka["topic"], kafka["partitions"]) == (topic.name, topic.partitions)
        assert kafka["topicConfiguration"] == {
            "cleanup.policy": [topic.config["cleanup.policy"]],
            "retention.ms": topic.retention_ms,
            "max.message.bytes": topic.max_message_bytes,
        }


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = asyncapi.document()
    found = list(_references(document))
    assert len(found) > len(topics.ALL)
    for reference in found:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


@pytest.mark.parametrize("kind", ["raw", "verdict", "signal", "strike", "action", "outcome", "session"])
def test_the_headers_that_are_written_are_the_described_ones(kind: str) -> None:
    described = asyncapi.document()["components"]["messages"][kind]["headers"]
    for extra in ({}, {"session_id": "s", "traceparent": "00-1-2-01"}):
        written = codec.encode(
            kind, id="i", source=Source.SHUMEI_AUDIO, tenant="t", key="t/k", time=AT, **extra
        )
        headers = {name: value.decode() for name, value in written}
        Draft202012Validator(described).validate(headers)
        assert set(headers) <= set(described["properties"])
