"""One `moderato run …` as a process of its own, on a core of its own, with its CPU time and memory. Linux only."""

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE = 0
LOAD_CORE = min(1, (os.cpu_count() or 1) - 1)


@dataclass(frozen=True)
class Process:
    """A running role: its process id and the port of its admin server."""

    pid: int
    admin_port: int

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def wait(self) -> None:
        """Until it has ended, by itself or on a signal of somebody else's."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def rss_mib(self) -> float:
        """Resident memory now."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def metric(self, name: str, labels: str = "") -> float:
        """A sample of /metrics, summed over those whose labels hold this text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        pattern = rf"^{re.escape(name)}(\{{[^}}]*\}})? (\S+)$"
        return sum(float(value) for found, value in re.findall(pattern, text, re.M) if labels in found)


@contextlib.contextmanager
def running(role: str, config: Path, admin_port: int) -> Iterator[Process]:
    """Starts a role pinned to the server's core, waits until it is ready, and ends it."""
    command = [sys.executable, "-m", "moderato", "--config", str(config), "run", role]
    log = config.with_suffix(f".{role}.log")
    with log.open("wb") as stderr:
        child = subprocess.Popen(
            command,
            stderr=stderr,
            stdout=stderr,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
    process = Process(child.pid, admin_port)
    try:
        _wait_until_ready(child, process, log)
        yield process
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()


def _wait_until_ready(child: "subprocess.Popen[bytes]", process: Process, log: Path) -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        if child.poll() is not None:
            raise SystemExit(f"the role ended with {child.returncode}: {log.read_text()[-2000:]}")
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{process.admin_port}/readyz", timeout=1),
        ):
            return
        time.sleep(0.05)
    raise SystemExit(f"the role was not ready within 30 s: {log.read_text()[-2000:]}")
