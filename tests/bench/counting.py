"""What counting takes: `python -m tests.bench.counting`. The memory of a million subjects, and the pace of strikes.

The rebuild opens, checks, matches and counts strikes of 1.2 KB as the stage does it; what reading them from Kafka
adds is not in here."""

import argparse
import asyncio
import contextlib
import gc
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Mapping

import orjson
from aiokafka import ConsumerRecord, TopicPartition

from moderato import topics
from moderato.bus.record import Record
from moderato.codec import encode
from moderato.sources import Source
from sinks.policy.brakes import Brakes
from sinks.policy.counter import Counter
from sinks.policy.evaluate import Evaluator
from sinks.policy.rules import Policy, PolicyFile
from sinks.policy.windows import Windows
from tests.sinks.support import verdict

_DAY = 86_400.0


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=1_000_000)
    subjects: int = parser.parse_args().subjects
    gc.collect()
    before = _resident()
    windows = Windows(subjects)
    start = time.perf_counter()
    for number in range(subjects):
        _count(windows, number, number, 0.0)
    first = time.perf_counter() - start
    one = _resident() - before
    chance = random.Random(1)
    start = time.perf_counter()
    for number in range(subjects, 3 * subjects):
        _count(windows, chance.randrange(subjects), number, number / 1000)
    more = time.perf_counter() - start
    three = _resident() - before
    if len(windows) != subjects or windows.evicted:
        sys.exit(f"{len(windows):,} subjects are kept, not {subjects:,}")
    rebuilt = asyncio.run(_rebuilt(subjects))
    for name, value in (
        ("subjects", f"{subjects:,}"),
        ("memory with one strike each", f"{one:,} MiB"),
        ("memory with three strikes each", f"{three:,} MiB"),
        ("first strikes a second", f"{subjects / first:,.0f}"),
        ("further strikes a second", f"{2 * subjects / more:,.0f}"),
        (f"rebuild of {subjects:,} strikes", f"{rebuilt:.1f} s"),
    ):
        print(f"| {name} | {value} |")


async def _rebuilt(strikes: int) -> float:
    """Seconds of the work of a rebuild; the strikes are made a thousand at a time, which is not counted."""
    rule = {"id": "r", "match": {}, "then": [{"action": "kick"}], "count": {"at_least": 3, "within": "1d"}}
    evaluator = Evaluator(Policy.of(PolicyFile.model_validate({"rules": [rule]})))
    making = 0.0

    @contextlib.asynccontextmanager
    async def past(
        offsets: Mapping[TopicPartition, int], since: float
    ) -> AsyncIterator[AsyncIterator[list[Record]]]:
        async def batches() -> AsyncIterator[list[Record]]:
            nonlocal making
            for first in range(0, strikes, 1000):
                start = time.perf_counter()
                batch = [_strike(first + number) for number in range(1000)]
                making += time.perf_counter() - start
                yield batch

        yield batches()

    stage = Counter(lambda: evaluator, past, Brakes())
    last = _strike(strikes)
    start = time.perf_counter()
    await stage.handle([last])
    return time.perf_counter() - start - making


def _strike(number: int) -> Record:
    data = verdict(id=f"r-{number}#0", user=f"u-{number}", text="x" * 400)
    key, body = f"acme/u-{number}".encode(), orjson.dumps(data)
    headers = encode(
        "strike",
        id=data["id"],
        source=Source.SHUMEI_AUDIO,
        tenant="acme",
        key=key.decode(),
        time=data["occurred_at"],
    )
    return ConsumerRecord(topics.STRIKES, 0, number, 0, 0, key, body, None, 0, len(body), headers)


def _count(windows: Windows, subject: int, strike: int, offset: float) -> None:
    at = 1e9 + offset
    windows.count("rule", f"acme/u-{subject}", f"strike-{strike}", at=at, known=at + 1, within=_DAY)


def _resident() -> int:
    """The most memory that was resident so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
