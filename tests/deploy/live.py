"""The demo at work, and a real Prometheus that scrapes it once a second with our rules loaded.

`python -m tests.deploy.live` is the demo's half: it prints where its metrics are, and plays until it is ended."""

import asyncio
import contextlib
import json
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.installation import find
from tests.deploy.rules import FILES

_PATIENCE = 90.0  # seconds for a process to start


class Prometheus:
    """A running Prometheus, to be asked."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, path: str, **parameters: str | float) -> Any:
        """The `data` of an answer of its API. Raises AssertionError with its words when it refuses."""
        url = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of this moment, those that are not a number left out."""
        found = self.ask("query", query=expression)["result"]
        return [sample for sample in found if sample["value"][1] != "NaN"]


def filled(expression: str, window: str = "15s") -> str:
    """A panel's query as Grafana sends it with every variable at All."""
    variables = {"$namespace": ".*", "$job": ".+", "$instance": ".+", "$__rate_interval": window}
    for name, value in variables.items():
        expression = expression.replace(name, value)
    return expression


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[Prometheus]:
    """The demo and its Prometheus. Raises tests.deploy.installation.Missing."""
    program = find("prometheus")
    with _ended(
        subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True)
    ) as demo:
        assert demo.stdout is not None
        target = demo.stdout.readline().strip()
        assert re.fullmatch(r"127\.0\.0\.1:\d+", target), f"the demo did not start: {target!r}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        configuration = folder / "prometheus.yml"
        configuration.write_text(yaml.safe_dump(_configuration(target)))
        command = [
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=error",
        ]
        with _ended(subprocess.Popen(command)) as server:
            limit = time.monotonic() + _PATIENCE
            while time.monotonic() < limit and server.poll() is None:
                with (
                    contextlib.suppress(OSError),
                    urllib.request.urlopen(f"http://{address}/-/ready", timeout=5),
                ):
                    yield Prometheus(f"http://{address}")
                    return
                time.sleep(0.1)
            raise AssertionError("Prometheus did not start")


def _configuration(target: str) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(file) for file in FILES],
        "scrape_configs": [{"job_name": "moderato", "static_configs": [{"targets": [target]}]}],
    }


@contextlib.contextmanager
def _ended(child: "subprocess.Popen[Any]") -> Iterator["subprocess.Popen[Any]"]:
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def _play() -> None:
    from moderato import logs
    from moderato.cli.demo_scene import Options, scene
    from moderato.lifecycle import until_signal
    from moderato.settings import Log

    logs.configure(Log(format="console", level="warning"))
    ended = until_signal()
    async with scene(Options(seconds=600.0, rooms=12, rate=40.0, seed=278, port=0)) as playing:
        print(playing.metrics_url.removeprefix("http://").removesuffix("/metrics"), flush=True)
        vendors = asyncio.create_task(playing.run())
        stopping = asyncio.create_task(ended.wait())
        await asyncio.wait([vendors, stopping], return_when=asyncio.FIRST_COMPLETED)
        playing.stop()
        await vendors


if __name__ == "__main__":
    asyncio.run(_play())
