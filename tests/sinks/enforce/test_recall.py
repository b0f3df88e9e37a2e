"""An action that another process carried out is not carried out again."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Set
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.record import Record
from moderato.errors import Fatal
from moderato.records import OutcomeState
from moderato.settings import Settings, Tenant
from moderato.times import epoch
from sinks.enforce import worker
from sinks.enforce.recent import carried_out
from sinks.enforce.registry import Executor
from sinks.enforce.worker import Enforcer, EnforcerRole
from tests.moderato.bus.support import read_until
from tests.sinks.enforce.support import Endpoint
from tests.sinks.enforce.test_worker import Hands, states
from tests.sinks.support import NOW, action, consumed

AT = epoch(NOW) or 0.0


def outcome(id: str, state: str = "done") -> Record:
    value = orjson.dumps({"action_id": id, "state": state})
    return ConsumerRecord(topics.OUTCOMES, 3, 0, 0, 0, b"", value, None, 0, len(value), ())


class Log:
    """The outcomes of before; the first `failures` tries are in vain."""

    def __init__(self, *outcomes: Record, failures: int = 0) -> None:
        self.outcomes = list(outcomes)
        self.failures = failures
        self.asked: list[set[int]] = []

    @contextlib.asynccontextmanager
    async def past(self, partitions: Set[int]) -> AsyncIterator[AsyncIterator[list[Record]]]:
        self.asked.append(set(partitions))
        if len(self.asked) <= self.failures:
            raise Fatal("no answer")

        async def batches() -> AsyncIterator[list[Record]]:
            yield self.outcomes

        yield batches()


def enforcer(log: Log, hands: Hands) -> Enforcer:
    executor = Executor("webhook", hands.execute)
    return Enforcer(lambda _: executor, log.past, lambda: AT)


def kick(id: str, offset: int) -> Record:
    return consumed("action", action(id=id), offset=offset)


async def test_what_another_process_carried_out_is_a_duplicate() -> None:
    log, hands = Log(outcome("act_1"), outcome("act_2", "failed"), outcome("act_3", "expired")), Hands()
    one = enforcer(log, hands)
    results = await one.handle([kick("act_1", 40), kick("act_2", 41)])
    assert states(results) == [("act_1", "duplicate"), ("act_2", "done")]
    assert states(await one.handle([kick("act_3", 42)])) == [("act_3", "done")]
    assert log.asked == [{3}]


async def test_a_partition_that_comes_back_is_looked_up_again() -> None:
    log, hands = Log(), Hands()
    one = enforcer(log, hands)
    # The first offset says nothing: whoever had the partition may have died before it committed.
    await one.handle([kick("act_1", 0), kick("act_2", 1)])
    assert log.asked == [{3}]
    log.outcomes = [outcome("act_4")]
    assert states(await one.handle([kick("act_4", 7)])) == [("act_4", "duplicate")]
    assert log.asked == [{3}, {3}]


async def test_nothing_is_carried_out_until_the_outcomes_have_been_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "_RETRY", 0.0)
    log, hands = Log(outcome("act_1"), failures=3), Hands()
    assert states(await enforcer(log, hands).handle([kick("act_1", 40)])) == [("act_1", "duplicate")]
    assert len(log.asked) == 4
    assert hands.hit == []


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"7", b'{"state": "done"}', b'{"state": 1}'])
def test_what_is_no_outcome_says_nothing(value: bytes | None) -> None:
    record: Any = ConsumerRecord(topics.OUTCOMES, 0, 0, 0, 0, b"", value, None, 0, 0, ())
    assert carried_out(record) is None


async def test_an_enforcer_that_takes_over_does_not_repeat_what_the_other_did(
    connection: Connection, endpoint: Endpoint
) -> None:
    tenant = f"t-{secrets.token_hex(6)}"
    settings = Settings(tenants={tenant: Tenant(webhook=endpoint.settings())})
    ids = [f"act_{secrets.token_hex(8)}" for _ in range(3)]

    async def run(*wanted: str, outcomes: int) -> list[tuple[str, str]]:
        """The states of all outcomes of the tenant, once there are so many."""
        role = EnforcerRole(settings, connection)
        await role.start()
        try:
            await _publish(connection, [_message(tenant, id) for id in wanted])
            found = await read_until(
                connection, topics.OUTCOMES, lambda read: len(_of(read, tenant)) >= outcomes
            )
        finally:
            await role.stop()
        return sorted(_of(found, tenant))

    first = [(ids[0], "done"), (ids[1], "done")]
    assert await run(ids[0], ids[1], outcomes=2) == sorted(first)
    second = [(ids[1], "duplicate"), (ids[2], "done")]
    assert await run(ids[1], ids[2], outcomes=4) == sorted(first + second)
    assert len(endpoint.requests) == 3


def _of(records: list[Any], tenant: str) -> list[tuple[str, str]]:
    found = [orjson.loads(record.value) for record in records]
    return [(each["action_id"], each["state"]) for each in found if each["tenant"] == tenant]


def _message(tenant: str, id: str) -> Message:
    record = consumed("action", action(id=id, tenant=tenant, expires_at=None))
    return Message(topics.ACTIONS, f"{tenant}/u-42".encode(), record.value, list(record.headers))


async def _publish(connection: Connection, messages: list[Message]) -> None:
    publisher = Publisher(connection, deadline=10.0)
    await publisher.start([topics.ACTIONS])
    await publisher.publish_all(messages)
    await publisher.stop()


def test_the_states_of_an_outcome_are_known() -> None:
    assert carried_out(outcome("act_1", OutcomeState.DONE)) == "act_1"
