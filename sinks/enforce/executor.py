"""What an executor is: it carries out one action by a deadline and says what became of it."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeAlias

from moderato.records import ActionType, OutcomeState
from moderato.settings import Tenant
from moderato.vendor import Rates
from sinks.enforce.orders import Order

PARALLEL = 50  # actions of one tenant on their way at once: a slow endpoint holds up nobody else's


@dataclass(frozen=True, slots=True)
class Result:
    """`attempts` is how often something outside was called; `detail` says why, without a secret or a URL. `outage`: it
    failed because nobody answered as they should, so that others are likely to fail, too; `gone`: whoever is there
    wants no more of it."""

    state: OutcomeState
    attempts: int
    detail: str | None = None
    outage: bool = False
    gone: bool = False


Execute: TypeAlias = Callable[[Order, float], Awaitable[Result]]
"""Carries out an order. The second argument is the deadline on the event loop's clock. Raises nothing on purpose."""

Opener: TypeAlias = Callable[[Tenant, AsyncExitStack, Rates], Awaitable[Execute]]
"""Makes a tenant's executor, its connections owned by the stack. The tenant has what it needs; raises Fatal for what
cannot be used."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of executor; `types` are those that it can carry out, None: all."""

    open: Opener
    types: frozenset[ActionType] | None = None

    def takes(self, type_: str) -> bool:
        """Whether it can carry out such an action."""
        return self.types is None or type_ in self.types
