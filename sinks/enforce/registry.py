"""Every executor, in the order of preference: a tenant's is the first that it has."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from moderato.errors import Fatal
from moderato.settings import Tenant
from sinks.enforce.executor import Executor, Opener
from sinks.enforce.log import open_log
from sinks.enforce.webhook import open_webhook

EXECUTORS: dict[str, Opener] = {
    "webhook": open_webhook,
    "log": open_log,
}


class Routes:
    """Which executor an action goes to: its tenant's. A tenant that is not configured has that of an empty one."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._by_tenant: dict[str, Executor] = {}

    async def open(self, tenants: Mapping[str, Tenant]) -> None:
        """Raises Fatal that names a tenant whose settings cannot be used."""
        self._default = await self._executor(Tenant())
        for name, tenant in tenants.items():
            try:
                self._by_tenant[name] = await self._executor(tenant)
            except Fatal as error:
                raise Fatal(f"tenants.{name}.{error}") from error

    async def close(self) -> None:
        """Closes the executors' connections."""
        await self._stack.aclose()

    def of(self, tenant: str) -> Executor:
        return self._by_tenant.get(tenant, self._default)

    async def _executor(self, tenant: Tenant) -> Executor:
        for name, opener in EXECUTORS.items():
            if execute := await opener(tenant, self._stack):
                return Executor(name, execute)
        raise AssertionError("the last executor takes every tenant")
