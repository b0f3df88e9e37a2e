"""A role that dies at a named point between two steps, or whose clock jumps: `python -m tests.faults.wrapped`.

The production code knows nothing of this: the steps are wrapped here, before the role starts."""

import argparse
import asyncio
import functools
import importlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

# Where: the class, its step, and whether death comes before or after it.
RECEIVER_POINTS: dict[str, tuple[str, str, bool]] = {
    "callback read, not stored": ("ingest.store:Store", "put", True),
    "callback stored, not answered": ("ingest.store:Store", "put", False),
}
SPOOL_POINTS: dict[str, tuple[str, str, bool]] = {
    "not written to the spool": ("ingest.spool.file:SpoolFile", "append", True),
    "fsynced, not answered": ("ingest.spool.file:SpoolFile", "append", False),
    "drained, not removed": ("ingest.spool.file:SpoolFile", "remove", True),
    "removed": ("ingest.spool.file:SpoolFile", "remove", False),
}
STAGE_POINTS: dict[str, tuple[str, str, bool]] = {
    "fetched": ("moderato.bus.stage:Stage", "_begin", True),
    "handled, not published": ("moderato.bus.stage:Stage", "_publish", True),
    "published, not committed": ("moderato.bus.stage:Stage", "_commit", True),
    "committed": ("moderato.bus.stage:Stage", "_commit", False),
}
ENFORCER_POINTS: dict[str, tuple[str, str, bool]] = {
    "action not carried out": ("sinks.enforce.worker:Enforcer", "_execute", True),
    "action carried out, outcome not written": ("sinks.enforce.worker:Enforcer", "_execute", False),
}
POINTS = RECEIVER_POINTS | SPOOL_POINTS | STAGE_POINTS | ENFORCER_POINTS


def die_at(point: str, passage: int) -> None:
    """Wraps the step so that the process is gone at its n-th passage."""
    place, name, before = POINTS[point]
    module, _, owner_name = place.partition(":")
    owner = getattr(importlib.import_module(module), owner_name)
    step = getattr(owner, name)
    passages = itertools.count(1)

    def pass_by() -> None:
        if next(passages) >= passage:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, _wrapped(step, before, pass_by))


def _wrapped(step: Callable[..., Any], before: bool, pass_by: Callable[[], None]) -> Callable[..., Any]:
    if asyncio.iscoroutinefunction(step):

        @functools.wraps(step)
        async def run(*arguments: Any, **named: Any) -> Any:
            if before:
                pass_by()
            result = await step(*arguments, **named)
            if not before:
                pass_by()
            return result

        return run

    @functools.wraps(step)
    def run_plainly(*arguments: Any, **named: Any) -> Any:
        if before:
            pass_by()
        result = step(*arguments, **named)
        if not before:
            pass_by()
        return result

    return run_plainly


def jump(seconds: float, after: float) -> None:
    """The wall clock as our code reads it is off by so much, once `after` seconds have passed."""
    clock, start = time.time, time.monotonic()
    nanoseconds = time.time_ns

    def off() -> float:
        return seconds if time.monotonic() - start > after else 0.0

    time.time = lambda: clock() + off()
    time.time_ns = lambda: nanoseconds() + int(off() * 1e9)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--point")
    parser.add_argument("--passage", type=int, default=1)
    parser.add_argument("--jump", type=float, default=0.0)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    # First, for those who take `time.time` along when they are imported.
    if options.jump:
        jump(options.jump, after=3.0)
    if options.point:
        die_at(options.point, options.passage)
    from moderato.cli.main import main

    sys.argv = ["moderato", *options.arguments[options.arguments[:1] == ["--"] :]]
    sys.exit(main())
