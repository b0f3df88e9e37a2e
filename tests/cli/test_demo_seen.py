from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.cli import demo_seen
from moderato.cli.demo_seen import Ages, Seen
from moderato.codec import encode
from moderato.sources import Source
from moderato.times import epoch
from tests.sinks.support import action, verdict

RECEIVED = epoch("2026-11-21T08:00:01.000Z") or 0.0

_KINDS = {
    topics.VERDICTS: "verdict",
    topics.SIGNALS: "signal",
    topics.ACTIONS: "action",
    topics.OUTCOMES: "outcome",
    topics.DEAD_LETTERS: "raw",
}


def record(topic: str, data: Any) -> "ConsumerRecord[bytes, bytes]":
    value = orjson.dumps(data)
    headers = encode(
        _KINDS[topic],
        id="1",
        source=Source.YIDUN_AUDIO,
        tenant="acme",
        key="acme/1",
        time="2026-11-21T08:00:00Z",
    )
    return ConsumerRecord(topic, 0, 0, 0, 0, b"acme/1", value, None, 6, len(value), tuple(headers))


def outcome(**changes: Any) -> dict[str, Any]:
    return {
        "action_id": "act_1",
        "type": "kick",
        "state": "done",
        "executor": "webhook",
        "target": {"kind": "user", "id": "u-42"},
        "attempts": 1,
        "detail": "HTTP 204",
    } | changes


def raw(id: str) -> dict[str, Any]:
    return {"topic": "moderation.raw.shumei_audio", "partition": 0, "offset": 0, "id": id}


def seen_verdicts(*verdicts: dict[str, Any]) -> Seen:
    seen = Seen()
    for found in verdicts:
        seen.take(record(topics.VERDICTS, found), RECEIVED)
    return seen


def test_ages_run_from_the_callbacks_receipt_to_the_verdict_and_to_the_outcome() -> None:
    seen = Seen()
    seen.take(record(topics.VERDICTS, verdict()), RECEIVED + 0.25)
    seen.take(record(topics.ACTIONS, action()), RECEIVED + 0.5)
    seen.take(record(topics.OUTCOMES, outcome()), RECEIVED + 0.75)
    assert seen.verdict_ages.percentile(0.5) == pytest.approx(0.25)
    assert seen.outcome_ages.percentile(0.99) == pytest.approx(0.75)
    [taken] = seen.taken_for(verdict())
    assert taken.age == pytest.approx(0.75)
    assert taken.outcome == outcome()


def test_an_action_that_a_vendors_repetition_made_twice_keeps_its_first_outcome() -> None:
    seen = Seen()
    for state in ("done", "duplicate"):
        seen.take(record(topics.ACTIONS, action()), RECEIVED)
        seen.take(record(topics.OUTCOMES, outcome(state=state)), RECEIVED + 1)
    [taken] = seen.taken_for(verdict())
    assert taken.outcome == outcome(state="done")
    assert seen.outcomes == {("kick", "user", "done"): 1, ("kick", "user", "duplicate"): 1}


def test_an_outcome_of_an_unknown_action_is_counted_all_the_same() -> None:
    seen = Seen()
    seen.take(record(topics.OUTCOMES, outcome()), RECEIVED)
    assert seen.outcomes.total() == 1
    assert seen.outcome_ages.percentile(0.5) is None


def test_times_that_cannot_be_read_give_no_age() -> None:
    seen = Seen()
    timeless = verdict(received_at="yesterday")
    seen.take(record(topics.VERDICTS, timeless), RECEIVED)
    seen.take(record(topics.ACTIONS, action(verdict=timeless)), RECEIVED)
    seen.take(record(topics.OUTCOMES, outcome()), RECEIVED)
    assert seen.verdict_ages.percentile(0.5) is None
    assert seen.outcome_ages.percentile(0.5) is None


def test_records_are_counted_by_topic_and_dead_letters_by_source() -> None:
    seen = Seen()
    seen.take(record(topics.SIGNALS, {}), RECEIVED)
    seen.take(record(topics.DEAD_LETTERS, "not JSON of ours"), RECEIVED)
    seen.take(record(topics.DEAD_LETTERS, "another"), RECEIVED)
    assert seen.records == {topics.SIGNALS: 1, topics.DEAD_LETTERS: 2}
    assert seen.dead_letters == {"yidun_audio": 2}


def test_the_gravest_come_first_and_every_source_has_its_turn() -> None:
    def found(id: str, source: str, severity: str, level: int) -> dict[str, Any]:
        return verdict(id=id, source=source, severity=severity, severity_level=level, raw=raw(id))

    seen = seen_verdicts(
        found("high", "yunxin_rtc", "high", 3),
        found("first", "shumei_audio", "critical", 4),
        found("again", "shumei_audio", "critical", 4),
        found("other", "yidun_audio", "critical", 4),
        verdict(id="pass", decision="pass"),
    )
    assert [each["id"] for each in seen.gravest(5)] == ["first", "other", "again", "high"]
    assert [each["id"] for each in seen.gravest(2)] == ["first", "other"]


def test_one_callback_has_one_place_among_the_gravest() -> None:
    seen = seen_verdicts(
        verdict(id="req-1#0", severity_level=3),
        verdict(id="req-1#1"),
        verdict(id="req-2#0", raw=raw("req-2")),
    )
    assert [each["id"] for each in seen.gravest(5)] == ["req-1#1", "req-2#0"]


def test_memory_is_bounded_and_keeps_what_is_gravest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_seen, "_MOST_CANDIDATES", 2)
    monkeypatch.setattr(demo_seen, "_MOST_ACTIONS", 3)
    seen = seen_verdicts(
        *(verdict(id=f"v{level}", severity_level=level, raw=raw(f"v{level}")) for level in (4, 0, 3, 1, 2))
    )
    for number in range(6):
        seen.take(record(topics.ACTIONS, action(id=f"act_{number}")), RECEIVED)
    assert [each["id"] for each in seen.gravest(5)] == ["v4", "v3"]
    assert list(seen.taken) == ["act_3", "act_4", "act_5"]


def test_actions_on_a_verdict_are_told_from_the_gravest_down() -> None:
    seen = Seen()
    for number, type in enumerate(("notify", "a type of a later version", "kick", "review")):
        seen.take(record(topics.ACTIONS, action(id=f"act_{number}", type=type)), RECEIVED)
    told = [taken.action["type"] for taken in seen.taken_for(verdict())]
    assert told == ["kick", "review", "notify", "a type of a later version"]


def test_percentiles_are_ages_that_occurred() -> None:
    ages = Ages()
    for age in range(100, 0, -1):
        ages.add(float(age))
    assert (ages.percentile(0.5), ages.percentile(0.99), ages.percentile(1.0)) == (51.0, 100.0, 100.0)


def test_a_clock_that_was_set_back_makes_no_negative_age() -> None:
    ages = Ages()
    ages.add(-3.0)
    assert ages.percentile(0.5) == 0.0
