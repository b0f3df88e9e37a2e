import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.stage import Results
from moderato.errors import Fatal
from moderato.lifecycle import Role
from moderato.metrics import REGISTRY
from moderato.records import OutcomeState
from moderato.settings import Settings, Tenant
from moderato.times import epoch, now
from sinks.enforce import worker
from sinks.enforce.executor import PARALLEL, Execute, Result
from sinks.enforce.orders import Order
from sinks.enforce.registry import Executor
from sinks.enforce.worker import Enforcer, EnforcerRole, role
from sinks.policy import worker as policy_worker
from tests.moderato.bus.support import read_all
from tests.sinks.enforce.support import SECRET, Endpoint, nothing
from tests.sinks.support import NOW, action, body_of, consumed, header, verdict

DONE = Result(OutcomeState.DONE, 1, "HTTP 204")
AT = epoch(NOW) or 0.0


class Hands:
    """An executor that notes whom it was asked to hit, and gives what it is told to give."""

    def __init__(self, *results: Result) -> None:
        self.results = list(results) or [DONE]
        self.hit: list[str] = []

    async def execute(self, found: Order, until: float) -> Result:
        self.hit.append(found.id)
        return self.results.pop(0) if len(self.results) > 1 else self.results[0]


def enforcer(execute: Execute, clock: Callable[[], float] = lambda: AT) -> Enforcer:
    executor = Executor("webhook", execute)
    return Enforcer(lambda _: executor, nothing, clock)


def batch(*actions: dict[str, Any]) -> list[Any]:
    return [consumed("action", each, offset=offset) for offset, each in enumerate(actions)]


def states(results: Results) -> list[tuple[str, str]]:
    outcomes = [body_of(message) for message in results.messages]
    return [(outcome["action_id"], outcome["state"]) for outcome in outcomes]


def targeting(id: str, user: str, **more: Any) -> dict[str, Any]:
    return action(id=id, target={"kind": "user", "id": user}, **more)


async def test_an_action_that_is_carried_out_has_one_outcome_that_says_all_about_it() -> None:
    record = consumed(
        "action",
        action(expires_at="2026-11-21T08:01:00.000Z"),
        offset=9,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    results = await enforcer(Hands().execute).handle([record])
    [message] = results.messages
    assert (message.topic, message.key) == (topics.OUTCOMES, b"acme/u-42")
    assert body_of(message) == {
        "id": "act_1@3-9",
        "action_id": "act_1",
        "tenant": "acme",
        "type": "kick",
        "state": "done",
        "executor": "webhook",
        "target": {"kind": "user", "id": "u-42"},
        "attempts": 1,
        "detail": "HTTP 204",
        "occurred_at": "2026-11-21T08:00:00.000Z",
        "created_at": "2026-11-21T08:00:02.000Z",
        "finished_at": NOW,
        "rule": {"id": "critical-kick", "version": "0123456789ab"},
    }
    assert header(message, "ce_type") == "moderato.outcome.v1"
    assert header(message, "ce_id") == "act_1@3-9"
    assert header(message, "ce_traceparent").startswith("00-4bf9")
    assert (results.done, results.ignored, results.dead_lettered) == (1, 0, 0)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": "2026-11-21T07:00:00.000Z", "mode": "shadow"}, "expired"),
        ({"mode": "shadow"}, "shadow"),
        ({"mode": "a-mode-of-a-later-version"}, "shadow"),
    ],
)
async def test_what_is_too_late_or_only_tried_out_reaches_nobody(changes: dict[str, Any], state: str) -> None:
    hands = Hands()
    results = await enforcer(hands.execute).handle(batch(action(**changes)))
    outcome = body_of(results.messages[0])
    assert (outcome["state"], outcome["executor"], outcome["attempts"]) == (state, "none", 0)
    assert hands.hit == []


async def test_a_repetition_is_recorded_and_not_carried_out_in_the_batch_and_later() -> None:
    hands = Hands()
    enforcing = enforcer(hands.execute)
    first = await enforcing.handle(batch(action(), action()))
    second = await enforcing.handle(batch(action()))
    assert states(first) == [("act_1", "done"), ("act_1", "duplicate")]
    assert states(second) == [("act_1", "duplicate")]
    assert hands.hit == ["act_1"]


async def test_an_action_that_failed_may_be_tried_again_when_it_comes_again() -> None:
    hands = Hands(Result(OutcomeState.FAILED, 4, "HTTP 500"), DONE)
    results = await enforcer(hands.execute).handle(batch(action(), action()))
    assert states(results) == [("act_1", "failed"), ("act_1", "done")]


async def test_actions_on_one_target_keep_their_order_and_others_do_not_wait_for_them() -> None:
    log: list[str] = []
    other_done = asyncio.Event()

    async def execute(found: Order, until: float) -> Result:
        if found.target.id == "slow":
            await other_done.wait()
        log.append(found.id)
        if found.target.id == "quick":
            other_done.set()
        return DONE

    results = await enforcer(execute).handle(
        batch(targeting("1", "slow"), targeting("2", "slow"), targeting("3", "slow"), targeting("4", "quick"))
    )
    assert log == ["4", "1", "2", "3"]
    assert [id for id, _ in states(results) if id != "4"] == ["1", "2", "3"]


