"""The roles as processes of their own, on loopback, each to be killed and started again."""

import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import orjson

from simulator.targets import example_targets
from tests.kafka.brokers import free_ports

ROLES = ("receiver", "normalizer", "policy", "enforcer")
_READY = 60.0  # seconds


class Pipeline:
    """All roles against the brokers of `bootstrap`; logs and settings are in `folder`."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.targets = example_targets()
        port, *admin = free_ports(1 + len(ROLES))
        self.base = f"http://127.0.0.1:{port}"
        self._admin = dict(zip(ROLES, admin, strict=True))
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        sources = {
            str(each.source): {"tokens": [each.token], "secrets": each.secrets} for each in self.targets
        }
        for role in ROLES:
            settings = {
                "kafka": {"bootstrap": bootstrap},
                "http": {"host": "127.0.0.1", "port": port},
                "admin": {"host": "127.0.0.1", "port": self._admin[role]},
                "tenants": {"default": {"sources": sources}},
            }
            # JSON is YAML.
            (folder / f"{role}.yaml").write_bytes(orjson.dumps(settings))

    def start(self, role: str) -> None:
        command = [sys.executable, "-m", "moderato", "--config", str(self._folder / f"{role}.yaml")]
        with (self._folder / f"{role}.log").open("ab") as log:
            self._running[role] = subprocess.Popen([*command, "run", role], stdout=log, stderr=log)

    def wait(self, role: str) -> None:
        """Until the role is ready. Raises RuntimeError with the end of its log."""
        end = time.monotonic() + _READY
        while time.monotonic() < end and self._running[role].poll() is None:
            address = f"http://127.0.0.1:{self._admin[role]}/readyz"
            with suppress(OSError), urllib.request.urlopen(address, timeout=1):
                return
            time.sleep(0.1)
        raise RuntimeError(f"{role} is not ready: {(self._folder / f'{role}.log').read_text()[-2000:]}")

    def end(self, role: str, number: signal.Signals) -> None:
        """Sends a signal and waits for the end."""
        child = self._running[role]
        child.send_signal(number)
        try:
            child.wait(25)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def close(self) -> None:
        for role in self._running:
            self.end(role, signal.SIGKILL)
