"""`make faults RUNS=n SEED=s BROKERS=1|3`: every fault alone, then random ones and pairs, from a printed seed. The last
line is a summary; the exit code is 1 when anything was lost, invented, altered or out of order."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.faults.faults import Fault, faults
from tests.faults.report import table
from tests.faults.runs import Run, scene

_RUNS_A_SCENE = 30  # then fresh brokers: what the judge remembers does not grow for ever
_PAIR = 0.4  # of the random runs have two faults at once
_LONG = 0.1  # of the random runs may have one that takes long


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--only", default="", help="faults whose name has this in it, again and again")
    parser.add_argument("--random", action="store_true", help="random ones only, not each alone first")
    parser.add_argument("--no-disk", action="store_true", help="without a full disk, which needs root")
    parser.add_argument("--report", type=Path, default=None, help="where to write the table, as Markdown")
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print(f"seed {seed}, {options.brokers} broker(s)", flush=True)
    known = [
        fault for fault in faults(options.brokers, disk=not options.no_disk) if options.only in fault.name
    ]
    plan = planned(known, Random(seed), each_first=not (options.random or options.only))
    runs: list[Run] = []
    while len(runs) < options.runs:
        with (
            tempfile.TemporaryDirectory(prefix="moderato-faults-") as folder,
            scene(Path(folder), options.brokers, seed + len(runs), disk=not options.no_disk) as stage,
        ):
            for _ in range(min(_RUNS_A_SCENE, options.runs - len(runs))):
                runs.append(run := asyncio.run(stage.run(next(plan))))
                print(f"{len(runs)} {run}", flush=True)
                if run.found.faults:
                    print(stage.pipeline.autopsy())
                    break
        if options.report:
            options.report.write_text(table(runs) + "\n", encoding="utf-8")
        if runs[-1].found.faults:
            print(f"FAILED in run {len(runs)}, seed {seed}: {runs[-1].found}")
            return 1
    print(table(runs))
    print(
        f"{len(runs)} runs, seed {seed}: {sum(run.sent for run in runs):,} sent, "
        f"{sum(run.acknowledged for run in runs):,} acknowledged, 0 lost, 0 invented, 0 altered, 0 out of order"
    )
    return 0


def planned(known: list[Fault], random: Random, *, each_first: bool) -> Iterator[list[Fault]]:
    """What each run is about, without end."""
    if each_first:
        yield from ([fault] for fault in known)
    short = [fault for fault in known if not fault.long] or known
    while True:
        first = random.choice(known if random.random() < _LONG else short)
        others = [fault for fault in short if not fault.touches & first.touches]
        yield [first, random.choice(others)] if others and random.random() < _PAIR else [first]


if __name__ == "__main__":
    sys.exit(main())
