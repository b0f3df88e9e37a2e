"""What counting takes: `python -m tests.bench.counting`. The memory of a million subjects, and the pace of strikes."""

import argparse
import gc
import random
import resource
import sys
import time

from sinks.policy.windows import Windows

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
    for name, value in (
        ("subjects", f"{subjects:,}"),
        ("memory with one strike each", f"{one:,} MiB"),
        ("memory with three strikes each", f"{three:,} MiB"),
        ("first strikes a second", f"{subjects / first:,.0f}"),
        ("further strikes a second", f"{2 * subjects / more:,.0f}"),
    ):
        print(f"| {name} | {value} |")


def _count(windows: Windows, subject: int, strike: int, offset: float) -> None:
    at = 1e9 + offset
    windows.count("rule", f"acme/u-{subject}", f"strike-{strike}", at=at, known=at + 1, within=_DAY)


def _resident() -> int:
    """The most memory that was resident so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
