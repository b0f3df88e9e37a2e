from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from moderato import metrics, topics
from moderato.cli import ledger
from moderato.cli.ledger import Counts, Line

Values = dict[str, dict[tuple[tuple[str, str], ...], float]]


def counters() -> Values:
    """A day on which ten callbacks came: nine published, which gave seven verdicts and two signals."""

    def stage(name: str) -> tuple[tuple[str, str], ...]:
        return (("stage", name),)

    def produced(name: str, kind: str) -> tuple[tuple[str, str], ...]:
        return (("kind", kind), ("stage", name))

    return {
        ledger.RECEIVED: {(("source", "yidun_audio"),): 6.0, (("source", "agora_ncs"),): 4.0},
        ledger.PUBLISHED: {(("source", "yidun_audio"),): 6.0, (("source", "agora_ncs"),): 3.0},
        ledger.SPOOLED: {(("source", "yidun_audio"),): 0.0},
        ledger.DRAINED: {(("source", "yidun_audio"),): 0.0},
        ledger.SET_ASIDE: {},
        ledger.REJECTED: {(("code", "bad_token"), ("source", "agora_ncs")): 1.0},
        ledger.CONSUMED: {stage("normalizer"): 9.0, stage("policy"): 7.0, stage("enforcer"): 3.0},
        ledger.DONE: {stage("normalizer"): 7.0, stage("policy"): 3.0, stage("enforcer"): 2.0},
        ledger.IGNORED: {stage("normalizer"): 1.0, stage("policy"): 4.0},
        ledger.DEAD_LETTERED: {stage("normalizer"): 1.0, stage("enforcer"): 1.0},
        ledger.PRODUCED: {
            produced("normalizer", "verdict"): 7.0,
            produced("normalizer", "signal"): 2.0,
            produced("normalizer", "dead_letter"): 1.0,
            produced("policy", "action"): 3.0,
            produced("enforcer", "outcome"): 2.0,
        },
    }


def ends(**changes: int) -> Mapping[str, int]:
    return {
        **{topic.name: 0 for topic in topics.ALL},
        "moderation.raw.yidun_audio": 6,
        "moderation.raw.agora_ncs": 3,
        topics.VERDICTS: 7,
        topics.SIGNALS: 2,
        topics.ACTIONS: 3,
        topics.OUTCOMES: 2,
        topics.DEAD_LETTERS: 2,
        **{f"moderation.{name.replace('_', '-')}": end for name, end in changes.items()},
    }


def wrong(lines: list[Line]) -> list[str]:
    return [f"{line.name}: {line}" for line in lines if not line.balanced]


def test_a_pipeline_that_lost_nothing_balances_at_every_boundary() -> None:
    lines = ledger.pipeline(Counts(counters()), ends())
    assert wrong(lines) == []
    assert [line.name for line in lines] == [
        "receiver",
        "raw topics",
        "normalizer",
        "normalizer",
        "verdicts",
        "signals",
        "policy",
        "policy",
        "strikes",
        "counter",
        "counter",
        "actions",
        "enforcer",
        "enforcer",
        "outcomes",
        "outcomes",
        "dead letters",
    ]


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        (
            {"verdicts": 6},
            ["verdicts: records 6 = written by the normalizer 7", "policy: verdicts 6 = consumed 7"],
        ),
        ({"signals": 3}, ["signals: records 3 = written by the normalizer 2"]),
        (
            {"outcomes": 1},
            [
                "outcomes: records 1 = written by the enforcer 2",
                "outcomes: actions 3 = outcomes 1 + dead-lettered 1",
            ],
        ),
        ({"dead_letters": 1}, ["dead letters: records 1 = normalizer 1 + policy 0 + counter 0 + enforcer 1"]),
    ],
)
def test_a_record_that_a_topic_lacks_or_has_too_many_is_named_by_its_line(
    changes: dict[str, int], faults: list[str]
) -> None:
    assert wrong(ledger.pipeline(Counts(counters()), ends(**changes))) == faults


@pytest.mark.parametrize(
    ("name", "labels", "line"),
    [
        (ledger.REJECTED, (("code", "bad_token"), ("source", "agora_ncs")), "receiver"),
        (ledger.IGNORED, (("stage", "policy"),), "policy"),
        (ledger.DONE, (("stage", "enforcer"),), "enforcer"),
    ],
)
def test_a_counter_that_missed_one_unbalances_its_stage(
    name: str, labels: tuple[tuple[str, str], ...], line: str
) -> None:
    values = counters()
    values[name][labels] -= 1
    assert [found.name for found in ledger.pipeline(Counts(values), ends()) if not found.balanced] == [line]


def test_a_line_is_read_as_an_equation() -> None:
    line = Line("receiver", {"received": 1204}, {"published": 1200, "rejected": 3})
    assert str(line) == "received 1,204 = published 1,200 + rejected 3"
    assert not line.balanced


def test_counters_are_the_same_from_the_registry_and_from_its_metrics_page() -> None:
    registry = CollectorRegistry()
    answered = Counter("moderato_answers_total", "Answers.", ("source", "code"), registry=registry)
    Gauge("moderato_depth", "No counter.", registry=registry).set(7)
    answered.labels("yidun_audio", "200").inc(3)
    answered.labels("yidun_audio", "503").inc(2)
    answered.labels("agora_ncs", "200").inc(5)
    page = text_string_to_metric_families(generate_latest(registry).decode())
    for counts in (Counts.of(registry.collect()), Counts.of(page)):
        assert counts.total("moderato_answers_total") == 10
        assert counts.total("moderato_answers_total", source="yidun_audio") == 5
        assert counts.by("moderato_answers_total", "code") == {("200",): 8, ("503",): 2}
        assert counts.by("moderato_answers_total", "source", "code")["agora_ncs", "200"] == 5


def test_a_name_that_is_no_counter_is_an_error_and_not_nought() -> None:
    counts = Counts.of(metrics.REGISTRY.collect())
    with pytest.raises(KeyError, match="moderato_callbacks_recieved_total"):
        counts.total("moderato_callbacks_recieved_total")
    with pytest.raises(KeyError, match="moderato_stage_lag_records"):
        counts.by("moderato_stage_lag_records", "stage")


def test_every_counter_of_the_ledger_exists_in_the_registry() -> None:
    counts = Counts.of(metrics.REGISTRY.collect())
    nothing = dict.fromkeys((topic.name for topic in topics.ALL), 0)
    assert wrong(ledger.pipeline(counts.since(counts), nothing)) == []


def test_a_difference_counts_from_the_earlier_moment_on_also_for_new_labels() -> None:
    registry = CollectorRegistry()
    answered = Counter("moderato_answers_total", "Answers.", ("code",), registry=registry)
    answered.labels("200").inc(3)
    before = Counts.of(registry.collect())
    answered.labels("200").inc()
    answered.labels("503").inc(2)
    since = Counts.of(registry.collect()).since(before)
    assert since.by("moderato_answers_total", "code") == {("200",): 1, ("503",): 2}
