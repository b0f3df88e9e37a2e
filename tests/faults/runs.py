"""Runs: load, one fault or several at once, load again, and the judge. The pipeline stays from run to run."""

import asyncio
import itertools
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient  # type: ignore[attr-defined] # re-exports without __all__

from tests.faults.driver import Driver
from tests.faults.faults import Fault
from tests.faults.judge import BAD_KEY, Findings, Judge
from tests.faults.pipeline import ROLES, Pipeline
from tests.faults.proxy import Mode, Proxy
from tests.kafka.brokers import Cluster
from tests.kafka.topics import PARTITIONS, Topics
from tests.ports import free_ports

_BEFORE, _AFTER = (1.0, 2.5), 2.0  # seconds of load
_SPOOL_DISK = 64 * 1024 * 1024
_NORMAL = 0.5  # of the rate before the fault
_RECOVERY = 60.0  # seconds of load at most after the fault, until the rate is normal again
_PATIENCE = 90.0  # seconds without anything new before what is missing counts as lost
_MOST_PATIENCE = 400.0
_QUIET = 3.0  # seconds without a rebalance


@dataclass(frozen=True)
class Run:
    """Figures of one run; times in seconds. `gap` is the longest time without a 2xx; `recovery` the longest that the
    rate of 2xx took to be normal again after the fault was mended (for a broker of several: after it struck, too);
    `results` the time from the mended fault until all that was due was there."""

    faults: tuple[str, ...]
    sent: int
    acknowledged: int
    duplicates: int
    found: Findings
    gap: float
    recovery: float
    results: float
    took: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        return (
            f"{' + '.join(self.faults)}{notes}: sent {self.sent}, acknowledged {self.acknowledged}, "
            f"lost {len(self.found.lost)}, invented {len(self.found.invented)}, altered {len(self.found.altered)}, "
            f"duplicates {self.duplicates}, longest unavailability {self.gap:.1f} s, recovery {self.recovery:.1f} s, "
            f"results after {self.results:.1f} s, {self.took:.0f} s"
            + (f"; {self.found}" if self.found.faults else "")
        )