async def test_no_more_than_the_allowed_number_is_on_its_way_for_one_tenant() -> None:
    running = most = 0

    async def execute(found: Order, until: float) -> Result:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return DONE

    results = await enforcer(execute).handle(
        batch(*(targeting(str(n), f"u-{n}") for n in range(3 * PARALLEL)))
    )
    assert results.done == 3 * PARALLEL
    assert most == PARALLEL


async def test_a_tenant_whose_endpoint_hangs_holds_up_nobody_else() -> None:
    others_done = asyncio.Event()

    async def hanging(found: Order, until: float) -> Result:
        await others_done.wait()
        return Result(OutcomeState.FAILED, 1)

    async def quick(found: Order, until: float) -> Result:
        others_done.set()
        return DONE

    executors = {"dead": Executor("webhook", hanging), "alive": Executor("webhook", quick)}
    stuck = [targeting(str(n), f"u-{n}", tenant="dead") for n in range(2 * PARALLEL)]
    results = await Enforcer(lambda found: executors[found.tenant], nothing, lambda: AT).handle(
        batch(*stuck, targeting("x", "u", tenant="alive"))
    )
    assert ("x", "done") in states(results)


async def test_what_expires_while_it_waits_for_its_turn_is_not_carried_out() -> None:
    clock = [AT]

    async def execute(found: Order, until: float) -> Result:
        clock[0] += 60
        return DONE

    late = action(id="late", expires_at="2026-11-21T08:00:30.000Z")
    results = await enforcer(execute, lambda: clock[0]).handle(batch(action(), late))
    assert states(results) == [("act_1", "done"), ("late", "expired")]


async def test_what_expires_while_all_slots_are_taken_is_not_carried_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [AT]

    async def execute(found: Order, until: float) -> Result:
        clock[0] += 60
        return DONE

    one = Executor("webhook", execute, slots=asyncio.Semaphore(1))
    soon = "2026-11-21T08:00:30.000Z"
    results = await Enforcer(lambda _: one, nothing, lambda: clock[0]).handle(
        batch(targeting("1", "a", expires_at=soon), targeting("2", "b", expires_at=soon))
    )
    assert states(results) == [("1", "done"), ("2", "expired")]


async def test_an_executor_is_told_the_time_that_the_action_has_at_most() -> None:
    left: list[float] = []

    async def execute(found: Order, until: float) -> Result:
        left.append(until - asyncio.get_running_loop().time())
        return DONE

    soon = action(id="soon", expires_at="2026-11-21T08:00:07.000Z")
    await enforcer(execute).handle(batch(action(), soon))
    assert left == pytest.approx([12.0, 2.0], abs=0.5)


async def test_an_executor_that_does_not_come_back_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_ACTION_BUDGET", 0.01)
    monkeypatch.setattr(worker, "_GRACE", 0.01)

    async def execute(found: Order, until: float) -> Result:
        await asyncio.Event().wait()
        return DONE

    results = await enforcer(execute).handle(batch(action()))
    outcome = body_of(results.messages[0])
    assert (outcome["state"], outcome["attempts"], outcome["detail"]) == (
        "failed",
        1,
        "no result within 0 s",
    )


async def test_when_a_batch_has_used_up_its_time_the_rest_fails_untried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "_BATCH_BUDGET", 0.0)
    hands = Hands()
    results = await enforcer(hands.execute).handle(batch(action()))
    outcome = body_of(results.messages[0])
    assert (outcome["state"], outcome["attempts"]) == ("failed", 0)
    assert outcome["detail"].startswith("not tried: ")
    assert hands.hit == []


async def test_a_fault_in_an_executor_fails_its_action_and_not_the_batch() -> None:
    async def execute(found: Order, until: float) -> Result:
        if found.id == "bad":
            raise ZeroDivisionError("ours")
        return DONE

    with capture_logs() as logs:
        results = await enforcer(execute).handle(batch(targeting("bad", "a"), targeting("good", "b")))
    assert states(results) == [("bad", "failed"), ("good", "done")]
    assert [(line["event"], line["action_id"]) for line in logs] == [("executor_failed", "bad")]


async def test_poison_goes_to_the_dead_letters_and_the_rest_is_carried_out() -> None:
    records = [consumed("action", b"not json", offset=17), *batch(action())]
    results = await enforcer(Hands().execute).handle(records)
    dead, outcome = results.messages
    assert (dead.topic, dead.value) == (topics.DEAD_LETTERS, b"not json")
    assert header(dead, "dl_stage") == "enforcer"
    assert header(dead, "dl_offset") == "17"
    assert body_of(outcome)["state"] == "done"
    assert (results.done, results.dead_lettered) == (1, 1)
    assert results.kinds == {"dead_letter": 1, "outcome": 1}


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_outcomes_are_counted_once_they_are_acknowledged_and_aged_when_carried_out() -> None:
    done = {"type": "kick", "state": "done", "executor": "webhook"}
    shadow = {"type": "unknown", "state": "shadow", "executor": "none"}
    before = [
        counted("moderato_outcomes_total", **done),
        counted("moderato_outcomes_total", **shadow),
        counted("moderato_outcome_age_seconds_sum", type="kick"),
        counted("moderato_outcome_age_seconds_count", type="unknown"),
    ]
    results = await enforcer(Hands().execute).handle(
        batch(action(), action(id="2", type="of-a-later-version", mode="shadow"))
    )
    assert counted("moderato_outcomes_total", **done) == before[0]
    assert results.count is not None
    results.count()
    assert [
        counted("moderato_outcomes_total", **done) - before[0],
        counted("moderato_outcomes_total", **shadow) - before[1],
        counted("moderato_outcome_age_seconds_sum", type="kick") - before[2],
        counted("moderato_outcome_age_seconds_count", type="unknown") - before[3],
    ] == [1, 1, 5.0, 0]


