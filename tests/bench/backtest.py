"""What a backtest takes: `python -m tests.bench.backtest`. A day of a million verdicts, 90 % of which pass, through two
of the ready policies; two vendors hear each room, and people decide on one in a thousand of what is flagged.

The command runs as a process of its own over a file of JSON lines (1.1 GB, made before and not measured), and over
Kafka when `KAFKA_BOOTSTRAP` is set; the topic moderation.verdicts there must be empty."""

import argparse
import asyncio
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.codec import encode
from moderato.records import Category, Severity
from moderato.settings import Kafka
from moderato.sources import Source
from moderato.times import rfc3339
from tests.sinks.support import verdict

POLICIES = Path(__file__).parents[2] / "docs" / "policies"
_BEGIN = 1_795_248_000.0
_DAY = 86_400.0
_SOURCES = (Source.SHUMEI_AUDIO, Source.YIDUN_AUDIO)
_CATEGORIES = [str(each) for each in Category if each != "none"]
_BATCH = 2_000


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rooms", type=int, default=2_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moderato-bench-") as folder:
        path = Path(folder) / "verdicts.jsonl"
        with path.open("wb") as file:
            file.writelines(orjson.dumps(each) + b"\n" for each in verdicts(options.records, options.rooms))
        measure("file", options.records, "--verdicts", str(path))
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP"):
        asyncio.run(fill(bootstrap, options.records, options.rooms))
        measure("Kafka", options.records, "--bootstrap", bootstrap, "--from", "beginning", "--to", "now")


def measure(what: str, records: int, *arguments: str) -> None:
    """Runs the command once."""
    command = [sys.executable, "-m", "moderato", "policy", "backtest", "--format", "json", *arguments]
    command += ["--rules", str(POLICIES / "voice-room.yaml"), "--baseline", str(POLICIES / "live-show.yaml")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report = orjson.loads(ended.stdout)
    assert report["read"]["verdicts"] + report["read"]["repeated"] == records, report["read"]
    actions = sum(sum(rule["actions"].values()) for rule in report["policy"]["rules"])
    for name, value in (
        ("verdicts from", what),
        ("verdicts", f"{records:,}"),
        ("actions of the new policy", f"{actions:,}"),
        ("seconds", f"{seconds:.1f}"),
        ("verdicts a second", f"{records / seconds:,.0f}"),
        ("verdicts a CPU second", f"{records / cpu:,.0f}"),
        ("memory at most, MiB", f"{after.ru_maxrss / 1024:,.0f}"),
    ):
        print(f"| {name} | {value} |", flush=True)


def verdicts(number: int, rooms: int) -> Iterator[dict[str, Any]]:
    """The same ones at every run, in the order of their time."""
    chance = random.Random(1)
    for place in range(number):
        at = rfc3339(_BEGIN + place * _DAY / number)
        room = chance.randrange(rooms)
        judged: dict[str, Any] = {"decision": "pass", "severity": "none", "category": "none"}
        if chance.random() < 0.1:
            judged = {
                "decision": chance.choice(["review", "block", "block"]),
                "severity": chance.choice(["low", "medium", "high", "critical"]),
                "category": chance.choice(_CATEGORIES),
                "judge": "vendor_human" if chance.random() < 0.001 else "machine",
            }
        source = chance.choice(_SOURCES)
        yield verdict(
            id=f"{source}-{place}#0",
            source=source,
            tenant=f"t-{room % 20}",
            task_id=f"{source}-{room}",
            segment_id=f"{source}-{room}-{place}",
            room=f"room-{room}",
            user=f"u-{chance.randrange(100_000)}",
            text="x" * 200,
            severity_level=Severity(judged["severity"]).level,
            occurred_at=at,
            received_at=at,
            normalized_at=at,
            **judged,
        )


async def fill(bootstrap: str, number: int, rooms: int) -> None:
    """Writes the same verdicts as the normalizer does."""
    publisher = Publisher(Connection(bootstrap, Kafka()), deadline=60)
    await publisher.start([topics.VERDICTS])
    batch: list[Message] = []
    for each in verdicts(number, rooms):
        key, at = f"{each['tenant']}/{each['room']}", each["occurred_at"]
        headers = encode(
            "verdict", id=each["id"], source=each["source"], tenant=each["tenant"], key=key, time=at
        )
        batch.append(Message(topics.VERDICTS, key.encode(), orjson.dumps(each), headers))
        if len(batch) == _BATCH:
            await publisher.publish_all(batch)
            batch = []
    await publisher.publish_all(batch)
    await publisher.stop()


if __name__ == "__main__":
    main()
