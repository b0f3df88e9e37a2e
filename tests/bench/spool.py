"""S: HTTP callback -> fsynced in the spool, with Kafka away: `python -m tests.bench.spool`.

Callbacks come until so many are spooled; the receiver's memory, rate and latency are those over the whole of it. Then
it is started again on what it has, and is to end while it is under full load.
"""

import argparse
import os
import secrets
import signal
import tempfile
import threading
import time
from pathlib import Path

import orjson
import uvloop

from moderato.bus.embedded import EmbeddedBroker
from tests.bench import load
from tests.bench.__main__ import written
from tests.bench.bodies import bodies
from tests.bench.process import LOAD_CORE, Process, running
from tests.ports import free_ports

_STRETCH = 10.0  # seconds of load between two looks
_LONGEST = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.spool", description=__doc__.split("\n\n")[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    token, port, admin = secrets.token_urlsafe(24), *free_ports(2)
    path = f"/v1/callbacks/shumei_audio/default/{token}"
    with tempfile.TemporaryDirectory(prefix="moderato-bench-") as folder:
        broker = EmbeddedBroker(1)
        config = written(Path(folder), broker.bootstrap, token, port, admin)
        settings = orjson.loads(config.read_bytes())
        settings["spool"] = {"directory": f"{folder}/spool", "max_bytes": 8 * 1024**3}
        config.write_bytes(orjson.dumps(settings))
        with running("receiver", config, admin) as process:
            broker.stop()
            _fill(process, port, path, options.entries)
        began = time.monotonic()
        with running("receiver", config, admin) as process:
            print(f"started again on them in {time.monotonic() - began:.1f} s, {process.rss_mib():.0f} MiB")
            print(f"ended under full load within {_ended(process, port, path):.1f} s of SIGTERM")


def _fill(process: Process, port: int, path: str, entries: int) -> None:
    whole, cpu, end = load.Load(), process.cpu_seconds(), time.monotonic() + _LONGEST
    while process.metric("moderato_spool_entries") < entries:
        if time.monotonic() > end:
            raise SystemExit(f"not spooled within {_LONGEST:.0f} s")
        seen = uvloop.run(load.post(port, path, bodies(), connections=64, seconds=_STRETCH))
        if set(seen.statuses) != {200}:
            raise SystemExit(f"the receiver answered {seen.statuses}")
        whole.latencies += seen.latencies
        whole.seconds += seen.seconds
    cpu = process.cpu_seconds() - cpu
    print(
        f"{process.metric('moderato_spool_entries'):,.0f} spooled, "
        f"{process.metric('moderato_spool_bytes') / 1024**2:,.0f} MiB on disk: "
        f"{whole.count / whole.seconds:,.0f} a second, {cpu / whole.count * 100_000:.2f} CPU s per 100,000, "
        f"p50 {whole.quantile(0.5):.1f} ms, p99 {whole.quantile(0.99):.1f} ms, {process.rss_mib():.0f} MiB",
        flush=True,
    )


def _ended(process: Process, port: int, path: str) -> float:
    """Seconds from SIGTERM, sent under load, to the end of the process."""
    began = 0.0

    def end() -> None:
        nonlocal began
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)

    threading.Timer(2.0, end).start()
    uvloop.run(load.post(port, path, bodies(), connections=64, seconds=6.0))
    process.wait()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
