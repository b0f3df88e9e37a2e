"""Compares the counters of several processes with the topics, over a time: what adds up, what does not, and what
cannot be compared since a counter was lost with its process. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client.metrics_core import Metric

from moderato.cli.ledger import (
    CONSUMED,
    NAMES,
    RECEIVED,
    RECEIVER,
    STAGES,
    TOPICS,
    Counts,
    Line,
    pipeline,
)
from moderato.errors import Fatal

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Process:
    """One process's counters. `started`: epoch seconds, None where the system does not tell."""

    url: str
    started: float | None
    counts: Counts
    spool: int
    """Callbacks that wait in its spool."""

    @classmethod
    def of(cls, url: str, families: Iterable[Metric]) -> "Process":
        """From a parsed /metrics page. Raises Fatal when it is none of Moderato's."""
        families = list(families)
        gauges = {
            sample.name: sample.value
            for family in families
            if family.type == "gauge"
            for sample in family.samples
        }
        counts = Counts.of(families)
        if missing := counts.missing(NAMES):
            raise Fatal(f"{url}: that is no metrics page of this version's Moderato: no {', '.join(missing)}")
        spool = round(gauges.get("moderato_spool_entries", 0))
        return cls(url, gauges.get("process_start_time_seconds"), counts.only(NAMES), spool)

    @property
    def roles(self) -> set[str]:
        """The roles that have counted anything in this process."""
        stages = {stage for stage in STAGES if self.counts.by(CONSUMED, "stage")[(stage,)]}
        return stages | ({RECEIVER} if self.counts.total(RECEIVED) else set())


@dataclass(frozen=True, slots=True)
class Offsets:
    """What Kafka says: records that each topic has ever had, and that each stage has not committed."""

    ends: Mapping[str, int]
    waiting: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Look:
    """Everything at about one moment. Counters and topics cannot be read at once: `early` are the processes before
    the topics were read, `late` the same after. `at` is epoch seconds."""

    at: float
    early: Sequence[Process]
    offsets: Offsets
    late: Sequence[Process]

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {
            "version": _VERSION,
            "at": self.at,
            "ends": dict(self.offsets.ends),
            "waiting": dict(self.offsets.waiting),
            "early": [_process_json(each) for each in self.early],
            "late": [_process_json(each) for each in self.late],
        }

    @classmethod
    def from_json(cls, data: Any) -> "Look":
        """Raises ValueError for what `as_json` did not make."""
        try:
            if data["version"] != _VERSION:
                raise ValueError(f"its version is {data['version']!r}, not {_VERSION}")
            ends = {topic: int(data["ends"][topic]) for topic in TOPICS}
            waiting = {stage: int(data["waiting"][stage]) for stage in STAGES}
            early, late = ([_process(each) for each in data[name]] for name in ("early", "late"))
            return cls(float(data["at"]), early, Offsets(ends, waiting), late)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def _process_json(each: Process) -> dict[str, Any]:
    return {"url": each.url, "started": each.started, "counts": each.counts.as_json(), "spool": each.spool}


def _process(data: Any) -> Process:
    return Process(str(data["url"]), data["started"], Counts.from_json(data["counts"]), int(data["spool"]))


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the ledger, with the counters of the last look, and what it is worth; `words`: what to say of it,
    or why it was not compared."""

    line: Line
    status: Literal["ok", "twice", "not compared", "fault"]
    words: str


def audit(before: Look | None, now: Look) -> list[Finding]:
    """The ledger from `before`, or from the very beginning, until `now`.

    A line holds when its two sides can have been equal at the moment at which the topics were read. Raises Fatal for
    topics that were made anew since."""
    gaps = _gaps(before, now)
    # The fewest that can have been counted between the two readings of the topics, and the most.
    fewest = _lines(before, before.late if before else (), now.early, now.offsets)
    most = _lines(before, before.early if before else (), now.late, now.offsets)
    return [_finding(low, high, gaps) for low, high in zip(fewest, most, strict=True)]


def _lines(
    before: Look | None, earlier: Sequence[Process], processes: Sequence[Process], offsets: Offsets
) -> list[Line]:
    counts = _since(earlier, processes)
    after = {**offsets.waiting, RECEIVER: _spooled(processes)}
    if before is None:
        return pipeline(counts, offsets.ends, {role: (0, left) for role, left in after.items()})
    waited = {**before.offsets.waiting, RECEIVER: _spooled(earlier)}
    ends = {topic: end - before.offsets.ends[topic] for topic, end in offsets.ends.items()}
    if anew := [topic for topic, end in ends.items() if end < 0]:
        raise Fatal(f"{', '.join(anew)}: made anew since the baseline: save a new one")
    return pipeline(counts, ends, {role: (waited[role], left) for role, left in after.items()})


def _spooled(processes: Iterable[Process]) -> int:
    return sum(each.spool for each in processes)


def _since(earlier: Iterable[Process], processes: Iterable[Process]) -> Counts:
    known = {(each.url, each.started): each.counts for each in earlier}
    return Counts.added(
        each.counts.since(known[each.url, each.started]) if (each.url, each.started) in known else each.counts
        for each in processes
    )


def _gaps(before: Look | None, now: Look) -> dict[str, str]:
    """Roles whose counters over the period are not complete, each with the reason."""
    running = {each.url: each for each in now.late}
    seen = {role for each in now.late for role in each.roles}
    roles = (RECEIVER, *STAGES)
    gaps = {role: f"no process of the {role} has counted anything" for role in roles if role not in seen}
    if before is None:
        reason = "what was counted before these processes started is not known: see --since"
        return {role: gaps.get(role, reason) for role in roles}
    for each in before.late:
        other = running.get(each.url)
        if other is None:
            gaps |= dict.fromkeys(each.roles, f"{each.url} is in the baseline and was not asked now")
        elif other.started != each.started:
            gaps |= dict.fromkeys(each.roles | other.roles, f"{each.url} was restarted since the baseline")
    asked = {each.url for each in before.late}
    for each in now.late:
        if each.url not in asked and (each.started is None or each.started < before.at):
            gaps |= dict.fromkeys(each.roles, f"{each.url} is older than the baseline and not in it")
    return gaps


def _finding(low: Line, high: Line, gaps: Mapping[str, str]) -> Finding:
    left = sorted((sum(low.left.values()), sum(high.left.values())))
    right = sorted((sum(low.right.values()), sum(high.right.values())))
    if left[0] <= right[1] and right[0] <= left[1]:
        return Finding(high, "ok", "ok" if high.balanced else "ok (in motion)")
    for role in high.counted_by:
        if role in gaps:
            return Finding(high, "not compared", gaps[role])
    more = "left" if left[0] > right[1] else "right"
    by = max(left[0] - right[1], right[0] - left[1])
    if more == high.repeats:
        return Finding(high, "twice", f"ok, {by:,} of them twice")
    return Finding(high, "fault", f"DOES NOT BALANCE, by {by:,}")
