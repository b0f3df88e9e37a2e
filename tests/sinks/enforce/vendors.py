"""The simulated vendors, and tenants whose credentials they know."""

from contextlib import AsyncExitStack
from typing import Any

from moderato.settings import Tenant
from moderato.vendor import Rates
from simulator.control.faults import Fault, Kind
from simulator.control.server import ControlServer
from sinks.enforce.executor import Execute
from sinks.enforce.registry import EXECUTORS
from tests.moderato.vendor.support import Time

WAIT = 30.0  # seconds of a deadline that no test reaches


def tenant(server: ControlServer, **more: Any) -> Tenant:
    accounts = server.world.accounts
    credentials = {
        "agora": {
            "app_id": accounts.agora_app_id,
            "customer_id": accounts.agora_customer_id,
            "customer_secret": accounts.agora_customer_secret,
            "base_urls": [f"{server.url}/agora"],
        },
        "yunxin": {
            "app_key": accounts.yunxin_app_key,
            "app_secret": accounts.yunxin_app_secret,
            "base_url": f"{server.url}/yunxin",
            "rtc_base_url": f"{server.url}/yunxin",
        },
    }
    return Tenant.model_validate({"credentials": credentials} | more)


async def opened(name: str, server: ControlServer, stack: AsyncExitStack, **changes: Any) -> Execute:
    """An executor that does not wait between its tries."""
    time = Time()
    made = tenant(server)
    if changes:
        credentials = made.model_dump()["credentials"]
        credentials[name] |= changes
        made = Tenant.model_validate({"credentials": credentials})
    return await EXECUTORS[name].open(made, stack, Rates(time.clock, time.sleep))


def fail(server: ControlServer, vendor: str, operation: str, kind: Kind, **more: Any) -> None:
    server.world.faults.add(Fault(vendor=vendor, operation=operation, kind=kind, **more))
