"""`make faults RUNS=n SEED=s`: faults from a seeded plan; last line a summary, exit code 1 on any fault found."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path
from random import Random

from tests.faults.runs import FAULTS, scene


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print(f"seed {seed}, {options.brokers} broker(s)", flush=True)
    plan = Random(seed)
    sent = acknowledged = 0
    with (
        tempfile.TemporaryDirectory(prefix="moderato-faults-") as folder,
        scene(Path(folder), options.brokers, seed) as stage,
    ):
        for number in range(1, options.runs + 1):
            run = asyncio.run(stage.run(plan.choice(FAULTS)))
            print(f"{number} {run}", flush=True)
            sent, acknowledged = sent + run.sent, acknowledged + run.acknowledged
            if run.found.faults:
                print(f"FAILED, seed {seed}: {run.found}")
                return 1
    print(f"{options.runs} runs, seed {seed}: sent {sent}, acknowledged {acknowledged}, no fault found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
