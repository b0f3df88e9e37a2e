"""What a scrape costs: bounded by closed label sets, held here for 8 sources and 20 tenants in one process."""

import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ingest.clients import KINDS
from ingest.refusals import OF_NO_SOURCE, OF_SOURCE
from moderato import metrics
from moderato.records import (
    ActionType,
    Category,
    Decision,
    Judge,
    OutcomeState,
    SessionState,
    Severity,
    SignalKind,
)
from moderato.sources import Source
from normalize.mappings import MAPPINGS
from normalize.scale import Candidate, built_in
from sinks.enforce.registry import EXECUTORS
from sinks.feedback import agreement
from sinks.policy.shadow import BESIDE

ROOT = Path(__file__).parents[2]

VENDOR_OUTCOMES = ("ok", "refused", "throttled", "unavailable", "unreadable", "cancelled")
VENDOR_OPERATIONS = {
    "agora": ("acquire", "start", "query", "stop", "kick", "list_rules", "delete_rule"),
    "shumei": ("start", "finish"),
    "iflytek": ("submit", "query"),
    "yidun": ("check", "feedback", "results", "query_task"),
    "yunxin": ("token", "room", "members", "kick", "unkick", "close_room"),
}


PRODUCED = {
    "controller": ("session", "signal"),
    "normalizer": ("verdict", "signal"),
    "policy": ("action", "strike", "tally", "brake"),
    "counter": ("action", "tally", "brake"),
    "enforcer": ("outcome", "session_request"),
}


def reachable(source: Source) -> set[tuple[Severity, Category]]:
    """Every severity and category that a verdict of this source can have by the tables."""
    tables = built_in()
    name = MAPPINGS[source].table
    if name is None:
        return set()
    vendor = tables.vendors[name]
    found = {(Severity.MEDIUM, Category.OTHER)}
    categories = {category for labels in vendor.labels.values() for category in labels.values()} | {None}
    for decision, category, rate, low in itertools.product(Decision, categories, (None, 0.1), (False, True)):
        judged = tables.judge(source, decision, [Candidate(category, rate)], suspect_low=low)
        found.add((judged.severity, judged.category))
    for people in vendor.people.values():
        for action, category in itertools.product(people.values(), categories):
            judged = tables.judge_people(action, Candidate(category))
            found.add((judged.severity, judged.category))
    return found


def signals_of(source: Source) -> set[SignalKind]:
    """Every kind of signal that is named in the code of this source's mapping, or of mappings that it imports."""
    left, seen = [f"normalize.mappings.{source}"], set[str]()
    found: set[SignalKind] = set()
    while left:
        module = left.pop()
        if module in seen or not (path := ROOT / f"{module.replace('.', '/')}.py").is_file():
            continue
        seen.add(module)
        text = path.read_text(encoding="utf-8")
        found |= {SignalKind[name] for name in re.findall(r"SignalKind\.([A-Z_]+)", text)}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("normalize.mappings"):
                left += [str(node.module), *(f"{node.module}.{name.name}" for name in node.names)]
    return found


