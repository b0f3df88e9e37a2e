"""Reads all topics and holds them against what was sent and acknowledged."""

from collections import Counter
from dataclasses import dataclass, field

import orjson
from aiokafka import ConsumerRecord
from confluent_kafka import Consumer, TopicPartition

from moderato import topics
from moderato.bus.history import Record
from moderato.sources import Source
from normalize.worker import Normalizer
from simulator.callbacks.contract import sequence_in
from tests.faults.driver import Driver

_RAW = {topics.raw(source) for source in Source}


@dataclass
class Findings:
    """Numbers of callbacks, or ids of records, that are not as promised; repeats are no fault."""

    lost: set[str] = field(default_factory=set)
    invented: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    disordered: set[str] = field(default_factory=set)
    duplicates: int = 0

    @property
    def faults(self) -> int:
        return len(self.lost) + len(self.invented) + len(self.altered) + len(self.disordered)


class Judge:
    """Keeps what it has read: each `read` goes on where the last one ended."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.records: dict[str, list[Record]] = {topic.name: [] for topic in topics.ALL}
        self._normalizer = Normalizer({})
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "judge", "enable.auto.commit": False, "log_level": 0}
        )
        self._consumer.assign(
            [TopicPartition(name, place, 0) for name in self.records for place in range(partitions)]
        )

    def close(self) -> None:
        self._consumer.close()

    def read(self) -> None:
        """Until nothing has come for a second."""
        while message := self._consumer.poll(1.0):
            if message.error():
                continue
            topic, place, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None
            assert place is not None
            assert offset is not None
            headers = tuple(message.headers() or ())
            record: Record = ConsumerRecord(
                topic, place, offset, 0, 0, message.key(), message.value(), None, 0, 0, headers
            )
            self.records[topic].append(record)

    def findings(self, driver: Driver) -> Findings:
        """What of all that was sent so far is not as promised."""
        found = Findings()
        raw = [record for name in _RAW for record in self.records[name]]
        self._raw(raw, driver, found)
        self._results(raw, found)
        done = {orjson.loads(each.value or b"{}").get("action_id") for each in self.records[topics.OUTCOMES]}
        dead = set(self._ids(topics.DEAD_LETTERS))
        found.lost |= {f"outcome of {id_}" for id_ in self._ids(topics.ACTIONS) if id_ not in done | dead}
        return found

    def _raw(self, raw: list[Record], driver: Driver, found: Findings) -> None:
        seen: set[int] = set()
        last: dict[tuple[str, bytes | None], int] = {}
        for record in raw:
            number = sequence_in(record.value or b"")
            if number is None or number not in driver.sent:
                found.invented.add(f"{record.topic}/{record.partition}/{record.offset}")
                continue
            if record.value != driver.sent[number].body:
                found.altered.add(str(number))
            if number not in seen and number in driver.acknowledged:
                place = record.topic, record.key
                if number < last.get(place, -1):
                    found.disordered.add(str(number))
                last[place] = max(number, last.get(place, -1))
            seen.add(number)
        found.lost |= {str(number) for number in driver.acknowledged - seen}

    def _results(self, raw: list[Record], found: Findings) -> None:
        verdicts, signals = Counter(self._ids(topics.VERDICTS)), Counter(self._ids(topics.SIGNALS))
        dead = Counter(self._ids(topics.DEAD_LETTERS))
        found.duplicates += sum(sum(ids.values()) - len(ids) for ids in (verdicts, signals))
        due: set[str] = set()
        for record in raw:
            reading = self._normalizer.reading(record)
            due |= {verdict.id for verdict in reading.verdicts}
            due |= {signal.id for signal in reading.signals}
            if reading.faults and reading.raw.id not in dead:
                found.lost.add(f"dead letter of {reading.raw.id}")
        written = set(verdicts) | set(signals)
        found.lost |= due - written
        found.invented |= written - due

    def _ids(self, topic: str) -> list[str]:
        return [dict(record.headers)["ce_id"].decode() for record in self.records[topic]]
