"""One fault a run, from a seeded plan, against a pipeline that stays."""

import asyncio
import itertools
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.faults.driver import Driver
from tests.faults.judge import Findings, Judge
from tests.faults.pipeline import ROLES, Pipeline
from tests.kafka.brokers import Cluster
from tests.kafka.topics import PARTITIONS, Topics

ROLE_FAULTS = tuple(f"{sign} {role}" for role in ROLES for sign in ("SIGKILL", "SIGTERM"))
BROKER_FAULTS = ("SIGKILL broker", "SIGTERM broker", "SIGSTOP broker")
FAULTS = (*ROLE_FAULTS, *BROKER_FAULTS, "outage")
_FROZEN, _OUTAGE = 10.0, 20.0  # seconds
_DRAIN = 60.0


@dataclass(frozen=True)
class Run:
    """Figures of one run; `gap` is the longest time without a 2xx, in seconds. `found` counts all runs so far."""

    fault: str
    sent: int
    acknowledged: int
    found: Findings
    gap: float

    def __str__(self) -> str:
        found = self.found
        return (
            f"{self.fault}: sent {self.sent}, acknowledged {self.acknowledged}, lost {len(found.lost)}, "
            f"invented {len(found.invented)}, altered {len(found.altered)}, disordered {len(found.disordered)}, "
            f"duplicates {found.duplicates}, longest unavailability {self.gap:.1f} s"
        )


@dataclass
class Scene:
    cluster: Cluster
    pipeline: Pipeline
    driver: Driver
    judge: Judge
    random: Random

    async def run(self, fault: str) -> Run:
        """Load, the fault at a random moment, load again, then the judge."""
        driver, ended = self.driver, asyncio.Event()
        sent, acknowledged = len(driver.sent), len(driver.acknowledged)
        driver.answered_at = [time.monotonic()]
        load = asyncio.create_task(driver.run(ended))
        try:
            await asyncio.sleep(self.random.uniform(0.5, 2.0))
            await asyncio.to_thread(self._inject, fault)
            await asyncio.sleep(1.0)
        finally:
            ended.set()
            await load
        times = [*driver.answered_at, time.monotonic()]
        gap = max(later - earlier for earlier, later in itertools.pairwise(times))
        found = await self._judged()
        return Run(fault, len(driver.sent) - sent, len(driver.acknowledged) - acknowledged, found, gap)

    def _inject(self, fault: str) -> None:
        sign, _, whom = fault.partition(" ")
        if whom in ROLES:
            self.pipeline.end(whom, signal.Signals[sign])
            self.pipeline.start(whom)
            self.pipeline.wait(whom)
        elif fault == "outage":
            for broker in self.cluster.brokers.values():
                broker.kill()
            time.sleep(_OUTAGE)
            for broker in self.cluster.brokers.values():
                broker.start()
            for broker in self.cluster.brokers.values():
                broker.wait(set(self.cluster.brokers))
        else:
            self._break(sign, self.random.choice(list(self.cluster.brokers)))

    def _break(self, sign: str, number: int) -> None:
        broker = self.cluster.brokers[number]
        if sign == "SIGSTOP":
            broker.freeze()
            time.sleep(_FROZEN)
            broker.thaw()
            return
        (broker.kill if sign == "SIGKILL" else broker.stop)()
        self.cluster.restart(number)

    async def _judged(self) -> Findings:
        """When a fresh callback is through, or nothing more can be hoped for."""
        end = time.monotonic() + _DRAIN
        fresh = None
        while True:
            fresh = fresh if fresh is not None else await self.driver.fresh()
            await asyncio.to_thread(self.judge.read)
            found = self.judge.findings(self.driver)
            if fresh is None:
                found.lost.add("no fresh callback is taken")
            if not found.faults or time.monotonic() > end:
                return found


@contextmanager
def scene(folder: Path, brokers: int, seed: int) -> Iterator[Scene]:
    """Brokers and roles of its own, ended whatever happens."""
    cluster = Cluster(folder, brokers)
    pipeline = Pipeline(folder, cluster.bootstrap)
    cluster.start()
    try:
        Topics(cluster.bootstrap).fresh()
        for role in ROLES:
            pipeline.start(role)
        for role in ROLES:
            pipeline.wait(role)
        judge = Judge(cluster.bootstrap, PARTITIONS)
        try:
            yield Scene(cluster, pipeline, Driver(pipeline.base, pipeline.targets, seed), judge, Random(seed))
        finally:
            judge.close()
    finally:
        pipeline.close()
        cluster.close()
