"""Rules that count: from verdicts to strikes to actions, and what a crash or another member changes of it (nothing)."""

import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from moderato import topics
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.errors import Fatal
from moderato.times import epoch, rfc3339
from sinks.policy import counter
from sinks.policy.brakes import Brakes
from sinks.policy.counter import Counter
from sinks.policy.evaluate import Evaluator
from sinks.policy.fields import LONGEST_WITHIN
from sinks.policy.windows import LATENESS
from sinks.policy.worker import PolicyWorker
from tests.sinks.policy.support import policy, rule
from tests.sinks.support import NOW, body_of, consumed, verdict

_START = epoch("2026-11-21T08:00:00.000Z") or 0.0
THRICE = rule("thrice", {}, "kick", count={"at_least": 3, "within": "10m"})


def at(second: float, number: int, **changes: Any) -> dict[str, Any]:
    """A verdict of that second, known a second later."""
    times = {"occurred_at": rfc3339(_START + second), "normalized_at": rfc3339(_START + second + 1)}
    return verdict(id=f"req-{number}#0", segment_id=f"seg-{number}", **times, **changes)


async def strikes_of(evaluator: Evaluator, *verdicts: dict[str, Any]) -> list[Record]:
    """The strikes' topic, in one partition, as the policy stage writes it."""
    worker = PolicyWorker(lambda: evaluator, Brakes(), clock=lambda: NOW)
    results = await worker.handle([consumed("verdict", each) for each in verdicts])
    strikes = [message for message in results.messages if message.topic == topics.STRIKES]
    return [_record(message, offset) for offset, message in enumerate(strikes)]


def _record(message: Message, offset: int) -> Record:
    value = message.value
    assert value is not None
    return ConsumerRecord(
        topics.STRIKES, 0, offset, 0, 0, message.key, value, None, 0, len(value), message.headers
    )


class Log:
    """What Kafka keeps of the strikes' topic."""

    def __init__(self, records: Sequence[Record], *, away: int = 0) -> None:
        self._records = records
        self._away = away
        self.asked = 0

    @contextlib.asynccontextmanager
    async def past(
        self, offsets: Mapping[TopicPartition, int], since: float
    ) -> AsyncIterator[AsyncIterator[list[Record]]]:
        self.asked += 1
        if self.asked <= self._away:
            raise Fatal("kafka.bootstrap: no answer")
        [end] = offsets.values()

        async def batches() -> AsyncIterator[list[Record]]:
            for record in self._records[:end]:
                known = epoch(orjson.loads(record.value or b"")["normalized_at"])
                if known is not None and known >= since:
                    yield [record]

        yield batches()


def counting(evaluator: Evaluator, log: Log) -> Counter:
    return Counter(lambda: evaluator, log.past, Brakes(), clock=lambda: NOW)


async def actions(stage: Counter, records: Sequence[Record]) -> list[dict[str, Any]]:
    return [body_of(message) for message in (await stage.handle(records)).messages]


async def test_the_third_within_ten_minutes_is_kicked_and_none_before() -> None:
    evaluator = Evaluator(policy(THRICE))
    strikes = await strikes_of(evaluator, at(0, 0), at(300, 1), at(599, 2), at(1300, 3))
    assert [record.key for record in strikes] == [b"acme/u-42"] * 4
    made = await actions(counting(evaluator, Log(strikes)), strikes)
    assert [(each["type"], each["verdict"]["id"], each["rule"]["id"]) for each in made] == [
        ("kick", "req-2#0", "thrice")
    ]


async def test_a_rule_that_counts_acts_on_no_verdict_by_itself_and_counts_no_pass() -> None:
    evaluator = Evaluator(policy(rule("r", {"decision": ["pass", "block"]}, "kick", count=THRICE["count"])))
    worker = PolicyWorker(lambda: evaluator, Brakes(), clock=lambda: NOW)
    a_pass = at(0, 0, decision="pass", severity="none", severity_level=0, category="none")
    results = await worker.handle([consumed("verdict", a_pass), consumed("verdict", at(0, 1))])
    assert (results.kinds, results.done, results.ignored) == ({"strike": 1}, 1, 1)


async def test_a_verdict_is_counted_for_everyone_whom_some_rule_counts() -> None:
    count = {"at_least": 2, "within": "1m"}
    rules = [rule(per, {}, "review", count=count | {"per": per}) for per in ("user", "account", "room")]
    strikes = await strikes_of(Evaluator(policy(*rules, rule("again", {}, count=count))), at(0, 0))
    assert [record.key for record in strikes] == [b"acme/u-42", b"acme/acc-9", b"acme/lounge-7"]


async def test_a_user_and_a_room_of_one_name_are_counted_apart() -> None:
    count = {"at_least": 2, "within": "1m"}
    rules = [rule(per, {}, "review", count=count | {"per": per}) for per in ("user", "room")]
    evaluator = Evaluator(policy(*rules))
    strikes = await strikes_of(evaluator, at(0, 0, user="x", room="x"), at(1, 1, user="x", room="y"))
    made = await actions(counting(evaluator, Log(strikes)), strikes)
    assert [each["rule"]["id"] for each in made] == ["user"]


