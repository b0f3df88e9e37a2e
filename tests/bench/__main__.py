"""`make bench`: what one core receives, normalizes and judges, on the embedded broker and on `KAFKA_BOOTSTRAP` if set.

R: HTTP callback -> acknowledged in Kafka with acks=all, one request at a time on each of 64 connections.
N: raw -> verdict -> acknowledged -> committed, from a backlog.
E2E: callback -> verdict in the hands of a consumer, at 10, 50 and 80 % of what a core can do that receiver and
normalizer share; broker, load and consumer have the other one.
P: verdict -> actions and strikes -> acknowledged -> committed, from a backlog: 100 rules, 90 % of the verdicts pass;
the counting of the strikes goes on in the same process.

The measured process has a core of its own; load and broker share another. Rates move with whatever else the machine
does; CPU seconds per 100,000 (user and system time of the measured process) are the figure that survives.
"""

import argparse
import asyncio
import itertools
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.table import Table

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message, Publisher
from moderato.bus.stage import group_of
from moderato.codec import encode
from moderato.settings import Kafka
from moderato.sources import Source
from moderato.times import now
from tests.bench import load, policy
from tests.bench.bodies import bodies
from tests.bench.process import LOAD_CORE, Process, running
from tests.ports import free_ports

_PARTITIONS = 16  # of the embedded broker: each keeps 5 MiB only, and the backlog has to fit


@dataclass(frozen=True)
class Figure:
    """One measurement of one job on one broker. `p50` and `p99` in milliseconds."""

    job: str
    broker: str
    rate: float
    cpu: float
    rss: float
    p50: float | None = None
    p99: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds of each job, of which the median counts"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds of load in a round of R")
    parser.add_argument("--records", type=int, default=40_000, help="backlog of a round of N")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    given = os.environ.get("KAFKA_BOOTSTRAP")
    figures: list[Figure] = []
    jobs = (receive, normalize, judge, through(0.1), through(0.5), through(0.8))
    for _ in range(options.rounds):
        for job in jobs:
            # What a core can do that receiver and normalizer share, by what was measured so far.
            used = [figure.cpu for figure in medians(figures) if figure.job[0] in "RN"]
            options.capacity = 100_000 / sum(used) * (2 if given else 1) if used else 0.0
            with tempfile.TemporaryDirectory(prefix="moderato-bench-") as folder:
                # A broker for each: it keeps little, and what R leaves behind is no part of N's backlog.
                embedded = EmbeddedBroker(_PARTITIONS)
                figures.append(job("embedded", embedded.bootstrap, Path(folder), options))
                embedded.stop()
                if given:
                    figures.append(job("Kafka", given, Path(folder), options))
    report(medians(figures), options)


def receive(broker: str, bootstrap: str, folder: Path, options: argparse.Namespace) -> Figure:
    """R."""
    seconds: float = options.seconds
    token, port, admin = secrets.token_urlsafe(24), *free_ports(2)
    config = written(folder, bootstrap, token, port, admin)
    path = f"/v1/callbacks/shumei_audio/default/{token}"
    with running("receiver", config, admin) as process:
        run = uvloop.run
        run(load.post(port, path, bodies(), connections=64, seconds=min(2.0, seconds)))  # warm
        before = process.cpu_seconds()
        seen = run(load.post(port, path, bodies(), connections=64, seconds=seconds))
        cpu = process.cpu_seconds() - before
        if set(seen.statuses) != {200}:
            raise SystemExit(f"the receiver answered {seen.statuses}")
        published = process.metric("moderato_callbacks_published_total")
        if published < seen.count:
            raise SystemExit(f"{seen.count} answers, but only {published:.0f} published")
        return Figure(
            "R receive",
            broker,
            seen.count / seen.seconds,
            cpu / seen.count * 100_000,
            process.rss_mib(),
            seen.quantile(0.5),
            seen.quantile(0.99),
        )


def normalize(broker: str, bootstrap: str, folder: Path, options: argparse.Namespace) -> Figure:
    """N."""
    names = [topics.raw(source) for source in Source]
    return worked_off("N normalize", "normalizer", names, raw_records, broker, bootstrap, folder, options)