def fill_all() -> None:
    """Touches every series that can come to be in a process that runs all roles."""
    for source, state in itertools.product(KINDS, SessionState):
        metrics.SESSIONS.labels(source, state)
        metrics.SESSIONS_UNWATCHED_SECONDS.labels(source)
        metrics.SESSIONS_SILENT_SECONDS.labels(source)
        for tenant in range(20):
            metrics.SESSIONS_UNWATCHED.labels(source, f"tenant-{tenant}")
            metrics.SESSIONS_AT_FAULT.labels(source, f"tenant-{tenant}")
    judging = [source for source in Source if MAPPINGS[source].table]
    for source in judging:
        vendor = built_in().vendors[MAPPINGS[source].table or ""]
        judges = {Judge.MACHINE} | ({Judge.VENDOR_HUMAN} if vendor.people else set())
        if source in (Source.YIDUN_AUDIO, Source.YUNXIN_RTC):
            judges.add(Judge.CUSTOMER_HUMAN)  # censorSource 1
        for decision, judge in itertools.product(Decision, judges):
            metrics.DECISIONS.labels(source, decision, judge)
        metrics.VERDICT_AGE.observe(source, [1.0])
        metrics.UNMAPPED.labels(source)
        metrics.DEGRADED.labels(source)
        if vendor.people:
            metrics.FEEDBACK_MISSED.labels(source)
            flagged = {category for severity, category in reachable(source) if severity is not Severity.NONE}
            for category, outcome in itertools.product(flagged, ("confirmed", "refuted")):
                metrics.FEEDBACK.labels(source, category, outcome)
    for (source, other), outcome in itertools.product(
        itertools.combinations(judging, 2), set(agreement.OUTCOMES) - {"neither"}
    ):
        metrics.AGREEMENT.labels(source, other, outcome)
    for source in Source:
        metrics.CALLBACKS_RECEIVED.labels(source)
        metrics.CALLBACKS_PUBLISHED.labels(source)
        metrics.CALLBACK_SECONDS.labels(source)
        for code in OF_SOURCE:
            metrics.CALLBACKS_REJECTED.labels(source, code)
        for severity, category in reachable(source):
            metrics.VERDICTS.labels(source, severity, category)
        for kind in signals_of(source):
            metrics.SIGNALS.labels(source, kind)
    for code in OF_NO_SOURCE:
        metrics.CALLBACKS_REJECTED.labels("unknown", code)
    for tenant, severity in itertools.product(range(20), Severity):
        metrics.TENANT_VERDICTS.labels(f"tenant-{tenant}", severity)
    for vendor, operations in VENDOR_OPERATIONS.items():
        metrics.VENDOR_SECONDS.labels(vendor)
        for operation, outcome in itertools.product(operations, VENDOR_OUTCOMES):
            metrics.VENDOR_CALLS.labels(vendor, operation, outcome)
    for beside in BESIDE:
        metrics.SHADOW.labels(beside)
    for action in ActionType:
        metrics.OUTCOME_AGE.labels(action)
        if action is not ActionType.LIFT:  # which only people demand
            for mode in ("enforce", "shadow"):
                metrics.ACTIONS.labels(action, mode)
            metrics.BRAKED.labels(action)
        for state in set(OutcomeState) - {OutcomeState.DONE, OutcomeState.FAILED}:
            metrics.OUTCOMES.labels(action, state, "none")
        for name, kind in EXECUTORS.items():
            for state in (OutcomeState.DONE, OutcomeState.FAILED, OutcomeState.UNSUPPORTED):
                if kind.takes(action):
                    metrics.OUTCOMES.labels(action, state, name)
    for tenant, name in itertools.product(range(20), EXECUTORS):
        metrics.EXECUTOR_OPEN.labels(f"tenant-{tenant}", name)
    for stage, kinds in PRODUCED.items():
        metrics.STAGE_CONSUMED.labels(stage)
        for produced in (*kinds, "dead_letter"):
            metrics.STAGE_PRODUCED.labels(stage, produced)


def test_a_process_has_fewer_than_2000_series_with_8_sources_and_20_tenants() -> None:
    # In a process of its own: the registry is one a process, and other tests count in this one.
    script = (
        "from tests.moderato.test_metrics import fill_all; from moderato.metrics import REGISTRY\n"
        "from prometheus_client import generate_latest; fill_all()\n"
        "print(sum(not line.startswith(b'#') for line in generate_latest(REGISTRY).splitlines()))"
    )
    counted = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 800 < int(counted.stdout) < 2000


def test_no_label_can_hold_an_id() -> None:
    allowed = {
        "source",
        "code",
        "stage",
        "kind",
        "severity",
        "category",
        "decision",
        "judge",
        "tenant",
        "type",
    }
    allowed |= {
        "mode",
        "other",
        "beside",
        "state",
        "executor",
        "result",
        "reason",
        "le",
        "vendor",
        "operation",
        "outcome",
        "generation",
        "version",
        "implementation",
    }
    allowed |= {"major", "minor", "patchlevel"}
    for family in text_string_to_metric_families(generate_latest(metrics.REGISTRY).decode()):
        for sample in family.samples:
            assert set(sample.labels) <= allowed, sample


def test_every_metric_of_ours_is_named_and_explained_as_prometheus_wants() -> None:
    for family in text_string_to_metric_families(generate_latest(metrics.REGISTRY).decode()):
        assert family.documentation, family.name
        if family.name.startswith("moderato_") and family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_a_batch_histogram_counts_as_prometheus_own() -> None:
    from prometheus_client import Histogram

    registry = CollectorRegistry()
    plain = Histogram("plain_seconds", "x", ("source",), buckets=(1, 2, 5), registry=registry)
    ours = metrics.BatchHistogram("batch_seconds", "x", "source", (1, 2, 5))
    try:
        values = [0.5, 1.0, 1.5, 2.0, 4.0, 7.0]
        for value in values:
            plain.labels("a").observe(value)
        ours.observe("a", values[:3])
        ours.observe("a", values[3:])
        [family] = list(ours.collect())
        mine = {
            (sample.name.replace("batch", "plain"), sample.labels.get("le")): sample.value
            for sample in family.samples
        }
        theirs = {
            (sample.name, sample.labels.get("le")): sample.value
            for family in registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }
        assert mine == theirs
    finally:
        metrics.REGISTRY.unregister(ours)


def test_counters_have_no_second_series_for_their_creation() -> None:
    metrics.CALLBACKS_RECEIVED.labels("unknown")
    lines = generate_latest(metrics.REGISTRY).decode().splitlines()
    names = {line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#")}
    assert "moderato_callbacks_received_total" in names
    assert not {name for name in names if name.endswith("_created")}
