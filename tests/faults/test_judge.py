"""The judge is judged: a small world in which all is well, and each way in which it could be otherwise."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NoReturn

import orjson
import pytest
from aiokafka import ConsumerRecord

from ingest.callbacks import CALLBACKS, identity
from ingest.callbacks.contract import Delivery
from moderato import codec, topics
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from normalize.worker import Normalizer
from simulator.targets import example_targets
from simulator.traffic import DEFAULT_MIX, make_feeds
from sinks.enforce.registry import Routes
from sinks.enforce.worker import Enforcer
from sinks.policy.brakes import Brakes
from sinks.policy.counter import Counter
from sinks.policy.worker import PolicyWorker
from tests.faults.driver import digest
from tests.faults.judge import BAD_KEY, POLICY, Bench, Findings
from tests.sinks.enforce.support import nothing

_CALLBACKS = 800


@dataclass
class World:
    """What was sent and acknowledged, and all records in the order in which they were written."""

    sent: dict[int, bytes] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    records: list[Record] = field(default_factory=list)

    def judged(self) -> tuple[Findings, int]:
        bench = Bench()
        for record in self.records:
            bench.take(record, self.sent, self.acknowledged)
        return bench.findings(self.acknowledged), bench.duplicates

    def pick(self, topic: str, place: int = 0) -> Record:
        return [record for record in self.records if record.topic == topic][place]

    def write(
        self, topic: str, key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]]
    ) -> Record:
        offset = sum(record.topic == topic for record in self.records)
        record: Record = ConsumerRecord(
            topic, 0, offset, round(time.time() * 1000), 0, key, value, None, 0, 0, tuple(headers)
        )
        self.records.append(record)
        return record

    def write_all(self, messages: Iterable[Message]) -> list[Record]:
        return [self.write(*message) for message in messages]


def _no_past(*_: object) -> NoReturn:
    raise AssertionError("the strikes begin with the first")


async def _made() -> World:
    """Callbacks of all sources, received, normalized, judged by the policy and carried out."""
    world, feeds = World(), make_feeds("http://localhost", example_targets(), 16, seed=7)
    for number in range(_CALLBACKS):
        feed, now = feeds[number % len(feeds)], time.time()
        callback = feed.callback(feed.moment(number, now - 1, now, DEFAULT_MIX), malformed=number % 40 == 39)
        world.sent[number] = digest(callback.body)
        world.acknowledged.add(number)
        found = identity(
            CALLBACKS[callback.source], Delivery(callback.body, callback.content_type, callback.headers)
        )
        key = f"default/{found.task}"
        headers = codec.encode(
            "raw",
            id=found.id,
            source=callback.source,
            tenant="default",
            key=key,
            time="2026-11-21T08:00:00.000Z",
            content_type=callback.content_type,
        )
        world.write(topics.raw(callback.source), key.encode(), callback.body, headers)
    made = await Normalizer({}).handle(list(world.records))
    written = world.write_all(made.messages)
    verdicts = [record for record in written if record.topic == topics.VERDICTS]
    demanded = await PolicyWorker(lambda: POLICY, Brakes()).handle(verdicts)
    results = world.write_all(demanded.messages)
    strikes = [record for record in results if record.topic == topics.STRIKES]
    results += world.write_all((await Counter(lambda: POLICY, _no_past, Brakes()).handle(strikes)).messages)
    actions = [record for record in results if record.topic == topics.ACTIONS]
    routes = Routes()
    await routes.open({})
    world.write_all((await Enforcer(routes.of, nothing).handle(actions)).messages)
    await routes.close()
    return world


@pytest.fixture(scope="module")
def well() -> World:
    return asyncio.run(_made())


@pytest.fixture
def world(well: World) -> World:
    return replace(
        well, sent=dict(well.sent), acknowledged=set(well.acknowledged), records=list(well.records)
    )


RAW = topics.raw("shumei_audio")


def test_a_world_in_which_all_is_well_has_every_kind_of_record_and_no_fault(world: World) -> None:
    # The shipped policy has no limits of which processes would have to tell each other.
    others = (topics.SESSIONS, topics.SESSION_REQUESTS, topics.BRAKES, topics.TALLIES)
    assert {record.topic for record in world.records} == {topic.name for topic in topics.ALL} - {*others}
    found, duplicates = world.judged()
    assert found.faults == 0, str(found)
    assert duplicates == 0
    rules = {
        orjson.loads(record.value or b"")["rule"]["id"]
        for record in world.records
        if record.topic == topics.ACTIONS
    }
    assert rules & {rule.id for rule in POLICY.policy.rules if rule.count}


@pytest.mark.parametrize(
    "topic",
    [
        RAW,
        topics.VERDICTS,
        topics.SIGNALS,
        topics.STRIKES,
        topics.ACTIONS,
        topics.OUTCOMES,
        topics.DEAD_LETTERS,
    ],
)
def test_a_record_that_is_not_there_is_lost(world: World, topic: str) -> None:
    world.records.remove(world.pick(topic, 1))
    found, _ = world.judged()
    assert found.lost


def test_what_was_acknowledged_and_never_stored_is_lost(world: World) -> None:
    world.sent[_CALLBACKS] = digest(b"a body")
    world.acknowledged.add(_CALLBACKS)
    assert world.judged()[0].lost == {str(_CALLBACKS)}


def test_what_was_neither_acknowledged_nor_stored_is_not_lost(world: World) -> None:
    world.sent[_CALLBACKS] = digest(b"a body")
    assert world.judged()[0].faults == 0


def test_a_callback_that_nobody_sent_is_invented(world: World) -> None:
    original = world.pick(RAW)
    world.write(RAW, original.key, (original.value or b"").replace(b"sim0", b"sim9"), original.headers)
    assert world.judged()[0].invented


@pytest.mark.parametrize("topic", [topics.VERDICTS, topics.SIGNALS, topics.ACTIONS, topics.OUTCOMES])
def test_a_result_of_nothing_is_invented(world: World, topic: str) -> None:
    original = world.pick(topic)
    headers = [(name, b"of-nothing" if name == "ce_id" else value) for name, value in original.headers]
    value = (original.value or b"").replace(b'"action_id":"', b'"action_id":"of-nothing-')
    world.write(topic, original.key, value, headers)
    assert world.judged()[0].invented


@pytest.mark.parametrize(
    "change", [lambda body: body + b" ", lambda body: body[:-1]], ids=["longer", "shorter"]
)
def test_a_body_that_is_not_the_same_to_the_byte_is_altered(
    world: World, change: Callable[[bytes], bytes]
) -> None:
    original = world.pick(RAW)
    place = world.records.index(original)
    world.records[place] = ConsumerRecord(**{**vars(original), "value": change(original.value or b"")})
    assert world.judged()[0].altered


def test_two_callbacks_of_one_key_that_have_changed_places_are_out_of_order(world: World) -> None:
    first = world.pick(RAW)
    (second, *_) = [
        each for each in world.records if each.topic == RAW and each.key == first.key and each is not first
    ]
    here, there = world.records.index(first), world.records.index(second)
    world.records[here], world.records[there] = second, first
    assert world.judged()[0].disordered


@pytest.mark.parametrize("topic", [RAW, topics.VERDICTS, topics.SIGNALS])
def test_a_record_that_is_there_twice_is_counted_and_no_fault(world: World, topic: str) -> None:
    original = world.pick(topic)
    world.write(topic, original.key, original.value, original.headers)
    found, duplicates = world.judged()
    assert (found.faults, duplicates) == (0, 1)


def _outcome_once_more(world: World, **changes: object) -> None:
    original = next(
        record
        for record in world.records
        if record.topic == topics.OUTCOMES and orjson.loads(record.value or b"")["state"] == "done"
    )
    value = orjson.dumps(orjson.loads(original.value or b"") | changes)
    world.write(topics.OUTCOMES, original.key, value, original.headers)


def test_an_action_that_was_done_again_after_one_crash_is_no_fault_and_after_that_it_is(world: World) -> None:
    _outcome_once_more(world)  # the same record, written twice
    _outcome_once_more(world, finished_at="2026-11-21T08:00:01.000Z")
    assert world.judged()[0].faults == 0
    _outcome_once_more(world, finished_at="2026-11-21T08:00:02.000Z")
    assert len(world.judged()[0].repeated) == 1


def test_an_action_that_was_done_after_it_had_expired_is_late(world: World) -> None:
    place, original = next(
        (place, record)
        for place, record in enumerate(world.records)
        if record.topic == topics.OUTCOMES
        and orjson.loads(record.value or b"")["type"] in ("kick", "mute", "warn", "ban")
        and orjson.loads(record.value or b"")["state"] == "done"
    )
    value = orjson.dumps(orjson.loads(original.value or b"") | {"finished_at": "2099-01-01T00:00:00.000Z"})
    world.records[place] = ConsumerRecord(**{**vars(original), "value": value})
    assert len(world.judged()[0].late) == 1


def test_a_repetition_under_another_id_is_not_recognisable(world: World) -> None:
    original = world.pick(RAW)
    headers = [(name, b"another" if name == "ce_id" else value) for name, value in original.headers]
    world.write(RAW, original.key, original.value, headers)
    assert world.judged()[0].unrecognisable


def test_a_foreign_record_has_to_be_in_the_dead_letters(world: World) -> None:
    record = world.write(RAW, BAD_KEY, b"no headers", ())
    assert world.judged()[0].lost
    (letter,) = asyncio.run(Normalizer({}).handle([record])).messages
    world.write(*letter)
    assert world.judged()[0].faults == 0
