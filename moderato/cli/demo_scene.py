"""The demo's stage set: the embedded broker, all roles, a customer's webhook endpoint, and the vendors, in one process.

Everything listens on loopback, on ports of its own, with tokens and secrets that are made anew for each run. Neither
the environment nor a configuration file has a say: a demo must never reach a real cluster.
"""

import asyncio
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_settings import PydanticBaseSettingsSource

from ingest.receiver import Receiver
from ingest.sessions.controller import Controller
from moderato import lifecycle
from moderato.bus.embedded import EmbeddedBroker
from moderato.cli import ledger, roles
from moderato.cli.demo_rooms import Rooms
from moderato.cli.demo_view import OUTCOMES, Frame
from moderato.cli.demo_watch import READ, Watcher
from moderato.cli.demo_webhook import Endpoint
from moderato.metrics import REGISTRY
from moderato.settings import Settings
from moderato.sources import Source
from simulator.callbacks import SOURCES
from simulator.counters import Tally
from simulator.run import Simulation
from simulator.targets import Target

_PARTITIONS = 2
_TENANT = "demo"
_FORGED_RATE = 0.5  # callbacks a second with a token that nobody gave out; each is tried three times
_RATE_WINDOW = 3.0  # seconds


@dataclass(frozen=True, slots=True)
class Options:
    """`rate` in callbacks a second; `port` of the receiver, 0 for any."""

    seconds: float
    rooms: int
    rate: float
    seed: int
    port: int


class _OwnSettings(Settings):
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[Settings],  # type: ignore[override]
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _targets() -> list[Target]:
    """A token and, where the vendor signs, random secrets for every source."""
    return [
        Target(
            source,
            _TENANT,
            secrets.token_urlsafe(24),
            {name: secrets.token_hex(16) for name in SOURCES[source].secrets},
        )
        for source in Source
    ]


def _settings(targets: list[Target], endpoint: Endpoint, rooms: Rooms, port: int) -> Settings:
    sources = {
        target.source: {"tokens": [target.token], "secrets": dict(target.secrets)} for target in targets
    }
    webhook = {"url": endpoint.url, "secrets": [endpoint.secret], "allow_private": True}
    tenant = {"sources": sources, "credentials": rooms.credentials(), "webhook": webhook}
    sections: dict[str, Any] = {
        **rooms.sections(f"http://127.0.0.1:{port}"),
        "http": {"host": "127.0.0.1", "port": port},
        "admin": {"host": "127.0.0.1", "port": 0},
        "tenants": {_TENANT: tenant},
    }
    return _OwnSettings(**sections)


@dataclass(slots=True)
class Scene:
    """Everything that runs, and the figures of it since it began."""

    options: Options
    vendors: Simulation
    forger: Simulation
    rooms: Rooms
    watcher: Watcher
    endpoint: Endpoint
    metrics_url: str
    before: ledger.Counts
    most_memory: int | None = None
    """Bytes, the most that any frame has seen."""
    _began: float = field(default_factory=time.monotonic)
    _published: deque[tuple[float, int]] = field(default_factory=lambda: deque([(0.0, 0)]))

    async def run(self) -> None:
        """The vendors call for the given time, and see their last callbacks through; then the sessions are stopped."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.vendors.run(self.options.seconds))
            group.create_task(self.forger.run(self.options.seconds))
        await self.rooms.close()

    def stop(self) -> None:
        """Lets `run` end early."""
        self.vendors.stop()
        self.forger.stop()

    @property
    def sent(self) -> Tally:
        return self.vendors.counters.total + self.forger.counters.total + self.rooms.told

    def counts(self) -> ledger.Counts:
        """What was counted since the scene was set."""
        return ledger.Counts.of(REGISTRY.collect()).since(self.before)

    def frame(self, doing: str, notice: str | None = None) -> Frame:
        """The figures of this moment."""
        counts = self.counts()
        elapsed = time.monotonic() - self._began
        memory = _memory()
        if memory is not None:
            self.most_memory = max(memory, self.most_memory or 0)
        return Frame(
            doing=doing,
            elapsed=elapsed,
            seconds=self.options.seconds,
            counts=counts,
            seen=self.watcher.seen,
            sent=self.sent.sent,
            delivered=self.endpoint.accepted,
            sessions=self.rooms.running,
            rate=self._rate(elapsed, counts.total(ledger.PUBLISHED)),
            memory=memory,
            metrics_url=self.metrics_url,
            notice=notice,
        )

    def _rate(self, elapsed: float, published: int) -> float:
        window = self._published
        window.append((elapsed, published))
        while elapsed - window[0][0] > _RATE_WINDOW:
            window.popleft()
        began, at_first = window[0]
        return (published - at_first) / (elapsed - began) if elapsed > began else 0.0

    async def ledger(self) -> list[ledger.Line]:
        """The pipeline's ledger between what the vendors know and what the customer and a downstream reader know."""
        ends = await self.watcher.ends()
        counts = self.counts()
        sent, read = self.sent, self.watcher.seen.records
        delivered = counts.by(OUTCOMES, "executor", "state")["webhook", "done"]
        return [
            ledger.Line(
                "vendors",
                {"sent": sent.sent},
                {"answered 2xx": sent.acknowledged, "refused": sent.refused.total()},
            ),
            ledger.Line("vendors", {"sent": sent.sent}, {"received": counts.total(ledger.RECEIVED)}),
            ledger.Line(
                "vendors", {"answered 2xx": sent.acknowledged}, {"published": counts.total(ledger.PUBLISHED)}
            ),
            *ledger.pipeline(counts, ends),
            ledger.Line(
                "webhook", {"outcomes done": delivered}, {"verified deliveries": self.endpoint.accepted}
            ),
            ledger.Line(
                "consumer",
                {"read downstream": read.total()},
                {"records": sum(ends[topic] for topic in READ)},
            ),
        ]


