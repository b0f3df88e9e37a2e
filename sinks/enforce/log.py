"""The log executor: an installation without any endpoint still shows what would be done."""

from contextlib import AsyncExitStack

import structlog

from moderato.records import OutcomeState
from moderato.settings import Tenant
from sinks.enforce.executor import Execute, Result
from sinks.enforce.orders import Order

log = structlog.get_logger(__name__)


async def open_log(tenant: Tenant, stack: AsyncExitStack) -> Execute:
    """Every tenant has one."""
    return _execute


async def _execute(order: Order, until: float) -> Result:
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
