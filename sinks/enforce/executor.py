"""What an executor is: a function that carries out one action by a deadline and says what became of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TypeAlias

from moderato.records import OutcomeState
from moderato.settings import Tenant
from sinks.enforce.orders import Order

PARALLEL = 50  # actions of one tenant on their way at once: a slow endpoint holds up nobody else's


@dataclass(frozen=True, slots=True)
class Result:
    """`attempts` is how often something outside was called; `detail` says why, without a secret or a URL."""

    state: OutcomeState
    attempts: int
    detail: str | None = None


Execute: TypeAlias = Callable[[Order, float], Awaitable[Result]]
"""Carries out an order. The second argument is the deadline on the event loop's clock. Raises nothing on purpose."""

Opener: TypeAlias = Callable[[Tenant, AsyncExitStack], Awaitable[Execute | None]]
"""Makes a tenant's executor, its connections owned by the stack; None when the tenant has none of this kind."""


@dataclass(frozen=True, slots=True)
class Executor:
    """An executor under its name in the registry; `slots` bounds what it does at once."""

    name: str
    execute: Execute
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL))
