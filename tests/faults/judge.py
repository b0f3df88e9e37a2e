"""Reads all topics and holds them against what was sent and acknowledged.

It does the pipeline's work once more, with its own pure functions, to know what has to be there: of each raw record
its verdicts and signals, or its dead letter; of each verdict its actions and strikes; of the strikes of one subject, in
their order, the actions of the rules that count; of each action its outcome."""

import asyncio
import collections
import contextlib
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields

import orjson
from aiokafka import ConsumerRecord
from confluent_kafka import Consumer, TopicPartition

from moderato import topics
from moderato.bus.record import Record
from moderato.errors import Poison
from moderato.records import OutcomeState
from moderato.sources import Source
from moderato.times import epoch, now
from normalize.worker import Normalizer
from simulator.callbacks.contract import sequence_in
from sinks.policy.brakes import Brakes
from sinks.policy.counter import SUBJECTS
from sinks.policy.evaluate import Evaluator
from sinks.policy.loading import BUILT_IN, load
from sinks.policy.windows import Windows
from sinks.policy.worker import PolicyWorker
from tests.faults.driver import digest

_RAW = {topics.raw(source) for source in Source}
_CALL = 5.0  # seconds from the decision to carry something out until it is done
BAD_KEY = b"bad"
"""The key of records that tests write into topics past the pipeline."""

POLICY = Evaluator(load(BUILT_IN))


@dataclass
class Findings:
    """Numbers of callbacks, ids of records or lines of the ledger that are not as promised."""

    lost: set[str] = field(default_factory=set)
    invented: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    disordered: set[str] = field(default_factory=set)
    unrecognisable: set[str] = field(default_factory=set)
    """Repetitions whose id is another one than the first time."""
    repeated: set[str] = field(default_factory=set)
    """Actions that were carried out more often than one crash explains."""
    late: set[str] = field(default_factory=set)
    """Actions that were carried out when they had expired."""
    unbalanced: set[str] = field(default_factory=set)

    @property
    def faults(self) -> int:
        return sum(len(getattr(self, each.name)) for each in fields(self))

    def __str__(self) -> str:
        named = ((each.name, sorted(getattr(self, each.name))) for each in fields(self))
        return "; ".join(f"{name} {len(what)}: {', '.join(what[:5])}" for name, what in named if what)