def _memory() -> int | None:
    """Resident memory of this process in bytes; None where the system does not tell."""
    memory = REGISTRY.get_sample_value("process_resident_memory_bytes")
    return None if memory is None else round(memory)


@asynccontextmanager
async def scene(options: Options) -> AsyncIterator[Scene]:
    """Sets everything up and takes it down again. Raises Fatal when a role cannot start."""
    targets = _targets()
    async with AsyncExitStack() as stack:
        broker = EmbeddedBroker(partitions=_PARTITIONS)
        stack.callback(broker.stop)
        endpoint = Endpoint()
        await endpoint.start()
        stack.push_async_callback(endpoint.stop)
        rooms = Rooms(targets)
        await rooms.start()
        stack.push_async_callback(rooms.stop)
        settings = _settings(targets, endpoint, rooms, options.port or _free_port())
        connection = broker.connection(settings.kafka)
        before = ledger.Counts.of(REGISTRY.collect())
        made = [roles.make(name, settings, connection) for name in roles.NAMES]
        admin = await stack.enter_async_context(lifecycle.running(made, settings))
        watcher = await stack.enter_async_context(Watcher(connection, _PARTITIONS))
        [receiver] = [role for role in made if isinstance(role, Receiver)]
        [controller] = [role for role in made if isinstance(role, Controller)]
        address = f"http://127.0.0.1:{receiver.port}"
        assert controller.api_port is not None
        await rooms.open(controller.api_port)
        yield Scene(
            options=options,
            vendors=_vendors(address, targets, options),
            forger=_forger(address, targets),
            rooms=rooms,
            watcher=watcher,
            endpoint=endpoint,
            metrics_url=f"http://127.0.0.1:{admin.port}/metrics",
            before=before,
        )


def _free_port() -> int:
    """Vendors are told the receiver's address when they start a task, which is before it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _vendors(address: str, targets: list[Target], options: Options) -> Simulation:
    # More goes wrong than usual: some seconds have to show what takes a real installation an hour.
    return Simulation(
        address,
        targets,
        rooms=options.rooms,
        rate=options.rate,
        seed=options.seed,
        duplicates=0.04,
        late=0.04,
        out_of_order=0.02,
        malformed=0.02,
    )


def _forger(address: str, targets: list[Target]) -> Simulation:
    """Somebody who knows the address and not the token. Agora video gives up at once, so that nothing waits for it."""
    forged = [
        replace(target, token=secrets.token_urlsafe(24))
        for target in targets
        if target.source is Source.AGORA_VIDEO
    ]
    return Simulation(address, forged, rooms=1, rate=_FORGED_RATE, duplicates=0, late=0, out_of_order=0)
