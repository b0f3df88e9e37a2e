"""Every kind of executor, and which of a tenant's an action goes to."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from moderato import metrics
from moderato.errors import Fatal
from moderato.records import OutcomeState
from moderato.settings import Route, Tenant
from moderato.vendor import Rates
from sinks.enforce import agora, yunxin
from sinks.enforce.breaker import Breaker
from sinks.enforce.executor import PARALLEL, Execute, Kind, Result
from sinks.enforce.log import open_kafka, open_log
from sinks.enforce.orders import Order
from sinks.enforce.webhook import open_webhook

EXECUTORS: dict[str, Kind] = {
    "agora": Kind(agora.open_agora, agora.TYPES),
    "yunxin": Kind(yunxin.open_yunxin, yunxin.TYPES),
    "webhook": Kind(open_webhook),
    "kafka": Kind(open_kafka),
    "log": Kind(open_log),
}


@dataclass(slots=True)
class Executor:
    """A tenant's executor; `slots` bounds what it does at once."""

    name: str
    execute: Execute
    tenant: str = ""
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL))
    breaker: Breaker = field(default_factory=lambda: Breaker(lambda: asyncio.get_running_loop().time()))

    async def carry_out(self, order: Order, until: float) -> Result:
        """By a deadline on the event loop's clock, unless the circuit is open."""
        if refusal := self.breaker.refuses():
            return Result(OutcomeState.FAILED, 0, refusal)
        result = Result(OutcomeState.FAILED, 1, outage=True)  # when it is cut off
        try:
            result = await self.execute(order, until)
            return result
        finally:
            if result.gone:
                self.breaker.gone()
            elif result.outage:
                self.breaker.failed()
            else:
                self.breaker.succeeded()
            metrics.EXECUTOR_OPEN.labels(self.tenant, self.name).set(self.breaker.state != "closed")


class Routes:
    """Which executor an action goes to. A tenant that is not configured has the routes of an empty one."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._rates = Rates()
        self._by_tenant: dict[str, list[tuple[Route, Executor]]] = {}

    async def open(self, tenants: Mapping[str, Tenant]) -> None:
        """Raises Fatal that names every tenant whose settings cannot be used, a line each."""
        faults: list[str] = []
        for name, tenant in ({"": Tenant()} | dict(tenants)).items():
            try:
                self._by_tenant[name] = await self._routes(name, tenant)
            except Fatal as error:
                faults.append(f"tenants.{name}.{error}")
        if faults:
            raise Fatal("\n".join(faults))

    async def close(self) -> None:
        """Closes the executors' connections."""
        await self._stack.aclose()

    def of(self, order: Order) -> Executor | None:
        """The first whose route has the action and the source, and which can carry it out."""
        for route, executor in self._by_tenant.get(order.tenant) or self._by_tenant[""]:
            if (
                (not route.actions or order.type in route.actions)
                and (not route.sources or order.source in route.sources)
                and EXECUTORS[route.executor].takes(order.type)
            ):
                return executor
        return None

    async def _routes(self, name: str, tenant: Tenant) -> list[tuple[Route, Executor]]:
        usual = Route(executor="webhook" if tenant.webhook else "log")
        opened: dict[str, Executor] = {}
        routes: list[tuple[Route, Executor]] = []
        for route in tenant.enforcement or (usual,):
            kind = route.executor
            if kind not in opened:
                execute = await EXECUTORS[kind].open(tenant, self._stack, self._rates)
                opened[kind] = Executor(kind, execute, name)
            routes.append((route, opened[kind]))
        return routes