@dataclass
class Scene:
    cluster: Cluster
    proxies: Sequence[Proxy]
    pipeline: Pipeline
    driver: Driver
    judge: Judge
    random: Random
    spool: Path
    notes: list[str] = field(default_factory=list)
    _events: list[float] = field(default_factory=list)

    async def run(self, faults: Sequence[Fault]) -> Run:
        """The faults side by side, each from a random moment on."""
        driver, bench, ended, began = self.driver, self.judge.bench, asyncio.Event(), time.monotonic()
        sent, acknowledged, duplicates = len(driver.sent), len(driver.acknowledged), bench.duplicates
        self.notes, self._events = [], []
        driver.answered_at = [began]
        before = self.random.uniform(*_BEFORE)
        load = asyncio.create_task(driver.run(ended))
        try:
            await asyncio.sleep(before)
            rate = len(driver.answered_at) / before
            with ThreadPoolExecutor(len(faults)) as threads:
                loop = asyncio.get_running_loop()
                await asyncio.gather(
                    *(
                        loop.run_in_executor(threads, self._inject, fault, place)
                        for place, fault in enumerate(faults)
                    )
                )
            await self._load_until_normal(rate)
        finally:
            ended.set()
            await load
        recovery = self._recovered_after(rate)
        times = [*driver.answered_at, time.monotonic()]
        gap = max(later - earlier for earlier, later in itertools.pairwise(times))
        found = await self._judged()
        return Run(
            tuple(fault.name for fault in faults),
            len(driver.sent) - sent,
            len(driver.acknowledged) - acknowledged,
            bench.duplicates - duplicates,
            found,
            gap,
            recovery,
            time.monotonic() - max(self._events),
            time.monotonic() - began,
            tuple(self.notes),
        )

    def changed(self) -> None:
        """Something has struck that the system has to get over, or has been mended: from this moment on it has all that
        it needs."""
        self._events.append(time.monotonic())

    def disturb(self, mode: Mode) -> None:
        """What the network does to connections with the brokers."""
        for proxy in self.proxies:
            proxy.become(mode)

    def controller(self) -> int:
        """The number of the broker that is the controller."""
        client = AdminClient({"bootstrap.servers": self.cluster.bootstrap, "log_level": 0})
        return int(client.describe_cluster(request_timeout=10).result(10).controller.id)

    def quiet_group(self) -> None:
        """Waits until the normalizers' group has not been rebalanced for a while."""
        counted, since = -1.0, time.monotonic()
        while time.monotonic() - since < _QUIET:
            now = self.pipeline.count("normalizer", "moderato_rebalances_total")
            if now != counted:
                counted, since = now, time.monotonic()
            time.sleep(0.2)

    def put_bad_records(self, topic: str) -> None:
        """What could get into a topic without any of our processes."""
        known = [("ce_specversion", b"1.0"), ("ce_type", b"moderato.raw.v1"), ("ce_id", b"bad")]
        source = ("ce_source", b"/sources/shumei_audio")
        bad = (
            (b"no headers", []),
            (
                b"\x00\x01",
                [*known, source, ("content-type", b"application/x-protobuf"), ("ce_tenant", b"\xff")],
            ),
            (b"{}", [*known, ("ce_source", b"/sources/nobody")]),
            (None, []),
            (b"{}", [*known[:1], ("ce_type", b"moderato.raw.v9"), ("ce_id", b"bad"), source]),
            (b"x" * 900_000, []),
        )
        producer = Producer({"bootstrap.servers": self.cluster.bootstrap, "log_level": 0})
        for value, headers in bad:
            producer.produce(topic, value, key=BAD_KEY, headers=headers)
        if producer.flush(30):
            raise RuntimeError("bad records could not be written")

    def _inject(self, fault: Fault, place: int) -> None:
        time.sleep(place * self.random.uniform(0.0, 2.0))
        fault.inject(self)

    async def _load_until_normal(self, rate: float) -> None:
        end = time.monotonic() + _RECOVERY
        await asyncio.sleep(_AFTER)
        while self._in_second_before(time.monotonic()) < _NORMAL * rate and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    def _in_second_before(self, moment: float) -> int:
        return sum(moment - 1.0 < at <= moment for at in self.driver.answered_at)

    def _recovered_after(self, rate: float) -> float:
        """The longest time from such an event to the last second, before the next event, in which the rate was not
        normal."""
        events = sorted(self._events)
        longest = 0.0
        for event, following in itertools.pairwise([*events, self.driver.answered_at[-1]]):
            moment = event + 1.0
            while moment < following:
                if self._in_second_before(moment) < _NORMAL * rate:
                    longest = max(longest, moment - event)
                moment += 0.25
        return longest

    async def _judged(self) -> Findings:
        """When a fresh callback is through and everything is there, or nothing has come for so long that nothing
        will."""
        driver, judge = self.driver, self.judge
        fresh = None
        began = moved = time.monotonic()
        while True:
            fresh = fresh if fresh is not None else await driver.fresh()
            taken = judge.bench.taken
            await asyncio.to_thread(judge.read, driver.sent, driver.acknowledged)
            if judge.bench.taken > taken:
                moved = time.monotonic()
            found = judge.bench.findings(driver.acknowledged)
            if fresh is None:
                found.lost.add("no fresh callback is taken")
            if not found.faults:
                found.unbalanced |= await asyncio.to_thread(self.pipeline.unbalanced)
                found.unbalanced |= set(self.pipeline.slow_ends)
            now = time.monotonic()
            if not found.faults or now > moved + _PATIENCE or now > began + _MOST_PATIENCE:
                return found


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, so that it can be full. Raises RuntimeError where it may not be mounted."""
    if os.geteuid() != 0:
        raise RuntimeError(
            "a full disk needs a tmpfs, and mounting one needs root; leave it out with --no-disk"
        )
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SPOOL_DISK}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def scene(folder: Path, brokers: int, seed: int, *, disk: bool) -> Iterator[Scene]:
    """Brokers behind proxies and roles of its own, ended whatever happens; the spool on a small disk of its own or
    not."""
    ports = free_ports(2 * brokers)
    inside, outside = ports[:brokers], ports[brokers:]
    with ExitStack() as stack:
        cluster = Cluster(folder, brokers, lambda number: _proxied(inside[number - 1], outside[number - 1]))
        spool = stack.enter_context(_small_disk(folder / "spool")) if disk else folder / "spool"
        proxies = [Proxy(port, target) for port, target in zip(outside, inside, strict=True)]
        pipeline = Pipeline(folder, ",".join(f"127.0.0.1:{port}" for port in outside), spool)
        stack.callback(cluster.close)
        cluster.start()
        Topics(cluster.bootstrap).fresh()
        for proxy in proxies:
            proxy.start()
            stack.callback(proxy.close)
        stack.callback(pipeline.close)
        for role in ROLES:
            pipeline.start(role)
        for role in ROLES:
            pipeline.wait(role)
        judge = Judge(cluster.bootstrap, PARTITIONS)
        stack.callback(judge.close)
        driver = Driver(pipeline.base, pipeline.targets, seed)
        yield Scene(cluster, proxies, pipeline, driver, judge, Random(seed), spool)


def _proxied(inside: int, outside: int) -> dict[str, object]:
    """A second listener for our processes, which they find at the proxy; brokers talk to one another past it."""
    return {
        "listeners": f"PROXIED://127.0.0.1:{inside}",
        "advertised.listeners": f"PROXIED://127.0.0.1:{outside}",
        "listener.security.protocol.map": "PROXIED:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }
