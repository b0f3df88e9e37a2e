"""Executors that call nobody. `log`: an installation without any endpoint still shows what would be done. `kafka`: the
platform reads the actions' topic, and has carried it out when it has read it."""

from contextlib import AsyncExitStack

import structlog

from moderato.records import OutcomeState
from moderato.settings import Tenant
from moderato.vendor import Rates
from sinks.enforce.executor import Execute, Result
from sinks.enforce.orders import Order

log = structlog.get_logger(__name__)


async def open_log(tenant: Tenant, stack: AsyncExitStack, rates: Rates) -> Execute:
    """Every tenant has one."""
    return _log


async def open_kafka(tenant: Tenant, stack: AsyncExitStack, rates: Rates) -> Execute:
    """Every tenant has one."""
    return _leave


async def _log(order: Order, until: float) -> Result:
    log.info(
        "action",
        action_id=order.id,
        tenant=order.tenant,
        type=order.type,
        target_kind=order.target.kind,
        target=order.target.id,
        rule=order.rule.id,
        message=order.message,
    )
    return Result(OutcomeState.DONE, 1)


async def _leave(order: Order, until: float) -> Result:
    return Result(OutcomeState.DONE, 0, "left to those who read the actions' topic")
