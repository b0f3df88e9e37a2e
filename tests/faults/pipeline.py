"""The roles as processes of their own, on loopback, each to be killed and started again; some of them several times."""

import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import orjson

from simulator.targets import example_targets
from tests.ports import free_ports

ROLES = ("receiver", "normalizer", "policy", "enforcer")
STAGES = ROLES[1:]
MOST_NORMALIZERS = 4
_NAMES = (*ROLES, *(f"normalizer-{number}" for number in range(2, MOST_NORMALIZERS + 1)))
_FATAL = 2  # the exit code of a role that cannot start
_READY = 120.0  # seconds
_END = 20.0  # seconds; as promised


class Pipeline:
    """All roles against the brokers of `bootstrap`; logs and settings are in `folder`, the spool is in `spool`."""

    def __init__(self, folder: Path, bootstrap: str, spool: Path) -> None:
        self.targets = example_targets()
        self.slow_ends: list[str] = []
        """Processes that did not end within the promised time after a SIGTERM."""
        port, *admin = free_ports(1 + len(_NAMES))
        self.base = f"http://127.0.0.1:{port}"
        self._admin = dict(zip(_NAMES, admin, strict=True))
        self._folder = folder
        self._commands: dict[str, list[str]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        sources = {
            str(each.source): {"tokens": [each.token], "secrets": each.secrets} for each in self.targets
        }
        for name in _NAMES:
            settings = {
                "kafka": {"bootstrap": bootstrap},
                "http": {"host": "127.0.0.1", "port": port},
                "admin": {"host": "127.0.0.1", "port": self._admin[name]},
                "tenants": {"default": {"sources": sources}},
                "spool": {"directory": str(spool)},
            }
            # JSON is YAML.
            (folder / f"{name}.yaml").write_bytes(orjson.dumps(settings))

    def start(self, name: str, wrapped: Sequence[str] = ()) -> None:
        """Starts a process; `wrapped` are options of tests.faults.wrapped, for one that is to come to grief."""
        role = re.sub(r"-\d$", "", name)
        module = ["tests.faults.wrapped", *wrapped, "--"] if wrapped else ["moderato"]
        self._commands[name] = [
            *(sys.executable, "-m", *module),
            *("--config", str(self._folder / f"{name}.yaml"), "run", role),
        ]
        self._start(name)

    def wait(self, name: str, *, doomed: bool = False) -> None:
        """Until it is ready; one that is doomed may have killed itself before. One that has ended because it could not
        reach Kafka is started again, as whatever runs it would. Raises RuntimeError with the end of its log."""
        end = time.monotonic() + _READY
        while time.monotonic() < end:
            code = self._running[name].poll()
            if doomed and code == -signal.SIGKILL:
                return
            if code is not None and not self._started_again(name, code):
                break
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{self._admin[name]}/readyz", timeout=5),
            ):
                return
            time.sleep(0.1)
        raise RuntimeError(f"{name} is not ready: {self.log(name)}")

    def died(self, name: str, seconds: float) -> bool:
        """Whether it kills itself within that time. Raises RuntimeError when it ends in another way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            code = self._running[name].poll()
            if code == -signal.SIGKILL:
                return True
            if code is not None and not self._started_again(name, code):
                raise RuntimeError(f"{name} ended with {code}: {self.log(name)}")
            time.sleep(0.05)
        return False

    def end(self, name: str, number: signal.Signals) -> None:
        """Sends a signal and waits for the end."""
        child = self._running.pop(name)
        child.send_signal(number)
        try:
            child.wait(_END)
        except subprocess.TimeoutExpired:
            self.slow_ends.append(f"{name} took over {_END:.0f} s to end")
            child.kill()
            child.wait()

    def log(self, name: str) -> str:
        """The end of its log."""
        return (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-2000:]

    def autopsy(self) -> str:
        """What each process that runs says of itself: a stage that is stuck writes down where its tasks stand when it
        is asked whether it lives."""
        found = []
        for name in self._running:
            answers = [
                _answer(f"http://127.0.0.1:{self._admin[name]}/{path}") for path in ("livez", "readyz")
            ]
            log = (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            found.append(f"== {name}: {'; '.join(answers)}\n{log[-12_000:]}")
        return "\n".join(found)

    def count(self, name: str, metric: str) -> float:
        """The sum of a metric over its labels."""
        return sum(number for (found, _), number in self._metrics(name).items() if found == metric)

    def unbalanced(self) -> set[str]:
        """The boundaries inside running processes whose two sides differ."""
        found: set[str] = set()
        for name in self._running:
            sums: Counter[str] = Counter()
            for (metric, _), number in self._metrics(name).items():
                sums[metric] += number
            if name == "receiver":
                left = sums["moderato_callbacks_received_total"]
                parts = ("published", "spooled", "rejected")
                right = sum(sums[f"moderato_callbacks_{part}_total"] for part in parts)
            else:
                left = sums["moderato_stage_consumed_total"]
                parts = ("done", "ignored", "dead_lettered")
                right = sum(sums[f"moderato_stage_{part}_total"] for part in parts)
            if left != right:
                found.add(f"{name}: {left:.0f} in, {right:.0f} with a fate")
        return found

    def close(self) -> None:
        for name in list(self._running):
            self.end(name, signal.SIGKILL)

    def _start(self, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(self._commands[name], stdout=log, stderr=log)

    def _started_again(self, name: str, code: int) -> bool:
        """Whether it had ended because it could not reach Kafka, and was started again."""
        if code != _FATAL or "kafka" not in self.log(name).splitlines()[-1]:
            return False
        self._start(name)
        return True

    def _metrics(self, name: str) -> Counter[tuple[str, str]]:
        url = f"http://127.0.0.1:{self._admin[name]}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = answer.read().decode()
        samples = re.findall(r"^(\w+)(\{[^}]*\})? (\S+)$", page, re.M)
        return Counter({(metric, labels): float(number) for metric, labels, number in samples})


def _answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return f"{answer.status} {answer.read(500).decode()}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read(500).decode()}"
    except OSError as error:
        return str(error)