# --- The whole way over a broker -------------------------------------------------------------------------------------


async def test_from_a_verdict_on_kafka_to_a_webhook_that_verifies_and_an_outcome(
    connection: Connection, endpoint: Endpoint
) -> None:
    settings = Settings(tenants={"acme": Tenant(webhook=endpoint.settings())})
    fresh = verdict(occurred_at=now())
    old = verdict(id="old#0", user="u-43")
    await publish(connection, [message_of(fresh), message_of(old)])
    roles: list[Role] = [policy_worker.role(settings, connection), role(settings, connection)]
    for each in roles:
        await each.start()
    outcomes = await read_all(connection, topics.OUTCOMES, 4)
    assert [(each.unready(), each.stuck()) for each in roles] == [(None, None)] * 2
    for each in roles:
        await each.stop()
    found = sorted(
        (outcome["type"], outcome["target"]["id"], outcome["state"])
        for record in outcomes
        for outcome in [body_of(Message("", b"", record.value, []))]
    )
    assert found == [
        ("kick", "u-42", "done"),
        ("kick", "u-43", "expired"),
        ("notify", "lounge-7", "done"),
        ("notify", "lounge-7", "done"),
    ]
    sent = [Webhook(SECRET).verify(body, headers)["type"] for headers, body in endpoint.requests]
    assert sorted(sent) == ["moderation.action.kick", *["moderation.action.notify"] * 2]


def message_of(found: dict[str, Any]) -> Message:
    record = consumed("verdict", found)
    return Message(topics.VERDICTS, b"acme/lounge-7", record.value, list(record.headers))


async def publish(connection: Connection, messages: Sequence[Message]) -> None:
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    await publisher.publish_all(messages)
    await publisher.stop()


async def test_settings_that_cannot_be_used_keep_the_role_from_starting(
    connection: Connection, endpoint: Endpoint
) -> None:
    tenant = Tenant(webhook=endpoint.settings(url="https://[::1/hooks"))
    enforcing = EnforcerRole(Settings(tenants={"acme": tenant}), connection)
    with pytest.raises(Fatal, match="webhook"):
        await enforcing.start()
    await enforcing.stop()


async def test_an_order_to_stop_a_session_goes_to_its_controller() -> None:
    stop = action(id="a-1", type="stop_session", target={"kind": "session", "id": "s-7"})
    shadow = action(id="a-2", type="stop_session", target={"kind": "session", "id": "s-8"}, mode="shadow")
    kick = action(id="a-3")
    hands = Hands()
    stopping = Enforcer(
        lambda _: Executor("webhook", hands.execute), nothing, lambda: AT, stops_sessions=True
    )
    results = await stopping.handle(batch(stop, stop, shadow, kick))
    asked = [message for message in results.messages if message.topic == topics.SESSION_REQUESTS]
    [request] = asked
    assert request.key == b"s-7"
    assert (body_of(request)["kind"], body_of(request)["requested_by"]) == (
        "stop",
        f"rule {stop['rule']['id']}",
    )
    outcomes = [body_of(message) for message in results.messages if message.topic == topics.OUTCOMES]
    assert sorted((each["action_id"], each["state"], each["executor"]) for each in outcomes) == [
        ("a-1", "done", "sessions"),
        ("a-1", "duplicate", "none"),
        ("a-2", "shadow", "none"),
        ("a-3", "done", "webhook"),
    ]
    assert hands.hit == ["a-3"]


async def test_what_no_route_takes_is_unsupported_and_what_is_braked_is_left() -> None:
    results = await Enforcer(lambda _: None, nothing, lambda: AT).handle(
        batch(action(id="a-1"), action(id="a-2", braked="the quota is used up"))
    )
    found = [body_of(message) for message in results.messages]
    assert [(each["state"], each["executor"], each["attempts"], each["detail"]) for each in found] == [
        ("unsupported", "none", 0, "no route of the tenant takes kick"),
        ("braked", "none", 0, "the quota is used up"),
    ]


async def test_without_sessions_the_platform_is_told_to_stop_one() -> None:
    hands = Hands()
    stop = action(id="a-1", type="stop_session", target={"kind": "session", "id": "s-7"})
    await enforcer(hands.execute).handle(batch(stop))
    assert hands.hit == ["a-1"]
