from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.record import Record
from moderato.errors import Fatal
from moderato.metrics import REGISTRY
from moderato.settings import Kafka, Policy, Settings
from sinks.policy.brakes import Brakes
from sinks.policy.evaluate import Evaluator
from sinks.policy.worker import PolicyWorker, role
from tests.sinks.policy.support import policy, rule
from tests.sinks.support import NOW, body_of, consumed, header, verdict

CONNECTION = Connection("localhost:1", Kafka())


def worker(*rules: dict[str, Any]) -> PolicyWorker:
    evaluator = Evaluator(policy(*rules))
    return PolicyWorker(lambda: evaluator, Brakes(), clock=lambda: NOW)


def counted(**labels: str) -> float:
    return REGISTRY.get_sample_value("moderato_actions_total", labels) or 0.0


async def test_a_verdict_that_a_rule_matches_becomes_an_action_keyed_by_tenant_and_target() -> None:
    results = await worker(rule("r", {"severity": "critical"}, "kick")).handle(
        [
            consumed(
                "verdict", verdict(), traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            )
        ]
    )
    [message] = results.messages
    assert (message.topic, message.key) == (topics.ACTIONS, b"acme/u-42")
    assert body_of(message)["type"] == "kick"
    assert header(message, "ce_id") == body_of(message)["id"]
    assert header(message, "ce_tenant") == "acme"
    assert header(message, "ce_sessionid") == "ses-1"
    assert header(message, "ce_traceparent").startswith("00-4bf9")
    assert (results.done, results.ignored, results.dead_lettered) == (1, 0, 0)
    assert results.kinds == {"action": 1}


async def test_the_cloudevents_sdk_reads_an_action() -> None:
    results = await worker(rule("r", {}, "kick")).handle([consumed("verdict", verdict())])
    [message] = results.messages
    assert message.value is not None
    event = from_binary_event(KafkaMessage(dict(message.headers), message.key, message.value))
    assert event.get_type() == "moderato.action.v1"
    assert event.get_source() == "/sources/shumei_audio"
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["rule"]["id"] == "r"


async def test_every_record_has_one_fate_and_the_numbers_add_up() -> None:
    a_pass = verdict(decision="pass", severity="none", severity_level=0, category="none")
    records = [
        consumed("verdict", verdict()),
        consumed("verdict", a_pass),
        consumed("verdict", b"not json"),
        consumed("verdict", verdict(id=None)),
        consumed("verdict", verdict(id="second#0")),
    ]
    results = await worker(rule("r", {}, "kick", "notify")).handle(records)
    assert (results.done, results.ignored, results.dead_lettered) == (2, 1, 2)
    assert results.kinds == {"action": 4, "dead_letter": 2}


async def test_poison_goes_to_the_dead_letters_with_its_bytes_its_place_and_the_reason() -> None:
    results = await worker().handle([consumed("verdict", b"not json", offset=17)])
    [message] = results.messages
    assert (message.topic, message.key, message.value) == (topics.DEAD_LETTERS, b"acme/x", b"not json")
    assert header(message, "ce_type") == "moderato.verdict.v1"
    assert header(message, "dl_stage") == "policy"
    assert header(message, "dl_reason").startswith("the verdict is not JSON")
    assert [header(message, f"dl_{name}") for name in ("topic", "partition", "offset", "at")] == [
        topics.VERDICTS,
        "3",
        "17",
        NOW,
    ]


@pytest.mark.parametrize(
    "field", ["id", "source", "tenant", "decision", "severity", "category", "judge", "media"]
)
@pytest.mark.parametrize("value", [None, 5, "", ["a"]])
async def test_a_verdict_that_lacks_what_rules_need_is_poison(field: str, value: object) -> None:
    results = await worker(rule()).handle([consumed("verdict", verdict(**{field: value}))])
    [message] = results.messages
    assert header(message, "dl_reason") == f"text is due in {field}"


async def test_a_verdict_of_a_source_that_we_do_not_know_yet_is_acted_on() -> None:
    results = await worker(rule("r", {}, "kick")).handle([consumed("verdict", verdict(source="newcomer"))])
    assert header(results.messages[0], "ce_source") == "/sources/newcomer"


async def test_a_fault_of_ours_costs_one_record_and_not_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = Evaluator.evaluate

    def faulty(self: Evaluator, found: dict[str, Any], now: str) -> Sequence[Any]:
        if found["id"] == "bad#0":
            raise ZeroDivisionError("ours")
        return evaluate(self, found, now)

    monkeypatch.setattr(Evaluator, "evaluate", faulty)
    records: list[Record] = [consumed("verdict", verdict(id=id)) for id in ("bad#0", "good#0")]
    results = await worker(rule("r", {}, "kick")).handle(records)
    assert (results.done, results.dead_lettered) == (1, 1)
    assert header(results.messages[0], "dl_reason").startswith("ZeroDivisionError: ours (test_worker.py:")


async def test_actions_are_counted_once_they_are_acknowledged() -> None:
    before = counted(type="kick", mode="enforce"), counted(type="kick", mode="shadow")
    results = await worker(rule("a", {}, "kick"), rule("b", {}, "kick", mode="shadow")).handle(
        [consumed("verdict", verdict()), consumed("verdict", verdict(id="x#0"))]
    )
    assert (counted(type="kick", mode="enforce"), counted(type="kick", mode="shadow")) == before
    assert results.count is not None
    results.count()
    assert (counted(type="kick", mode="enforce"), counted(type="kick", mode="shadow")) == (
        before[0] + 2,
        before[1] + 2,
    )


def test_the_role_has_the_policy_that_ships_unless_another_is_named() -> None:
    assert role(Settings(), CONNECTION).name == "policy"


def test_a_bad_policy_file_keeps_the_role_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("rules: [{id: a, match: {}, then: [{action: kik}]}]")
    with pytest.raises(Fatal, match="did you mean 'kick'"):
        role(Settings(policy=Policy(file=path)), CONNECTION)


async def test_what_people_say_and_what_is_on_trial_is_counted_with_the_verdicts() -> None:
    def seen() -> tuple[float, float]:
        labels = {"source": "shumei_audio", "category": "politics", "outcome": "refuted"}
        return (
            REGISTRY.get_sample_value("moderato_feedback_total", labels) or 0.0,
            REGISTRY.get_sample_value("moderato_policy_shadow_total", {"beside": "nothing"}) or 0.0,
        )

    before = seen()
    person = verdict(id="p#0", judge="vendor_human", decision="pass", severity="none", severity_level=0)
    records = [consumed("verdict", verdict()), consumed("verdict", person), consumed("verdict", b"{}")]
    results = await worker(rule("r", {}, "kick", mode="shadow")).handle(records)
    assert results.count
    results.count()
    assert (results.done, results.ignored, results.dead_lettered) == (1, 1, 1)
    assert seen() == (before[0] + 1, before[1] + 1)
