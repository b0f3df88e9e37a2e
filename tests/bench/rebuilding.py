"""How long the windows of a million strikes take to be made anew from Kafka: `python -m tests.bench.rebuilding`.

A counter that has just been given all partitions, on real Kafka: that of KAFKA_BOOTSTRAP (its strikes' topic is made
anew), or one broker of its own. Strikes of 1.2 KB, each of another user; the time is that of the first batch."""

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import orjson

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.publisher import Message, Publisher
from moderato.bus.record import Record
from moderato.codec import encode
from moderato.lifecycle import run
from moderato.settings import Kafka
from moderato.sources import Source
from moderato.times import now
from sinks.policy.brakes import Brakes
from sinks.policy.counter import Counter, past
from sinks.policy.evaluate import Evaluator
from sinks.policy.rules import Policy, PolicyFile
from tests.kafka.brokers import Cluster
from tests.kafka.topics import Topics
from tests.sinks.support import verdict

_BATCH = 2000


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strikes", type=int, default=1_000_000)
    options = parser.parse_args()
    with ExitStack() as stack:
        bootstrap = os.environ.get("KAFKA_BOOTSTRAP")
        if not bootstrap:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moderato-bench-")))
            cluster = Cluster(folder, 1)
            stack.callback(cluster.close)
            cluster.start()
            bootstrap = cluster.bootstrap
        made = Topics(bootstrap)
        made.claim()
        made.fresh()
        connection = Connection(bootstrap, Kafka(bootstrap=bootstrap))
        seconds, cpu = run(_rebuilt(connection, options.strikes))
    for name, value in (
        ("strikes", f"{options.strikes:,}"),
        ("rebuild from Kafka", f"{seconds:.1f} s"),
        ("CPU of the process", f"{cpu:.1f} s"),
    ):
        print(f"| {name} | {value} |")


async def _rebuilt(connection: Connection, strikes: int) -> tuple[float, float]:
    """Seconds, and CPU seconds, until a counter that begins in the middle can count."""
    publisher = Publisher(connection, deadline=60.0)
    await publisher.start([topics.STRIKES])
    for first in range(0, strikes, _BATCH):
        await publisher.publish_all([_strike(first + number) for number in range(_BATCH)])
    # One more in each partition, which the counter is given first.
    await publisher.publish_all([_strike(strikes + number) for number in range(500)])
    await publisher.stop()
    lasts: dict[int, Record] = {}
    async with history(connection, [topics.STRIKES], service=True) as opened:
        opened.newest(opened.stretches, 1)
        async for batch in opened.batches():
            lasts |= {record.partition: record for record in batch}
    rule = {"id": "r", "match": {}, "then": [{"action": "kick"}], "count": {"at_least": 3, "within": "1d"}}
    evaluator = Evaluator(Policy.of(PolicyFile.model_validate({"rules": [rule]})))
    counter = Counter(lambda: evaluator, past(connection), Brakes())
    start, began = time.perf_counter(), time.process_time()
    await counter.handle(list(lasts.values()))
    return time.perf_counter() - start, time.process_time() - began


def _strike(number: int) -> Message:
    at = now()
    data = verdict(id=f"r-{number}#0", user=f"u-{number}", text="x" * 400, occurred_at=at, normalized_at=at)
    key = f"acme/u-{number}"
    headers = encode("strike", id=data["id"], source=Source.SHUMEI_AUDIO, tenant="acme", key=key, time=at)
    return Message(topics.STRIKES, key.encode(), orjson.dumps(data), headers)


if __name__ == "__main__":
    main()
