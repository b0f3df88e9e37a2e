"""The closed list of metrics. Labels take closed sets of values only: never a room, a user, a URL or an id.

Counting on the hot paths is done once a batch, not once a record. Names follow Prometheus: `_total` counts,
`_seconds` and `_bytes` are base units.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter, which nobody asks for

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
Info(
    "moderato_build", "The version that runs; every process has it, whatever its role.", registry=REGISTRY
).info({"version": version("moderato")})

# From a spoken word to its verdict lie seconds (a segment is 10 s long) to a day (Yidun repeats for 24 hours).
_AGES = (0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 86400)
_LATENCIES = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5)


class BatchHistogram(Collector):
    """A histogram with one label that takes a batch of values at a time, at a tenth of the cost a value."""

    def __init__(self, name: str, documentation: str, label: str, buckets: Sequence[float]) -> None:
        self._name, self._documentation, self._label = name, documentation, label
        self._bounds = tuple(buckets)
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        REGISTRY.register(self)

    def observe(self, value: str, numbers: Iterable[float]) -> None:
        """Counts all `numbers` under one value of the label."""
        counts = self._counts.setdefault(value, [0] * (len(self._bounds) + 1))
        total = 0.0
        for number in numbers:
            counts[bisect_left(self._bounds, number)] += 1
            total += number
        self._sums[value] = self._sums.get(value, 0.0) + total

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The family without samples: the registry keeps its names from being taken twice."""
        return [HistogramMetricFamily(self._name, self._documentation, labels=[self._label])]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """One family, as Prometheus wants it: cumulative buckets up to +Inf."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self._label])
        for value, counts in list(self._counts.items()):
            buckets, reached = [], 0
            for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
                reached += count
                buckets.append(("+Inf" if bound == float("inf") else repr(float(bound)), float(reached)))
            family.add_metric([value], buckets, self._sums[value])
        return [family]


# --- Receiver: received = published + spooled + rejected -------------------------------------------------------------
CALLBACKS_RECEIVED = Counter(
    "moderato_callbacks_received_total",
    "HTTP requests that reached the receiver; `unknown` for a path that names no source.",
    ("source",),
    registry=REGISTRY,
)
CALLBACKS_PUBLISHED = Counter(
    "moderato_callbacks_published_total",
    "Callbacks acknowledged with 2xx after all in-sync replicas had them.",
    ("source",),
    registry=REGISTRY,
)
CALLBACKS_SPOOLED = Counter(
    "moderato_callbacks_spooled_total",
    "Callbacks acknowledged with 2xx after they were fsynced in the spool.",
    ("source",),
    registry=REGISTRY,
)
CALLBACKS_REJECTED = Counter(
    "moderato_callbacks_rejected_total",
    "Requests answered with anything but 2xx, by error code.",
    ("source", "code"),
    registry=REGISTRY,
)
CALLBACK_SECONDS = Histogram(
    "moderato_callback_seconds",
    "From the first byte of an acknowledged callback to its answer.",
    ("source",),
    buckets=_LATENCIES,
    registry=REGISTRY,
)
OBSERVED_SIGNATURES = Counter(
    "moderato_observed_signatures_total",
    "Signatures that are checked but not enforced, since the vendor does not publish their formula.",
    ("source", "result"),
    registry=REGISTRY,
)

# --- Spool: spooled = drained + set aside + what still waits ---------------------------------------------------------
CALLBACKS_DRAINED = Counter(
    "moderato_callbacks_drained_total",
    "Spooled callbacks that all in-sync replicas have now.",
    ("source",),
    registry=REGISTRY,
)
SPOOL_SET_ASIDE = Counter(
    "moderato_spool_set_aside_total",
    "Spooled callbacks that did not reach Kafka: corrupt (a checksum is wrong), damaged (a part of the file cannot be "
    "read), refused (larger than the topic takes).",
    ("reason",),
    registry=REGISTRY,
)
SPOOL_ENTRIES = Gauge(
    "moderato_spool_entries", "Callbacks that wait in the spool for Kafka.", registry=REGISTRY
)
SPOOL_BYTES = Gauge(
    "moderato_spool_bytes", "What the spool takes on disk, its free pages left out.", registry=REGISTRY
)
SPOOL_OLDEST_AGE = Gauge(
    "moderato_spool_oldest_age_seconds", "How long the oldest spooled callback has waited.", registry=REGISTRY
)
SPOOLING = Gauge(
    "moderato_spooling",
    "1 while Kafka does not answer and callbacks go to the spool.",
    registry=REGISTRY,
)

# --- Stages: consumed = done + ignored + dead_lettered ---------------------------------------------------------------
STAGE_CONSUMED = Counter(
    "moderato_stage_consumed_total",
    "Kafka records a stage has finished with: their results are acknowledged.",
    ("stage",),
    registry=REGISTRY,
)
STAGE_DONE = Counter("moderato_stage_done_total", "Records that gave results.", ("stage",), registry=REGISTRY)
STAGE_IGNORED = Counter(
    "moderato_stage_ignored_total",
    "Authentic records that call for nothing (a notice of no interest, no rule that matches).",
    ("stage",),
    registry=REGISTRY,
)
STAGE_DEAD_LETTERED = Counter(
    "moderato_stage_dead_lettered_total",
    "Records of which a copy is in the dead letters.",
    ("stage",),
    registry=REGISTRY,
)
STAGE_PRODUCED = Counter(
    "moderato_stage_produced_total",
    "Records a stage has written, by kind, once they are acknowledged.",
    ("stage", "kind"),
    registry=REGISTRY,
)
STAGE_LAG = Gauge(
    "moderato_stage_lag_records",
    "Records of the assigned partitions that are not fetched yet.",
    ("stage",),
    registry=REGISTRY,
)
STAGE_RETRIES = Counter(
    "moderato_stage_retries_total",
    "Batches whose results Kafka did not take at the first try.",
    ("stage",),
    registry=REGISTRY,
)
STAGE_HALTED = Gauge(
    "moderato_stage_halted",
    "1 while a stage has stopped because too much would go to the dead letters.",
    ("stage",),
    registry=REGISTRY,
)
REBALANCES = Counter(
    "moderato_rebalances_total", "Times partitions were assigned anew.", ("stage",), registry=REGISTRY
)

# --- Business --------------------------------------------------------------------------------------------------------
VERDICTS = Counter(
    "moderato_verdicts_total",
    "Verdicts by source, severity and category.",
    ("source", "severity", "category"),
    registry=REGISTRY,
)
DECISIONS = Counter(
    "moderato_decisions_total",
    "Verdicts by source, decision and judge (machine or person).",
    ("source", "decision", "judge"),
    registry=REGISTRY,
)
TENANT_VERDICTS = Counter(
    "moderato_tenant_verdicts_total",
    "Verdicts by tenant and severity.",
    ("tenant", "severity"),
    registry=REGISTRY,
)
UNMAPPED = Counter(
    "moderato_unmapped_verdicts_total",
    "Verdicts with a label that no table has.",
    ("source",),
    registry=REGISTRY,
)
DEGRADED = Counter(
    "moderato_degraded_verdicts_total",
    "Fail-safe verdicts: content that nobody judged.",
    ("source",),
    registry=REGISTRY,
)
SIGNALS = Counter(
    "moderato_signals_total", "Signals by source and kind.", ("source", "kind"), registry=REGISTRY
)
VERDICT_AGE = BatchHistogram(
    "moderato_verdict_age_seconds", "From the end of the judged content to its verdict.", "source", _AGES
)
ACTIONS = Counter(
    "moderato_actions_total", "Actions demanded by the policy.", ("type", "mode"), registry=REGISTRY
)
SHADOW = Counter(
    "moderato_policy_shadow_total",
    "Actions of rules in shadow mode, by what enforced rules demand with the same verdict: the same of the same "
    "target, something other, or nothing.",
    ("beside",),
    registry=REGISTRY,
)
FEEDBACK = Counter(
    "moderato_feedback_total",
    "Machines' verdicts that flagged something, once a person has decided on it too, by what the person said: "
    "confirmed or refuted.",
    ("source", "category", "outcome"),
    registry=REGISTRY,
)
FEEDBACK_MISSED = Counter(
    "moderato_feedback_missed_total",
    "Verdicts of people who flagged what no machine of that source is known to have flagged.",
    ("source",),
    registry=REGISTRY,
)
AGREEMENT = Counter(
    "moderato_agreement_total",
    "Minutes of rooms that the machines of two sources judged and at least one flagged: both, only source, or only "
    "other.",
    ("source", "other", "outcome"),
    registry=REGISTRY,
)
POLICY_SUBJECTS = Gauge(
    "moderato_policy_subjects",
    "Users, accounts and rooms whose strikes are in memory, by rule.",
    registry=REGISTRY,
)
POLICY_LATE = Counter(
    "moderato_policy_late_strikes_total",
    "Strikes that became known more than an hour after they happened; they are not counted.",
    registry=REGISTRY,
)
POLICY_EVICTED = Counter(
    "moderato_policy_evicted_subjects_total",
    "Subjects whose strikes were forgotten to make room for others.",
    registry=REGISTRY,
)
POLICY_REFUSED = Gauge(
    "moderato_policy_refused",
    "1 while the policy file is faulty; the policy of before stays in effect.",
    registry=REGISTRY,
)
BRAKED = Counter(
    "moderato_policy_braked_total",
    "Actions that a quota, a trip switch or a person's brake kept from being carried out.",
    ("type",),
    registry=REGISTRY,
)
BRAKES_PULLED = Gauge(
    "moderato_policy_brakes_pulled",
    "Brakes that hold: rules that must not hit anybody until they are released.",
    registry=REGISTRY,
)
OUTCOMES = Counter(
    "moderato_outcomes_total", "Outcomes of actions.", ("type", "state", "executor"), registry=REGISTRY
)
EXECUTOR_OPEN = Gauge(
    "moderato_executor_open",
    "1 while an executor of a tenant is left alone: nobody answered several times in a row, or the endpoint wants no "
    "more.",
    ("tenant", "executor"),
    registry=REGISTRY,
)
OUTCOME_AGE = Histogram(
    "moderato_outcome_age_seconds",
    "From the end of the judged content to the outcome of an action that was carried out.",
    ("type",),
    buckets=_AGES,
    registry=REGISTRY,
)

# --- Sessions --------------------------------------------------------------------------------------------------------
SESSIONS = Gauge(
    "moderato_sessions",
    "Sessions that this controller drives, by state: requested, starting, active or stopping.",
    ("source", "state"),
    registry=REGISTRY,
)
SESSIONS_UNWATCHED = Gauge(
    "moderato_sessions_unwatched",
    "Sessions that are to be active and of which no task is known to run.",
    ("source", "tenant"),
    registry=REGISTRY,
)
SESSIONS_AT_FAULT = Gauge(
    "moderato_sessions_at_fault",
    "Sessions with whose vendor something went wrong last: it refused, did not answer, or said that the task failed.",
    ("source", "tenant"),
    registry=REGISTRY,
)
SESSIONS_SILENT_SECONDS = Gauge(
    "moderato_sessions_silent_seconds",
    "For how long the most silent active session has not been heard of: no callback, and no answer when it was asked.",
    ("source",),
    registry=REGISTRY,
)
SESSIONS_UNWATCHED_SECONDS = Gauge(
    "moderato_sessions_unwatched_seconds",
    "For how long the oldest of these has been in its state.",
    ("source",),
    registry=REGISTRY,
)
# --- Calls to vendors ------------------------------------------------------------------------------------------------
VENDOR_CALLS = Counter(
    "moderato_vendor_calls_total",
    "Attempts to call a vendor's API, by what came of them: ok, refused, throttled, unavailable, unreadable or "
    "cancelled.",
    ("vendor", "operation", "outcome"),
    registry=REGISTRY,
)
VENDOR_SECONDS = Histogram(
    "moderato_vendor_call_seconds",
    "How long one attempt took, the wait for the rate limit left out.",
    ("vendor",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
    registry=REGISTRY,
)
