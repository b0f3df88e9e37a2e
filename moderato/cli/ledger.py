"""The ledger: what each stage counted on one side of a boundary against what is on the other side of it.

Pure: it takes counters of one process or the sum over several, and how many records each topic has had.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client.metrics_core import Metric

from moderato import topics
from moderato.sources import Source

Labels = tuple[tuple[str, str], ...]

RECEIVED = "moderato_callbacks_received_total"
PUBLISHED = "moderato_callbacks_published_total"
SPOOLED = "moderato_callbacks_spooled_total"
DRAINED = "moderato_callbacks_drained_total"
SET_ASIDE = "moderato_spool_set_aside_total"
REJECTED = "moderato_callbacks_rejected_total"
CONSUMED = "moderato_stage_consumed_total"
DONE = "moderato_stage_done_total"
IGNORED = "moderato_stage_ignored_total"
DEAD_LETTERED = "moderato_stage_dead_lettered_total"
PRODUCED = "moderato_stage_produced_total"

NAMES = (
    RECEIVED,
    PUBLISHED,
    SPOOLED,
    DRAINED,
    SET_ASIDE,
    REJECTED,
    CONSUMED,
    DONE,
    IGNORED,
    DEAD_LETTERED,
    PRODUCED,
)

RAW_TOPICS = tuple(topics.raw(source) for source in Source)
TOPICS = (
    *RAW_TOPICS,
    topics.VERDICTS,
    topics.SIGNALS,
    topics.STRIKES,
    topics.ACTIONS,
    topics.OUTCOMES,
    topics.DEAD_LETTERS,
)

RECEIVER = "receiver"
STAGES: Mapping[str, tuple[str, ...]] = {
    "normalizer": RAW_TOPICS,
    "policy": (topics.VERDICTS,),
    "counter": (topics.STRIKES,),
    "enforcer": (topics.ACTIONS,),
}
"""What each stage consumes."""

Side = Literal["left", "right"]


class Counts:
    """Counters by name and labels, at one moment or (a difference of two) over a time."""

    def __init__(self, values: Mapping[str, Mapping[Labels, float]]) -> None:
        self._values = values

    @classmethod
    def of(cls, families: Iterable[Metric]) -> "Counts":
        """The counters of a registry (`registry.collect()`), or of a parsed /metrics page."""
        values: dict[str, dict[Labels, float]] = {}
        for family in families:
            if family.type == "counter":
                series = values.setdefault(f"{family.name}_total", {})
                for sample in family.samples:
                    if sample.name.endswith("_total"):
                        series[tuple(sorted(sample.labels.items()))] = sample.value
        return cls(values)

    @classmethod
    def added(cls, several: Iterable["Counts"]) -> "Counts":
        """The sums over several processes."""
        values: dict[str, dict[Labels, float]] = {}
        for counts in several:
            for name, series in counts._values.items():
                sums = values.setdefault(name, {})
                for labels, value in series.items():
                    sums[labels] = sums.get(labels, 0.0) + value
        return cls(values)

    def since(self, earlier: "Counts") -> "Counts":
        """What was counted after `earlier`."""
        return Counts(
            {
                name: {
                    labels: value - earlier._values.get(name, {}).get(labels, 0.0)
                    for labels, value in series.items()
                }
                for name, series in self._values.items()
            }
        )

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are no counters here."""
        return [name for name in names if name not in self._values]

    def only(self, names: Iterable[str]) -> "Counts":
        """Nothing but the counters `names`. Raises KeyError when one is missing."""
        return Counts({name: self._values[name] for name in names})

    def as_json(self) -> dict[str, list[Any]]:
        """For a file: a list of labels and value for each series, by name."""
        return {
            name: [[dict(labels), value] for labels, value in series.items()]
            for name, series in self._values.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Iterable[Any]]) -> "Counts":
        """Raises AttributeError, TypeError or ValueError for what `as_json` did not make."""
        return cls(
            {
                name: {tuple(sorted(labels.items())): float(value) for labels, value in series}
                for name, series in data.items()
            }
        )

    def total(self, name: str, **labels: str) -> int:
        """The sum over all series that carry `labels`. Raises KeyError for a name that is no counter: a metric that
        was renamed must not balance as 0 = 0."""
        wanted = labels.items()
        return round(
            sum(value for series, value in self._values[name].items() if wanted <= dict(series).items())
        )

    def by(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        """The sums for each combination of values of `labels`. Raises KeyError likewise."""
        sums: Counter[tuple[str, ...]] = Counter()
        for series, value in self._values[name].items():
            found = dict(series)
            sums[tuple(found.get(label, "") for label in labels)] += round(value)
        return sums


@dataclass(frozen=True, slots=True)
class Line:
    """An equation between two sums; `left` and `right` are their terms by name.

    `repeats`: the side that grows when a record is written or consumed twice, which is at least once and no loss.
    `counted_by`: the roles whose counters since the beginning of the period have to be complete, all processes of them;
    none where each process balances by itself."""

    name: str
    left: Mapping[str, int]
    right: Mapping[str, int]
    repeats: Side | None = None
    counted_by: tuple[str, ...] = ()

    @property
    def balanced(self) -> bool:
        return sum(self.left.values()) == sum(self.right.values())

    def __str__(self) -> str:
        return f"{_sum(self.left)} = {_sum(self.right)}"


def _sum(terms: Mapping[str, int]) -> str:
    return " + ".join(f"{name} {count:,}" for name, count in terms.items())


def pipeline(
    counts: Counts, ends: Mapping[str, int], waiting: Mapping[str, tuple[int, int]] | None = None
) -> list[Line]:
    """The ledger of all stages. `ends`: the number of records that each topic has ever had, which is the sum of its
    partitions' end offsets, or has had in the period. `waiting`, by role: what waited for it at the beginning of the
    period, and at its end: records that a stage had not committed, callbacks in the receiver's spool. Without it
    nothing does."""
    raw = sum(ends[topic] for topic in RAW_TOPICS)
    published = counts.total(PUBLISHED)
    return [
        Line(
            RECEIVER,
            {"received": counts.total(RECEIVED)},
            {
                "published": published,
                **_some("spooled", counts.total(SPOOLED)),
                "rejected": counts.total(REJECTED),
            },
        ),
        Line(
            "raw topics",
            {"records": raw},
            {"published": published, **_some("drained", counts.total(DRAINED))},
            "left",
            (RECEIVER,),
        ),
        *_spool(counts, waiting),
        *_stage(counts, "normalizer", {"raw records": raw}, waiting),
        _written(counts, ends, "verdicts", topics.VERDICTS, "normalizer", "verdict"),
        _written(counts, ends, "signals", topics.SIGNALS, "normalizer", "signal"),
        *_stage(counts, "policy", {"verdicts": ends[topics.VERDICTS]}, waiting),
        _written(counts, ends, "strikes", topics.STRIKES, "policy", "strike"),
        *_stage(counts, "counter", {"strikes": ends[topics.STRIKES]}, waiting),
        _written(counts, ends, "actions", topics.ACTIONS, ("policy", "counter"), "action"),
        *_stage(counts, "enforcer", {"actions": ends[topics.ACTIONS]}, waiting),
        _written(counts, ends, "outcomes", topics.OUTCOMES, "enforcer", "outcome"),
        _outcomes(counts, ends, waiting),
        Line(
            "dead letters",
            {"records": ends[topics.DEAD_LETTERS]},
            {stage: counts.total(DEAD_LETTERED, stage=stage) for stage in STAGES},
            "left",
            _processes(STAGES),
        ),
    ]


def _processes(stages: Iterable[str]) -> tuple[str, ...]:
    """Without the counter, which is part of the policy's processes and has nothing to count under most policies."""
    return tuple(stage for stage in stages if stage != "counter")


def _some(name: str, count: int) -> dict[str, int]:
    """A term that is there when there is anything to tell."""
    return {name: count} if count else {}


def _spool(counts: Counts, waiting: Mapping[str, tuple[int, int]] | None) -> list[Line]:
    if waiting is None:
        return []
    before, after = _waiting(RECEIVER, waiting)
    left = {"drained": counts.total(DRAINED), "set aside": counts.total(SET_ASIDE)}
    spooled = {"spooled": counts.total(SPOOLED)}
    return [Line("spool", {**spooled, **before}, {**left, **after}, "right", (RECEIVER,))]


def _stage(
    counts: Counts,
    stage: str,
    offered: Mapping[str, int],
    waiting: Mapping[str, tuple[int, int]] | None,
) -> list[Line]:
    consumed = {"consumed": counts.total(CONSUMED, stage=stage)}
    fates = {
        "done": counts.total(DONE, stage=stage),
        "ignored": counts.total(IGNORED, stage=stage),
        "dead-lettered": counts.total(DEAD_LETTERED, stage=stage),
    }
    before, after = _waiting(stage, waiting)
    return [
        Line(stage, {**offered, **before}, {**consumed, **after}, "right", (stage,)),
        Line(stage, consumed, fates),
    ]


def _waiting(
    stage: str, waiting: Mapping[str, tuple[int, int]] | None
) -> tuple[dict[str, int], dict[str, int]]:
    """The terms of what waits, on both sides of an equation."""
    if waiting is None:
        return {}, {}
    before, after = waiting[stage]
    return _some("waited", before), {"waiting": after}


def _outcomes(counts: Counts, ends: Mapping[str, int], waiting: Mapping[str, tuple[int, int]] | None) -> Line:
    """Every action ends in one outcome. While actions wait, topics cannot tell: offsets are committed after the
    outcomes are written."""
    dead = {"dead-lettered": counts.total(DEAD_LETTERED, stage="enforcer")}
    if waiting is None:
        return Line(
            "outcomes", {"actions": ends[topics.ACTIONS]}, {"outcomes": ends[topics.OUTCOMES], **dead}
        )
    consumed = {"consumed actions": counts.total(CONSUMED, stage="enforcer")}
    written = {"outcomes": counts.total(PRODUCED, stage="enforcer", kind="outcome")}
    return Line("outcomes", consumed, {**written, **dead})


def _written(
    counts: Counts, ends: Mapping[str, int], name: str, topic: str, stage: str | tuple[str, ...], kind: str
) -> Line:
    stages = (stage,) if isinstance(stage, str) else stage
    return Line(
        name,
        {"records": ends[topic]},
        {f"written by the {stage}": counts.total(PRODUCED, stage=stage, kind=kind) for stage in stages},
        "left",
        _processes(stages),
    )
