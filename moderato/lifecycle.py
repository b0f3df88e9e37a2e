"""How a process lives: start, serve, and on SIGTERM or SIGINT the fixed order of an end.

Not ready, stop accepting, drain, flush, commit, leave the group: roles end one after the other in the order of the
pipeline, each within its budget, so that what an earlier one still produced is consumed by the later ones or stays in
Kafka for the next process.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import structlog
import uvloop

from moderato.admin import AdminServer
from moderato.errors import Unserved
from moderato.settings import Settings

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

_AWAIT = 5.0  # seconds between two tries to start while Kafka does not serve us
STOP_BUDGET = 15.0  # seconds a role may take to end; the sum over roles stays below Kubernetes' usual grace


class Role(Protocol):
    """A part of the pipeline that runs in this process."""

    name: str

    async def start(self) -> None:
        """Connects and begins to work. Raises Fatal when it cannot."""

    def unready(self) -> str | None:
        """Why this role cannot work now, in one line; None when it can."""

    def note(self) -> str | None:
        """What an operator should know though this role can work; None when all is well."""

    def stuck(self) -> str | None:
        """Why this role will not recover without a restart; None while it makes progress or has nothing to do."""

    async def stop(self) -> None:
        """Stops accepting, drains, commits, disconnects."""


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Runs a process's main coroutine on uvloop and returns what it does: an exit code."""
    # Batches of records live for milliseconds and hold no cycles: the collector's default, a pass every 700 objects,
    # costs the normalizer a tenth of its time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def until_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    return ended


Make: TypeAlias = Callable[[str], Role]
"""A new role, by its name. Raises Fatal for what it finds wrong in the settings."""

Start: TypeAlias = Callable[[AdminServer, Role], Awaitable[Role]]
"""Starts a role, or another one in its place."""


async def serve(names: Sequence[str], make: Make, settings: Settings, ended: asyncio.Event) -> None:
    """Starts the roles in order, runs until `ended` is set, and stops them in the same order.

    While Kafka does not serve us, a role waits for it: not ready, and saying why."""
    with contextlib.suppress(_Ended):
        async with running(
            [make(name) for name in names], settings, lambda admin, role: _waited(admin, role, make, ended)
        ):
            await ended.wait()


class _Ended(Exception):
    """The end has come before everything had started."""


async def _at_once(admin: AdminServer, role: Role) -> Role:
    try:
        await role.start()
    except BaseException:
        await _stop(role)
        raise
    return role


async def _waited(admin: AdminServer, role: Role, make: Make, ended: asyncio.Event) -> Role:
    said = None
    while True:
        try:
            started = await _at_once(admin, role)
        except Unserved as error:
            admin.waiting = str(error)
            if said != admin.waiting:
                said = admin.waiting
                log.error("kafka_awaited", role=role.name, error=said, wait=_AWAIT)
        else:
            admin.waiting = None
            return started
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _AWAIT)
            raise _Ended
        role = make(role.name)


@contextlib.asynccontextmanager
async def running(
    roles: Sequence[Role], settings: Settings, start: Start = _at_once
) -> AsyncIterator[AdminServer]:
    """The roles at work, each started in order, and the admin server over them; they stop in the same order."""
    made = list(roles)
    started: list[Role] = []
    admin = AdminServer(settings.admin, made)
    try:
        await admin.start()
        for place, role in enumerate(roles):
            made[place] = await start(admin, role)
            started.append(made[place])
            log.info("role_started", role=role.name)
        admin.ready = True
        yield admin
    finally:
        admin.ready = False
        for role in started:
            await _stop(role)
        await admin.stop()


async def _stop(role: Role) -> None:
    try:
        async with asyncio.timeout(STOP_BUDGET):
            await role.stop()
        log.info("role_stopped", role=role.name)
    except TimeoutError:
        log.error("role_stop_timed_out", role=role.name, seconds=STOP_BUDGET)
    except Exception:
        # The other roles still have to drain.
        with contextlib.suppress(Exception):
            log.exception("role_stop_failed", role=role.name)
