"""What the policy stage does a second: `python -m tests.bench.policy`. 100 rules, 90 % of the verdicts pass.

Opens, checks and judges verdicts as the worker does, and makes the messages of actions and strikes; what reading from
Kafka and writing to it adds is not in here. Rules and verdicts are those of a large installation: rules by severity,
category, tenant and room, a tenth of them counted, with lists, exceptions, hours and shares of people."""

import argparse
import asyncio
import random
import time
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.record import Record
from moderato.codec import encode
from moderato.records import Category, Severity
from moderato.sources import Source
from sinks.policy.brakes import Brakes
from sinks.policy.evaluate import Evaluator
from sinks.policy.rules import Policy, PolicyFile
from sinks.policy.worker import PolicyWorker
from tests.sinks.support import NOW, verdict

_BATCH = 500
_CATEGORIES = [str(each) for each in Category if each != "none"]


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--passed", type=float, default=0.9, help="share of passes, 0 to 1")
    options = parser.parse_args()
    chance = random.Random(1)
    file = PolicyFile.model_validate({"rules": [rule(number) for number in range(options.rules)]})
    moderators = frozenset(f"u-{number}" for number in range(0, 1_000_000, 10))
    evaluator = Evaluator(Policy.of(file, {"moderators.txt": moderators}))
    records = [record(number, chance, options.passed) for number in range(options.records)]
    done, cpu = asyncio.run(_run(PolicyWorker(lambda: evaluator, Brakes(), clock=lambda: NOW), records))
    for name, value in (
        ("rules", f"{options.rules}"),
        ("passes", f"{options.passed:.0%}"),
        ("verdicts", f"{options.records:,}"),
        ("actions and strikes", f"{done:,}"),
        ("verdicts per CPU second", f"{options.records / cpu:,.0f}"),
    ):
        print(f"| {name} | {value} |")


async def _run(worker: PolicyWorker, records: list[Record]) -> tuple[int, float]:
    """The messages that came of the records, and the CPU seconds of the process."""
    messages = 0
    start = time.process_time()
    for first in range(0, len(records), _BATCH):
        results = await worker.handle(records[first : first + _BATCH])
        assert not results.dead_lettered
        messages += len(results.messages)
    return messages, time.process_time() - start


def rule(number: int) -> dict[str, Any]:
    """Five rules for everybody, the others for a category of one tenant or of a kind of room."""
    made: dict[str, Any] = {
        "id": f"r-{number}",
        "then": [{"action": "mute", "duration": "10m", "max_age": "1m"}],
    }
    match: dict[str, Any] = {
        "decision": "block",
        "severity": {"at_least": "high" if number % 2 else "medium"},
    }
    if number < 5:
        match |= {"judge": ["vendor_human", "customer_human"], "category": _CATEGORIES[number::5]}
    else:
        match["category"] = _CATEGORIES[number % 16]
        match |= {"tenant": f"t-{number % 20}"} if number % 3 else {"room": f"kind-{number % 20}-*"}
    if number % 10 == 9:
        made["count"] = {"at_least": 3, "within": "10m"}
    if number % 10 == 7:
        made |= {"unless": [{"user": {"file": "moderators.txt"}}], "rollout": 50}
    if number % 10 == 8:
        match["time"] = {"from": "22:00", "to": "06:00", "timezone": "Asia/Shanghai"}
    return made | {"match": match}


def record(number: int, chance: random.Random, passed: float) -> Record:
    """A verdict of a large installation; `passed` is the share of passes."""
    if chance.random() < passed:
        judged: dict[str, Any] = {"decision": "pass", "severity": "none", "category": "none"}
    else:
        judged = {
            "decision": chance.choice(["review", "block", "block"]),
            "severity": chance.choice(["low", "medium", "high", "critical"]),
            "category": chance.choice(_CATEGORIES),
        }
    tenant, room = f"t-{chance.randrange(20)}", f"kind-{chance.randrange(20)}-{chance.randrange(1000)}"
    data = verdict(
        id=f"r-{number}#0",
        tenant=tenant,
        room=room,
        user=f"u-{chance.randrange(100_000)}",
        severity_level=Severity(judged["severity"]).level,
        text="x" * 200,
        **judged,
    )
    key, body = f"{tenant}/{room}", orjson.dumps(data)
    headers = encode(
        "verdict", id=data["id"], source=Source.SHUMEI_AUDIO, tenant=tenant, key=key, time=data["occurred_at"]
    )
    return ConsumerRecord(topics.VERDICTS, 0, number, 0, 0, key.encode(), body, None, 0, len(body), headers)


if __name__ == "__main__":
    main()
