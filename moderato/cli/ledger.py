"""The ledger: what each stage counted on one side of a boundary against what is on the other side of it.

Pure: it takes counters of one process or the sum over several, and how many records each topic has had.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from moderato import topics
from moderato.sources import Source

Labels = tuple[tuple[str, str], ...]

RECEIVED = "moderato_callbacks_received_total"
PUBLISHED = "moderato_callbacks_published_total"
REJECTED = "moderato_callbacks_rejected_total"
CONSUMED = "moderato_stage_consumed_total"
DONE = "moderato_stage_done_total"
IGNORED = "moderato_stage_ignored_total"
DEAD_LETTERED = "moderato_stage_dead_lettered_total"
PRODUCED = "moderato_stage_produced_total"

RAW_TOPICS = tuple(topics.raw(source) for source in Source)


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

    def since(self, earlier: "Counts") -> "Counts":
        """What was counted after `earlier`."""
        return Counts(
            {
                name: {
                    labels: value - earlier._values[name].get(labels, 0.0) for labels, value in series.items()
                }
                for name, series in self._values.items()
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
    """An equation between two sums; `left` and `right` are their terms by name."""

    name: str
    left: Mapping[str, int]
    right: Mapping[str, int]

    @property
    def balanced(self) -> bool:
        return sum(self.left.values()) == sum(self.right.values())

    def __str__(self) -> str:
        return f"{_sum(self.left)} = {_sum(self.right)}"


def _sum(terms: Mapping[str, int]) -> str:
    return " + ".join(f"{name} {count:,}" for name, count in terms.items())


def pipeline(counts: Counts, ends: Mapping[str, int]) -> list[Line]:
    """The ledger of all stages. `ends`: the number of records that each topic has ever had, which is the sum of its
    partitions' end offsets."""
    raw = sum(ends[topic] for topic in RAW_TOPICS)
    return [
        Line(
            "receiver",
            {"received": counts.total(RECEIVED)},
            {"published": counts.total(PUBLISHED), "rejected": counts.total(REJECTED)},
        ),
        Line("raw topics", {"records": raw}, {"published": counts.total(PUBLISHED)}),
        *_stage(counts, "normalizer", {"raw records": raw}),
        _written(counts, ends, "verdicts", topics.VERDICTS, "normalizer", "verdict"),
        _written(counts, ends, "signals", topics.SIGNALS, "normalizer", "signal"),
        *_stage(counts, "policy", {"verdicts": ends[topics.VERDICTS]}),
        _written(counts, ends, "actions", topics.ACTIONS, "policy", "action"),
        *_stage(counts, "enforcer", {"actions": ends[topics.ACTIONS]}),
        _written(counts, ends, "outcomes", topics.OUTCOMES, "enforcer", "outcome"),
        Line(
            "outcomes",
            {"actions": ends[topics.ACTIONS]},
            {
                "outcomes": ends[topics.OUTCOMES],
                "dead-lettered": counts.total(DEAD_LETTERED, stage="enforcer"),
            },
        ),
        Line(
            "dead letters",
            {"records": ends[topics.DEAD_LETTERS]},
            {
                stage: counts.total(DEAD_LETTERED, stage=stage)
                for stage in ("normalizer", "policy", "enforcer")
            },
        ),
    ]


def _stage(counts: Counts, stage: str, offered: Mapping[str, int]) -> list[Line]:
    consumed = {"consumed": counts.total(CONSUMED, stage=stage)}
    fates = {
        "done": counts.total(DONE, stage=stage),
        "ignored": counts.total(IGNORED, stage=stage),
        "dead-lettered": counts.total(DEAD_LETTERED, stage=stage),
    }
    return [Line(stage, offered, consumed), Line(stage, consumed, fates)]


def _written(counts: Counts, ends: Mapping[str, int], name: str, topic: str, stage: str, kind: str) -> Line:
    return Line(
        name,
        {"records": ends[topic]},
        {f"written by the {stage}": counts.total(PRODUCED, stage=stage, kind=kind)},
    )
