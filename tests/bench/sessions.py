"""Sessions at the simulated vendors, run by a controller in a process of its own: `python -m tests.bench.sessions`.

1. Many sessions are started at once; CPU time and memory of the controller while they start, and while they are active.
2. The controller is killed with SIGKILL and started again: how long until it drives all of them, and what the vendors'
   own book says of it.

On real Kafka: that of KAFKA_BOOTSTRAP, or one broker of its own. Shumei's and Yidun's tasks are silent here, so that
they are asked as often as can be.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from ingest.sessions.directory import Directory
from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Publisher
from moderato.records import SessionRequest, SessionState
from moderato.session_requests import request_message
from moderato.settings import Kafka
from moderato.sources import Source
from moderato.times import now
from simulator.control.accounts import Limits
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.bench.process import Process
from tests.ingest.clients.test_against_simulator import tenant
from tests.kafka.brokers import Cluster
from tests.kafka.topics import Topics
from tests.ports import free_ports

_READY = 60.0  # seconds


def parameters(source: Source, number: int) -> dict[str, Any]:
    """Of a room of its own."""
    if source is Source.AGORA_VOICE:
        return {"channel": f"room-{number}", "uid": "1"}
    if source is Source.SHUMEI_AUDIO:
        stream = {"type": "NORMAL", "url": f"rtmp://live.example.com/{number}"}
        return {"stream": stream, "token_id": "host", "type": "POLITY"}
    return {"url": f"rtmp://live.example.com/yidun/{number}", "room": f"room-{number}"}


def request(id: str, kind: Any, source: Source, number: int) -> SessionRequest:
    given = parameters(source, number) if kind == "start" else None
    return SessionRequest(id, kind, "acme", source, f"room-{number}", None, given, None, "bench", now())


class Rig:
    """Kafka, the simulated vendors, what somebody who asks for sessions needs, and a controller to be killed."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection = connection
        self.server = ControlServer(World(limits=Limits(yidun_running=100_000)))
        self.publisher = Publisher(connection, deadline=30.0)
        self.directory = Directory(connection)
        self.folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._sources: dict[str, tuple[Source, int]] = {}

    async def __aenter__(self) -> "Rig":
        await self.server.start()
        await self.publisher.start([topics.SESSION_REQUESTS])
        await self.directory.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()
        await self.directory.stop()
        await self.publisher.stop()
        await self.server.stop()

    async def controller(self) -> Process:
        """Starts one, and waits until it is ready."""
        [admin] = free_ports(1)
        config = self.folder / "controller.yaml"
        settings = {
            "kafka": {"bootstrap": self.connection.bootstrap},
            "admin": {"host": "127.0.0.1", "port": admin},
            "sessions": {"callback_base_url": "http://127.0.0.1:1"},
            "capability_keys": ["k" * 32],
            "tenants": {"acme": _plain(tenant(self.server).model_dump())},
        }
        config.write_bytes(orjson.dumps(settings))
        command = [sys.executable, "-m", "moderato", "--config", str(config), "run", "controller"]
        self._child = self._spawned(command)
        limit = time.monotonic() + _READY
        while not await asyncio.to_thread(_ready, admin):
            if self._child.poll() is not None or time.monotonic() > limit:
                raise SystemExit(f"the controller did not start: {self.log()}")
            await asyncio.sleep(0.05)
        return Process(self._child.pid, admin)

    def _spawned(self, command: list[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / "controller.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGKILL)
            self._child.wait()

    def log(self) -> str:
        """The end of the controllers' log."""
        return (self.folder / "controller.log").read_text()[-3000:]

    async def start(self, counts: dict[Source, int]) -> None:
        """Asks for so many sessions of each source, all at once."""
        for source, count in counts.items():
            for number in range(count):
                self._sources[f"{source}-{len(self._sources)}"] = (source, number)
        await self._ask("start")

    async def stop(self) -> None:
        """Asks for the end of all of them."""
        await self._ask("stop")

    async def until(self, *states: SessionState, seconds: float) -> float:
        """How long it takes until all sessions are in one of these states."""
        began = time.monotonic()
        while (counted := self.states()).total() - sum(counted[state] for state in states):
            if time.monotonic() - began > seconds:
                raise SystemExit(f"after {seconds:.0f} s: {dict(counted)}\n{self.log()}")
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    def states(self) -> Counter[SessionState | None]:
        """How many sessions are in which state."""
        found = (self.directory.get(id) for id in self._sources)
        return Counter(session.state if session else None for session in found)

    def faults(self) -> list[str]:
        """What the vendors' book has against us: tasks twice, tasks of nobody, sessions whose task does not run."""
        running = Counter((task.source, task.key) for task in self.server.world.book.all_running())
        ids = {task.id for task in self.server.world.book.all_running()}
        known = {
            session.task.id
            for id in self._sources
            if (session := self.directory.get(id)) and session.task and session.state is SessionState.ACTIVE
        }
        found = [f"{count} tasks of {key}" for key, count in running.items() if count > 1]
        found += [f"task {id} runs and no session has it" for id in ids - known]
        return found + [f"session's task {id} does not run" for id in known - ids if id]

    async def _ask(self, kind: str) -> None:
        messages = [
            request_message(request(id, kind, source, number))
            for id, (source, number) in self._sources.items()
        ]
        await self.publisher.publish_all(messages)


def _plain(value: Any) -> Any:
    """Settings as they stand in a file."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    return value if isinstance(value, str | int | float | bool) else str(value)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
            return True
    except (OSError, urllib.error.URLError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.sessions", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the active ones are looked at")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moderato-bench-")))
        bootstrap = os.environ.get("KAFKA_BOOTSTRAP")
        if not bootstrap:
            cluster = Cluster(folder, 1)
            stack.callback(cluster.close)
            cluster.start()
            bootstrap = cluster.bootstrap
        made = Topics(bootstrap)
        made.claim()
        made.fresh()
        asyncio.run(_measure(Connection(bootstrap, Kafka(bootstrap=bootstrap)), folder, options))


async def _measure(connection: Connection, folder: Path, options: argparse.Namespace) -> None:
    # Agora takes 10 starts a second and Shumei, by our own limit, 20: in about four minutes these are all started.
    agora = min(2000, options.sessions * 4 // 10)
    shumei = min(2000, options.sessions * 4 // 10)
    counts = {
        Source.AGORA_VOICE: agora,
        Source.SHUMEI_AUDIO: shumei,
        Source.YIDUN_AUDIO: options.sessions - agora - shumei,
    }
    async with Rig(connection, folder) as rig:
        process = await rig.controller()
        await rig.start(counts)
        took = await rig.until(SessionState.ACTIVE, seconds=900)
        cpu = process.cpu_seconds()
        print(
            f"started {options.sessions} ({', '.join(f'{n} {s}' for s, n in counts.items())}) in {took:.1f} s"
        )
        print(f"  CPU {cpu:.1f} s, {cpu / options.sessions * 1000:.2f} ms each; {process.rss_mib():.0f} MiB")
        began, calls = time.monotonic(), rig.server.world.book.counts.copy()
        await asyncio.sleep(options.seconds)
        spent, lasted = process.cpu_seconds() - cpu, time.monotonic() - began
        asked = rig.server.world.book.counts - calls
        share = 100 * spent / lasted
        print(
            f"active for {lasted:.0f} s: {share:.1f} % of a core, {process.rss_mib():.0f} MiB; {dict(asked)}"
        )
        print(f"faults by the vendors' book: {rig.faults() or 'none'}")
        rig.kill()
        began = time.monotonic()
        process = await rig.controller()
        ready = time.monotonic() - began
        while process.metric("moderato_sessions") < options.sessions:
            if time.monotonic() - began > 120:
                raise SystemExit(f"not resumed: {process.metric('moderato_sessions')}\n{rig.log()}")
            await asyncio.sleep(0.2)
        print(
            f"killed: ready {ready:.1f} s after its start, all resumed after {time.monotonic() - began:.1f} s"
        )
        print(f"faults by the vendors' book: {rig.faults() or 'none'}")


if __name__ == "__main__":
    main()