def judge(broker: str, bootstrap: str, folder: Path, options: argparse.Namespace) -> Figure:
    """P."""
    return worked_off("P policy", "policy", [topics.VERDICTS], verdicts, broker, bootstrap, folder, options)


def through(share: float) -> Callable[[str, str, Path, argparse.Namespace], Figure]:
    """E2E, at a share of what a core that receiver and normalizer have in common can do."""

    def measure(broker: str, bootstrap: str, folder: Path, options: argparse.Namespace) -> Figure:
        token, port, *admins = secrets.token_urlsafe(24), *free_ports(3)
        configs = [written(folder, bootstrap, token, port, admin) for admin in admins]
        path = f"/v1/callbacks/shumei_audio/default/{token}"
        with (
            running("receiver", configs[0], admins[0]) as receiver,
            running("normalizer", configs[1], admins[1]) as normalizer,
        ):
            before = receiver.cpu_seconds() + normalizer.cpu_seconds()
            rate = share * options.capacity
            latencies = uvloop.run(followed(bootstrap, port, path, rate, options.seconds))
            cpu = receiver.cpu_seconds() + normalizer.cpu_seconds() - before
            return Figure(
                f"E2E at {share:.0%}",
                broker,
                len(latencies) / options.seconds,
                cpu / len(latencies) * 100_000,
                max(receiver.rss_mib(), normalizer.rss_mib()),
                latencies[len(latencies) // 2] * 1000,
                latencies[int(0.99 * len(latencies))] * 1000,
            )

    return measure


async def followed(bootstrap: str, port: int, path: str, rate: float, seconds: float) -> list[float]:
    """Seconds from when each callback was due to its verdict in the hands of a consumer, in order."""
    run, made = secrets.token_hex(4), bodies()
    consumer = AIOKafkaConsumer(
        topics.VERDICTS, bootstrap_servers=bootstrap, auto_offset_reset="latest", fetch_max_wait_ms=50
    )
    await consumer.start()
    await consumer.seek_to_end()
    arrived: dict[int, float] = {}

    def body(number: int) -> bytes:
        one = made[number % len(made)]
        task = one[len(b'{"requestId":"') : one.index(b'"', len(b'{"requestId":"'))]
        return one.replace(task, f"{run}_{number}".encode(), 1)

    async def read() -> None:
        async for record in consumer:
            id = dict(record.headers)["ce_id"].decode()
            if id.startswith(run):
                arrived.setdefault(int(id.partition(":")[0].rpartition("_")[2]), time.time())

    reading = asyncio.create_task(read())
    try:
        due = await load.paced(port, path, body, rate=rate, connections=64, seconds=seconds)
        for _ in range(600):
            if len(arrived) == len(due):
                break
            await asyncio.sleep(0.05)
    finally:
        reading.cancel()
        await consumer.stop()
    return sorted(arrived[number] - at for number, at in enumerate(due))


def worked_off(
    job: str,
    role: str,
    names: list[str],
    backlog: Callable[[int], Iterator[Message]],
    broker: str,
    bootstrap: str,
    folder: Path,
    options: argparse.Namespace,
) -> Figure:
    """A stage that works off a backlog, from its tenth part on."""
    records: int = options.records
    asyncio.run(pass_over_the_past(bootstrap, role, names))
    asyncio.run(fill(bootstrap, backlog(records)))
    [admin] = free_ports(1)
    config = written(folder, bootstrap, secrets.token_urlsafe(24), free_ports(1)[0], admin)
    with running(role, config, admin) as process:
        first = wait_for(process, role, records // 10)
        started, cpu = time.perf_counter(), process.cpu_seconds()
        last = wait_for(process, role, records)
        seconds, cpu = time.perf_counter() - started, process.cpu_seconds() - cpu
        count = last - first
        return Figure(job, broker, count / seconds, cpu / count * 100_000, process.rss_mib())


def wait_for(process: Process, stage: str, count: float) -> float:
    """Polls /metrics until the stage has consumed so many; how many it has then."""
    metric = "moderato_stage_consumed_total"
    limit = time.monotonic() + 120
    while (value := process.metric(metric, f'stage="{stage}"')) < count:
        if time.monotonic() > limit:
            raise SystemExit(f"{metric} of {stage} stands at {value:.0f} of {count:.0f} after 120 s")
        time.sleep(0.05)
    return value


async def pass_over_the_past(bootstrap: str, stage: str, names: list[str]) -> None:
    """Moves a stage's group to the end of its topics: a given cluster has records of earlier runs."""
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    ends = await consumer.end_offsets(list(consumer.assignment()))
    await consumer.stop()
    committer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group_of(stage), enable_auto_commit=False
    )
    await committer.start()
    committer.assign(list(ends))
    await committer.commit(ends)
    await committer.stop()


async def fill(bootstrap: str, backlog: Iterator[Message]) -> None:
    """Writes a backlog."""
    publisher = Publisher(Connection(bootstrap, Kafka()), deadline=30)
    await publisher.start([topics.raw(Source.SHUMEI_AUDIO), topics.VERDICTS])
    while batch := list(itertools.islice(backlog, 2_000)):
        await publisher.publish_all(batch)
    await publisher.stop()


def raw_records(count: int) -> Iterator[Message]:
    """As a receiver writes them."""
    made, at = bodies(), now()
    for number in range(count):
        body = made[number % len(made)]
        task = orjson.loads(body)["requestId"].partition("_")[0]
        headers = encode(
            "raw",
            id=f"{task}_{number}:0",
            source=Source.SHUMEI_AUDIO,
            tenant="default",
            key=f"default/{task}",
            time=at,
            content_type="application/json",
        )
        yield Message(topics.raw(Source.SHUMEI_AUDIO), f"default/{task}".encode(), body, headers)


def verdicts(count: int) -> Iterator[Message]:
    """Of a large installation, 90 % of them passes."""
    chance = random.Random(1)
    for number in range(count):
        record = policy.record(number, chance, 0.9)
        yield Message(topics.VERDICTS, record.key or b"", record.value, list(record.headers))


def written(folder: Path, bootstrap: str, token: str, port: int, admin: int) -> Path:
    """A configuration file (JSON is YAML)."""
    path = folder / "bench.yaml"
    (folder / "moderators.txt").write_text("".join(f"u-{number}\n" for number in range(0, 1_000_000, 10)))
    (folder / "policy.yaml").write_bytes(orjson.dumps({"rules": [policy.rule(each) for each in range(100)]}))
    path.write_bytes(
        orjson.dumps(
            {
                "kafka": {"bootstrap": bootstrap},
                "http": {"host": "127.0.0.1", "port": port},
                "admin": {"host": "127.0.0.1", "port": admin},
                "log": {"level": "warning"},
                "policy": {"file": str(folder / "policy.yaml")},
                "tenants": {"default": {"sources": {"shumei_audio": {"tokens": [token]}}}},
            }
        )
    )
    return path


def medians(figures: list[Figure]) -> list[Figure]:
    """One figure a job and broker: the run with the median CPU time."""
    chosen = []
    for job, broker in dict.fromkeys((figure.job, figure.broker) for figure in figures):
        runs = [figure for figure in figures if (figure.job, figure.broker) == (job, broker)]
        middle = statistics.median_low(figure.cpu for figure in runs)
        chosen.append(next(figure for figure in runs if figure.cpu == middle))
    return chosen


def report(figures: list[Figure], options: argparse.Namespace) -> None:
    if options.json:
        for figure in figures:
            print(orjson.dumps(figure).decode())
        return
    table = Table(title=f"One core, 1.2 KB Shumei bodies, median of {options.rounds} rounds")
    for column in ("job", "broker", "a second", "CPU s / 100,000", "RSS MiB", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if column in ("job", "broker") else "right")
    for figure in figures:
        table.add_row(
            figure.job,
            figure.broker,
            f"{figure.rate:,.0f}",
            f"{figure.cpu:.2f}",
            f"{figure.rss:.0f}",
            "" if figure.p50 is None else f"{figure.p50:.1f}",
            "" if figure.p99 is None else f"{figure.p99:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