class Bench:
    """What has been read so far, and what follows from it. Records are taken in the order of their partitions."""

    def __init__(self) -> None:
        self.duplicates = 0
        """Raw records, verdicts and signals that are there once more: no fault."""
        self.taken = 0
        self._normalizer = Normalizer({})
        self._policy = PolicyWorker(lambda: POLICY, Brakes())
        self._raw_ids: dict[int, str] = {}
        self._last: dict[tuple[str, bytes | None], int] = {}
        self._due: set[str] = set()  # verdicts and signals
        self._dead_due: set[str] = set()
        self._actions_due: set[str] = set()
        self._strikes_due: set[str] = set()
        self._strikes: set[str] = set()
        self._windows: dict[int, Windows] = {}  # by partition of the strikes
        self._written: set[str] = set()
        self._actions: set[str] = set()
        self._settled: set[str] = set()  # actions with an outcome
        self._expiries: dict[str, float] = {}
        self._done: collections.defaultdict[str, set[str]] = collections.defaultdict(set)  # actions: when
        self._dead: set[str] = set()
        self._altered: set[str] = set()
        self._invented: set[str] = set()
        self._disordered: set[str] = set()
        self._unrecognisable: set[str] = set()

    def take(self, record: Record, sent: Mapping[int, bytes], acknowledged: Collection[int]) -> None:
        """One more record of any topic."""
        self.taken += 1
        if record.key == BAD_KEY and record.topic != topics.DEAD_LETTERS:
            self._take_bad(record)
            return
        if record.topic in _RAW:
            self._take_raw(record, sent, acknowledged)
            return
        id_ = dict(record.headers).get("ce_id", b"").decode()
        if record.topic == topics.DEAD_LETTERS:
            headers = dict(record.headers)
            self._dead |= {id_, _place(headers["dl_topic"], headers["dl_partition"], headers["dl_offset"])}
        elif record.topic in (topics.VERDICTS, topics.SIGNALS):
            if id_ in self._written:
                self.duplicates += 1
            elif record.topic == topics.VERDICTS:
                self._judge(record)
            self._written.add(id_)
        elif record.topic == topics.STRIKES:
            self._strikes.add(_strike(record.key, id_))
            self._count(record)
        elif record.topic == topics.ACTIONS:
            self._actions.add(id_)
            if expires := orjson.loads(record.value or b"{}").get("expires_at"):
                self._expiries[id_] = epoch(expires) or 0.0
        elif record.topic == topics.OUTCOMES:
            outcome = orjson.loads(record.value or b"{}")
            self._settled.add(outcome.get("action_id"))
            if outcome.get("state") == OutcomeState.DONE:
                # One that was written twice was not done twice.
                self._done[outcome["action_id"]].add(outcome["finished_at"])

    def findings(self, acknowledged: Collection[int]) -> Findings:
        """What is not as promised, given what was acknowledged so far."""
        lost = {str(number) for number in acknowledged if number not in self._raw_ids}
        lost |= {f"result {id_}" for id_ in self._due - self._written}
        lost |= {f"dead letter {id_}" for id_ in self._dead_due - self._dead}
        lost |= {f"strike {id_}" for id_ in self._strikes_due - self._strikes}
        lost |= {f"action {id_}" for id_ in self._actions_due - self._actions}
        lost |= {f"outcome of {id_}" for id_ in self._actions - self._settled - self._dead}
        invented = self._invented | {f"result {id_}" for id_ in self._written - self._due}
        invented |= {f"strike {id_}" for id_ in self._strikes - self._strikes_due}
        invented |= {f"action {id_}" for id_ in self._actions - self._actions_due}
        invented |= {f"outcome of {id_}" for id_ in self._settled - self._actions}
        return Findings(
            lost,
            invented,
            set(self._altered),
            set(self._disordered),
            set(self._unrecognisable),
            repeated={id_ for id_, times in self._done.items() if len(times) > 2},
            late={
                id_
                for id_, times in self._done.items()
                if id_ in self._expiries
                and any((epoch(at) or 0.0) > self._expiries[id_] + _CALL for at in times)
            },
        )

    def _take_bad(self, record: Record) -> None:
        """A record that none of our processes has written: it has to be in the dead letters. One that looks like a
        callback nobody can read has its fail-safe verdict besides."""
        self._dead_due.add(f"{record.topic}/{record.partition}/{record.offset}")
        if record.topic in _RAW:
            with contextlib.suppress(Poison):
                self._due |= {verdict.id for verdict in self._normalizer.reading(record).verdicts}

    def _take_raw(self, record: Record, sent: Mapping[int, bytes], acknowledged: Collection[int]) -> None:
        number = sequence_in(record.value or b"")
        if number is None or number not in sent:
            self._invented.add(f"{record.topic}/{record.partition}/{record.offset}")
            return
        reading = self._normalizer.reading(record)
        if digest(record.value or b"") != sent[number]:
            self._altered.add(str(number))
        if number in self._raw_ids:
            self.duplicates += 1
            if self._raw_ids[number] != reading.raw.id:
                self._unrecognisable.add(str(number))
        else:
            self._raw_ids[number] = reading.raw.id
            if number in acknowledged:
                lane = record.topic, record.key
                if number < self._last.get(lane, -1):
                    self._disordered.add(str(number))
                self._last[lane] = max(number, self._last.get(lane, -1))
        self._due |= {verdict.id for verdict in reading.verdicts}
        self._due |= {signal.id for signal in reading.signals}
        if reading.faults:
            self._dead_due.add(reading.raw.id)

    def _judge(self, verdict: Record) -> None:
        """What the policy demands for a verdict by itself, and for whom it has to be counted."""
        for message in asyncio.run(self._policy.handle([verdict])).messages:
            id_ = dict(message.headers)["ce_id"].decode()
            if message.topic == topics.ACTIONS:
                self._actions_due.add(id_)
            elif message.topic == topics.STRIKES:
                self._strikes_due.add(_strike(message.key, id_))

    def _count(self, strike: Record) -> None:
        """What the policy demands with one more strike. Windows that were made anew have to come to the same."""
        windows = self._windows.setdefault(strike.partition, Windows(SUBJECTS))
        verdict, subject = orjson.loads(strike.value or b""), (strike.key or b"").decode()
        self._actions_due |= {action.id for action in POLICY.count(verdict, subject, windows, now())}


def _strike(subject: bytes | None, verdict: str) -> str:
    return f"{verdict} for {(subject or b'').decode()}"


def _place(topic: bytes, partition: bytes, offset: bytes) -> str:
    return f"{topic.decode()}/{partition.decode()}/{offset.decode()}"


class Judge:
    """A bench, and the consumer that feeds it: each `read` goes on where the last one ended."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.bench = Bench()
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "judge", "enable.auto.commit": False, "log_level": 0}
        )
        self._consumer.assign(
            [TopicPartition(topic.name, place, 0) for topic in topics.ALL for place in range(partitions)]
        )

    def close(self) -> None:
        self._consumer.close()

    def read(self, sent: Mapping[int, bytes], acknowledged: Collection[int], quiet: float = 0.5) -> None:
        """Until nothing has come for a while. Raw records first: what follows from them may overtake them."""
        later: list[Record] = []
        while message := self._consumer.poll(quiet):
            if message.error():
                continue
            topic, place, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None
            assert place is not None
            assert offset is not None
            headers = tuple(message.headers() or ())
            stamp = round(time.time() * 1000)
            record: Record = ConsumerRecord(
                topic, place, offset, stamp, 0, message.key(), message.value(), None, 0, 0, headers
            )
            if topic in _RAW:
                self.bench.take(record, sent, acknowledged)
            else:
                later.append(record)
        for record in later:
            self.bench.take(record, sent, acknowledged)
