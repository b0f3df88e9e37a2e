"""From a verdict in Kafka to the call at the vendor: `python -m tests.bench.enforcing`.

A policy and an enforcer, each in a process of its own, at work on so many verdicts a second, of which a few call for a
kick at Agora: as many as Agora's limit of 10 calls a second leaves without a queue. The simulated Agora notes when each
call has come. On real Kafka: that of KAFKA_BOOTSTRAP, or one broker of its own."""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import yaml

from moderato import topics
from moderato.bus.admin import Admin
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.codec import encode
from moderato.settings import Kafka
from moderato.sources import Source
from moderato.times import now
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.kafka.brokers import Cluster
from tests.ports import free_ports
from tests.sinks.support import verdict

_TICK = 0.02  # seconds between two bursts of verdicts
_POLICY = """
rules:
  - id: kick
    match: {decision: block}
    then: [{action: kick}]
"""


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1000, help="verdicts a second")
    parser.add_argument("--kicks", type=int, default=5, help="of them, kicks a second")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    bootstrap = os.environ.get("KAFKA_BOOTSTRAP")
    with ExitStack() as stack:
        if bootstrap is None:
            cluster = Cluster(Path(stack.enter_context(tempfile.TemporaryDirectory())), 1)
            stack.callback(cluster.close)
            cluster.start()
            bootstrap = cluster.bootstrap
        found = sorted(asyncio.run(_run(bootstrap, options.rate, options.kicks, options.seconds)))
    rows = (
        ("verdicts a second", f"{options.rate:,}"),
        ("kicks", f"{len(found):,}"),
        ("verdict to vendor call, p50", f"{1000 * statistics.median(found):.1f} ms"),
        ("p99", f"{1000 * found[int(0.99 * len(found))]:.1f} ms"),
        ("most", f"{1000 * found[-1]:.1f} ms"),
    )
    for name, value in rows:
        print(f"| {name} | {value} |")


async def _run(bootstrap: str, rate: int, kicks: int, seconds: int) -> list[float]:
    """Seconds from each verdict to its call."""
    connection = Connection(bootstrap, Kafka(bootstrap=bootstrap))
    await asyncio.to_thread(lambda: Admin(connection).create(topics.ALL))
    vendor = ControlServer(World())
    await vendor.start()
    try:
        with tempfile.TemporaryDirectory(prefix="moderato-bench-") as folder:
            async with _roles(Path(folder), bootstrap, vendor):
                return await _measured(connection, vendor, rate, kicks, seconds)
    finally:
        await vendor.stop()


@asynccontextmanager
async def _roles(folder: Path, bootstrap: str, vendor: ControlServer) -> AsyncIterator[None]:
    accounts = vendor.world.accounts
    (folder / "rules.yaml").write_text(_POLICY)
    agora = {
        "app_id": accounts.agora_app_id,
        "customer_id": accounts.agora_customer_id,
        "customer_secret": accounts.agora_customer_secret,
        "base_urls": [f"{vendor.url}/agora"],
    }
    running = []
    for role, port in zip(("policy", "enforcer"), free_ports(2), strict=True):
        settings = {
            "kafka": {"bootstrap": bootstrap},
            "admin": {"host": "127.0.0.1", "port": port},
            "log": {"level": "warning"},
            "policy": {"file": str(folder / "rules.yaml")},
            "tenants": {"acme": {"credentials": {"agora": agora}, "enforcement": [{"executor": "agora"}]}},
        }
        file = folder / f"{role}.yaml"
        file.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "moderato", "run", role, "--config", str(file)]
        running.append(await asyncio.create_subprocess_exec(*command))
    try:
        yield
    finally:
        for each in running:
            if each.returncode is None:
                each.terminate()
        await asyncio.gather(*(each.wait() for each in running))


async def _measured(
    connection: Connection, vendor: ControlServer, rate: int, kicks: int, seconds: int
) -> list[float]:
    publisher = Publisher(connection, deadline=10.0)
    await publisher.start([topics.VERDICTS])
    sent: dict[int, float] = {}
    try:
        # Until all kicks so far have arrived, both roles are getting ready.
        for warming in range(1, 300):
            await publisher.publish_all([_verdict(warming, kick=True)])
            await asyncio.sleep(0.5)
            if len(_calls(vendor)) == warming:
                break
        number, each = 1_000_000, rate // kicks
        began = time.monotonic()
        for tick in range(round(seconds / _TICK)):
            first, last = round(tick * _TICK * rate), round((tick + 1) * _TICK * rate)
            batch = []
            for place in range(first, last):
                number += 1
                kick = place % each == each // 2
                batch.append(_verdict(number, kick=kick))
                if kick:
                    sent[number] = time.time()
            await publisher.publish_all(batch)
            await asyncio.sleep(max(0.0, began + (tick + 1) * _TICK - time.monotonic()))
        for _ in range(300):
            if sent.keys() <= _calls(vendor).keys():
                break
            await asyncio.sleep(0.1)
    finally:
        await publisher.stop()
    calls = _calls(vendor)
    return [calls[number] - at for number, at in sent.items()]


def _calls(vendor: ControlServer) -> dict[int, float]:
    """By the user who was kicked: when."""
    rules: Any = vendor.world.show["kicking_rules"]()
    return {rule["uid"]: rule["made"] for rule in rules}


def _verdict(number: int, *, kick: bool) -> Message:
    at = now()
    room = f"room-{number % 1000}"
    judged = {} if kick else {"decision": "pass", "severity": "none", "severity_level": 0, "category": "none"}
    data = verdict(
        id=f"v-{number}#0", user=str(number), room=room, occurred_at=at, normalized_at=at, **judged
    )
    headers = encode(
        "verdict", id=data["id"], source=Source.SHUMEI_AUDIO, tenant="acme", key=f"acme/{room}", time=at
    )
    return Message(topics.VERDICTS, f"acme/{room}".encode(), orjson.dumps(data), headers)


if __name__ == "__main__":
    main()