async def test_a_ladder_gives_the_highest_rung_that_is_reached() -> None:
    ladder = [
        {"at_least": 2, "then": [{"action": "mute", "duration": "10m"}]},
        {"at_least": 4, "then": [{"action": "ban"}]},
    ]
    rungs = rule("ladder", {}, "warn", count={"at_least": 1, "within": "1h"}, ladder=ladder)
    evaluator = Evaluator(policy(rungs))
    strikes = await strikes_of(evaluator, *(at(number, number) for number in range(5)), at(7200, 9))
    made = await actions(counting(evaluator, Log(strikes)), strikes)
    assert [each["type"] for each in made] == ["warn", "mute", "mute", "ban", "ban", "warn"]


async def test_agreement_needs_two_vendors_and_segments_count_once() -> None:
    agree = {"at_least": 2, "within": "60s", "per": "room", "distinct": "source"}
    segments = {"at_least": 2, "within": "60s", "distinct": "segment"}
    evaluator = Evaluator(
        policy(rule("agree", {}, "review", count=agree), rule("segments", {}, "mute", count=segments))
    )
    first, again = at(0, 0), at(1, 1) | {"segment_id": "seg-0"}
    strikes = await strikes_of(evaluator, first, again, at(2, 2, source="yidun_audio", user=None))
    made = await actions(counting(evaluator, Log(strikes)), strikes)
    assert [(each["rule"]["id"], each["verdict"]["id"]) for each in made] == [("agree", "req-2#0")]


@given(st.integers(0, 2**32), st.integers(5, 40))
async def test_crashes_and_other_members_lose_no_action_and_invent_none(seed: int, number: int) -> None:
    chance = random.Random(seed)
    evaluator = Evaluator(policy(THRICE))
    second, verdicts = 0.0, []
    for each in range(number):
        second += chance.choice([10, 200, 400])
        verdicts.append(at(second, each, user=chance.choice(["a", "b"])))
        if chance.random() < 0.2:
            verdicts.append(chance.choice(verdicts))
    strikes = await strikes_of(evaluator, *verdicts)
    log = Log(strikes)
    due = {each["id"] for each in await actions(counting(evaluator, log), strikes)}
    members = [counting(evaluator, log) for _ in range(2)]
    made: set[str] = set()
    committed = 0
    while committed < len(strikes):
        place = chance.randrange(2)
        if chance.random() < 0.3:
            members[place] = counting(evaluator, log)  # killed, and started again
        batch = strikes[committed : committed + chance.randint(1, 5)]
        found = {each["id"] for each in await actions(members[place], batch)}
        assert found <= due
        if chance.random() < 0.3:
            continue  # died before it had written, or written and not committed
        made |= found
        committed += len(batch)
    assert made == due


async def test_windows_outlast_a_reload_that_counts_the_same_and_else_are_made_anew() -> None:
    evaluator = Evaluator(policy(THRICE))
    current = [evaluator]
    strikes = await strikes_of(evaluator, *(at(number, number) for number in range(4)))
    log = Log(strikes)
    stage = Counter(lambda: current[0], log.past, Brakes(), clock=lambda: NOW)
    assert await actions(stage, strikes[:2]) == []
    current[0] = Evaluator(policy(THRICE | {"then": [{"action": "mute"}]}))
    assert [each["type"] for each in await actions(stage, strikes[2:3])] == ["mute"]
    assert log.asked == 0
    current[0] = Evaluator(policy(THRICE | {"count": {"at_least": 4, "within": "10m"}}))
    assert [each["type"] for each in await actions(stage, strikes[3:4])] == ["kick"]
    assert log.asked == 1


async def test_a_log_that_cannot_be_read_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter, "_RETRY", 0.0)
    evaluator = Evaluator(policy(THRICE))
    strikes = await strikes_of(evaluator, *(at(number, number) for number in range(3)))
    log = Log(strikes, away=2)
    assert len(await actions(counting(evaluator, log), strikes[2:])) == 1
    assert log.asked == 3


async def test_a_strike_that_cannot_be_read_goes_to_the_dead_letters() -> None:
    evaluator = Evaluator(policy(THRICE))
    strikes = await strikes_of(evaluator, at(0, 0), at(1, 1) | {"normalized_at": "yesterday"})
    results = await counting(evaluator, Log(strikes)).handle(strikes)
    assert (results.dead_lettered, results.ignored) == (1, 1)


def test_the_strikes_are_kept_longer_than_the_longest_window_and_the_lateness() -> None:
    [topic] = [topic for topic in topics.ALL if topic.name == topics.STRIKES]
    assert topic.retention_ms / 1000 > LONGEST_WITHIN + LATENESS


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"count": {"at_least": 3, "within": "2d"}}, "at most 1d"),
        ({"count": {"at_least": 0, "within": "1d"}}, "greater than or equal to 1"),
        ({"count": {"at_least": 101, "within": "1d"}}, "less than or equal to 100"),
        ({"count": {"at_least": 3, "within": "1h"}, "stop": True}, "cannot stop"),
        ({"ladder": [{"at_least": 3, "then": [{"action": "ban"}]}]}, "needs a count"),
        (
            {
                "count": {"at_least": 3, "within": "1h"},
                "ladder": [{"at_least": 3, "then": [{"action": "ban"}]}],
            },
            "needs a higher at_least",
        ),
    ],
)
def test_counts_that_cannot_be_are_refused(more: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        policy(rule("r", {}, "kick", **more))
