"""Which executor an action goes to, and when one is left alone."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from moderato.errors import Fatal
from moderato.metrics import REGISTRY
from moderato.records import OutcomeState
from moderato.settings import Tenant
from moderato.vendor import Rates
from simulator.control.server import ControlServer
from sinks.enforce.breaker import Breaker
from sinks.enforce.executor import Result
from sinks.enforce.log import open_kafka, open_log
from sinks.enforce.orders import Order
from sinks.enforce.registry import EXECUTORS, Executor, Routes
from tests.sinks.enforce.support import Endpoint, order
from tests.sinks.enforce.vendors import tenant

DONE = Result(OutcomeState.DONE, 1)
OUTAGE = Result(OutcomeState.FAILED, 4, "HTTP 503", outage=True)


@pytest.mark.parametrize("name", EXECUTORS)
async def test_every_executor_settles_an_order_before_its_deadline(
    name: str, endpoint: Endpoint, vendors: ControlServer
) -> None:
    async with AsyncExitStack() as stack:
        made = tenant(vendors).model_copy(update={"webhook": endpoint.settings()})
        execute = await EXECUTORS[name].open(made, stack, Rates())
        until = asyncio.get_running_loop().time() + 5
        result = await execute(order(target={"kind": "user", "id": "7"}), until)
        assert asyncio.get_running_loop().time() < until
    assert result.state in OutcomeState
    assert result.attempts <= 1


async def test_the_log_executor_says_who_what_and_why() -> None:
    async with AsyncExitStack() as stack:
        execute = await open_log(Tenant(), stack, Rates())
        with capture_logs() as logs:
            result = await execute(order(), 0.0)
    assert result == DONE
    assert logs == [
        {
            "event": "action",
            "log_level": "info",
            "action_id": "act_1",
            "tenant": "acme",
            "type": "kick",
            "target_kind": "user",
            "target": "u-42",
            "rule": "critical-kick",
            "message": "Removed from the room.",
        }
    ]


async def test_the_kafka_executor_leaves_it_to_whoever_reads_the_topic() -> None:
    async with AsyncExitStack() as stack:
        execute = await open_kafka(Tenant(), stack, Rates())
        result = await execute(order(), 0.0)
    assert result == Result(OutcomeState.DONE, 0, "left to those who read the actions' topic")


async def routed(made: Tenant, **changes: Any) -> str | None:
    routes = Routes()
    try:
        await routes.open({"acme": made})
        executor = routes.of(order(**changes))
        return executor and executor.name
    finally:
        await routes.close()


async def test_a_tenant_goes_to_its_webhook_and_everybody_else_to_the_log(endpoint: Endpoint) -> None:
    assert await routed(Tenant(webhook=endpoint.settings())) == "webhook"
    assert await routed(Tenant()) == "log"
    assert await routed(Tenant(webhook=endpoint.settings()), tenant="stranger") == "log"


ROUTES = [
    {"executor": "yunxin", "actions": ["kick"], "sources": ["yidun_audio", "yunxin_rtc"]},
    {"executor": "agora", "sources": ["agora_voice", "shumei_audio"]},
    {"executor": "kafka", "actions": ["kick", "warn", "review"]},
]


@pytest.mark.parametrize(
    ("type_", "source", "name"),
    [
        ("kick", "yidun_audio", "yunxin"),
        ("close_room", "yidun_audio", None),
        ("kick", "agora_voice", "agora"),
        ("close_room", "agora_voice", "agora"),
        ("lift", "shumei_audio", "agora"),
        ("warn", "agora_voice", "kafka"),  # Agora cannot do that
        ("kick", "iflytek_audio", "kafka"),
        ("mute", "iflytek_audio", None),
        ("word from a later version", "agora_voice", None),
    ],
)
async def test_the_first_route_that_fits_and_can_do_it_takes_an_action(
    vendors: ControlServer, type_: str, source: str, name: str | None
) -> None:
    assert await routed(tenant(vendors, enforcement=ROUTES), type=type_, source=source) == name


async def test_routes_of_one_tenant_to_one_executor_share_it(vendors: ControlServer) -> None:
    routes = Routes()
    await routes.open(
        {"acme": tenant(vendors, enforcement=[{"executor": "log", "actions": ["kick"]}, {"executor": "log"}])}
    )
    assert routes.of(order()) is routes.of(order(type="warn"))
    await routes.close()


def test_a_route_to_what_the_tenant_does_not_have_is_refused_all_at_once() -> None:
    routes = [{"executor": name} for name in ("log", "agora", "webhook", "yunxin")]
    with pytest.raises(ValidationError) as refused:
        Tenant.model_validate({"enforcement": routes})
    assert (
        "enforcement.1: agora needs credentials.agora; enforcement.2: webhook needs webhook; "
        "enforcement.3: yunxin needs credentials.yunxin" in str(refused.value)
    )


async def test_every_webhook_that_cannot_be_used_is_named_with_its_tenant(endpoint: Endpoint) -> None:
    routes = Routes()
    broken = Tenant(webhook=endpoint.settings(url="https://[::1/hooks"))
    with pytest.raises(Fatal) as refused:
        await routes.open({"acme": broken, "fine": Tenant(), "other": broken})
    await routes.close()
    lines = str(refused.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["tenants.acme.webhook", "tenants.other.webhook"]


# --- The circuit -----------------------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def outages(breaker: Breaker, number: int) -> None:
    for _ in range(number):
        breaker.failed()


def test_a_breaker_opens_after_five_in_a_row_and_one_may_try_after_a_rest() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    outages(breaker, 4)
    breaker.succeeded()
    outages(breaker, 4)
    assert breaker.refuses() is None
    breaker.failed()
    assert breaker.refuses() == "not tried: 5 failures in a row"
    clock.now += 5
    assert breaker.refuses() is None
    assert breaker.refuses() is not None  # another one is trying
    breaker.failed()
    clock.now += 9.9
    assert breaker.refuses() is not None
    clock.now += 0.1
    assert breaker.refuses() is None
    breaker.succeeded()
    assert (breaker.state, breaker.refuses()) == ("closed", None)


def test_the_rests_grow_to_a_minute_and_begin_anew() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    outages(breaker, 5)
    for rest in (5, 10, 20, 40, 60, 60):
        clock.now += rest - 0.1
        assert breaker.refuses() is not None
        clock.now += 0.1
        assert breaker.refuses() is None
        breaker.failed()
    clock.now += 60
    assert breaker.refuses() is None
    breaker.succeeded()
    outages(breaker, 5)
    clock.now += 5
    assert breaker.refuses() is None


async def test_an_executor_that_is_out_is_left_alone_and_shows_it() -> None:
    clock, asked = Clock(), 0
    result = OUTAGE

    async def execute(found: Order, until: float) -> Result:
        nonlocal asked
        asked += 1
        return result

    executor = Executor("webhook", execute, "t-out", breaker=Breaker(clock))

    def shown() -> float | None:
        return REGISTRY.get_sample_value("moderato_executor_open", {"tenant": "t-out", "executor": "webhook"})

    for _ in range(8):
        found = await executor.carry_out(order(), 1.0)
    assert asked == 5
    assert found == Result(OutcomeState.FAILED, 0, "not tried: 5 failures in a row")
    assert shown() == 1
    clock.now += 5
    result = DONE
    assert await executor.carry_out(order(), 1.0) == DONE
    assert shown() == 0


async def test_one_that_is_cut_off_counts_as_an_outage() -> None:
    async def hanging(found: Order, until: float) -> Result:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    executor = Executor("webhook", hanging, "t-hang", breaker=Breaker(Clock()))
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(executor.carry_out(order(), 1.0), 0.01)
    assert executor.breaker.state == "open"


async def test_an_endpoint_that_is_gone_is_never_asked_again(endpoint: Endpoint) -> None:
    endpoint.answers = [410, 204]
    routes = Routes()
    await routes.open({"acme": Tenant(webhook=endpoint.settings())})
    executor = routes.of(order())
    assert executor is not None
    until = asyncio.get_running_loop().time() + 5
    first = await executor.carry_out(order(), until)
    second = await executor.carry_out(order(), until)
    await routes.close()
    assert first.detail == "HTTP 410: the endpoint wants no more webhooks"
    assert second == Result(OutcomeState.FAILED, 0, "not tried: it has answered that it wants no more")
    assert len(endpoint.requests) == 1
