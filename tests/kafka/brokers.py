"""Kafka brokers of our own: one, or several that replicate one another, each in its own process on loopback ports."""

import base64
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.kafka import installation
from tests.kafka.installation import CLUSTER_ID, Broken
from tests.kafka.probe import brokers_known_at
from tests.ports import free_ports

_START_DEADLINE = 60.0  # seconds; two are usual, on a machine that does nothing else
_STOP_DEADLINE = 20.0
_HEAP = ("-Xms64m", "-Xmx256m")
_LOGGING = tuple(
    f"-Dorg.slf4j.simpleLogger.{name}"
    for name in ("defaultLogLevel=warn", "showDateTime=true", "dateTimeFormat=HH:mm:ss.SSS")
)


class Broker:
    """One broker, which is a controller too. Its data outlives `stop` and `kill`: `start` goes on with it."""

    def __init__(self, number: int, folder: Path, port: int, properties: Mapping[str, object]) -> None:
        self.number = number
        self.port = port
        self.log = folder / "log"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        _format(folder / "data", number)
        lines = (f"{name}={value}\n" for name, value in {**properties, "log.dirs": folder / "data"}.items())
        (folder / "server.properties").write_text("".join(lines), encoding="utf-8")

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts the process; `wait` tells when it serves."""
        command = [installation.java(), *_HEAP, *installation.FAST, *_LOGGING]
        command += ["-cp", f"{installation.jars()}/*", "kafka.Kafka", str(self._folder / "server.properties")]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C at the tests' terminal leaves it to them to stop it.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, needed: set[int]) -> None:
        """Until this broker answers and knows the brokers `needed` to be alive. Raises Broken."""
        assert self._process is not None
        end = time.monotonic() + _START_DEADLINE
        while not needed <= brokers_known_at(self.port):
            if self._process.poll() is not None:
                raise Broken(
                    f"broker {self.number} ended with code {self._process.returncode}:\n{self.tail()}"
                )
            if time.monotonic() > end:
                raise Broken(f"broker {self.number} did not start in {_START_DEADLINE:.0f} s:\n{self.tail()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """SIGTERM: it hands its partitions over and ends."""
        self._signal(signal.SIGTERM)
        self._end(_STOP_DEADLINE)

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)
        self._end(_STOP_DEADLINE)

    def freeze(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers on them."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def tail(self, characters: int = 4000) -> str:
        """The end of its log."""
        return (
            self.log.read_text(encoding="utf-8", errors="replace")[-characters:] if self.log.exists() else ""
        )

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _end(self, deadline: float) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Cluster:
    """`count` brokers, numbered from 1. With three, topics have three replicas, of which two have to be in sync.

    `extra` gives settings of a broker, by its number, over ours. Logs and data are in `folder`; `close` leaves the
    logs."""

    def __init__(
        self, folder: Path, count: int = 1, extra: Callable[[int], Mapping[str, object]] | None = None
    ) -> None:
        self.folder = folder
        ports = free_ports(2 * count)
        voters = ",".join(f"{number}@127.0.0.1:{ports[-number]}" for number in range(1, count + 1))
        self.brokers: dict[int, Broker] = {}
        for number, port in enumerate(ports[:count], 1):
            (home := folder / f"broker-{number}").mkdir(parents=True)
            own = _settings(number, count, port, ports[-number]) | {"controller.quorum.voters": voters}
            self.brokers[number] = Broker(number, home, port, _merged(own, extra(number) if extra else {}))

    @property
    def bootstrap(self) -> str:
        """The plain listeners of all brokers."""
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers.values())

    def start(self) -> None:
        """Starts all brokers and waits until each knows of all. Raises Missing or Broken, and leaves none running."""
        try:
            for broker in self.brokers.values():
                broker.start()
            for broker in self.brokers.values():
                broker.wait(set(self.brokers))
        except BaseException:
            self.close()
            raise

    def restart(self, number: int) -> None:
        """Starts a broker that was stopped or killed, and waits until it serves."""
        broker = self.brokers[number]
        broker.start()
        broker.wait({number})

    def close(self) -> None:
        """Ends all brokers at once, whatever state they are in, and removes their data."""
        for broker in self.brokers.values():
            broker.kill()
            shutil.rmtree(broker.log.parent / "data", ignore_errors=True)


def _format(data: Path, number: int) -> None:
    """What Kafka's format step does to an empty data folder, without its JVM."""
    data.mkdir(parents=True)
    shutil.copy(installation.checkpoint(), data)
    directory = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    (data / "meta.properties").write_text(
        f"version=1\ncluster.id={CLUSTER_ID}\nnode.id={number}\ndirectory.id={directory}\n"
    )


def _settings(number: int, count: int, port: int, controller: int) -> dict[str, object]:
    replicas, in_sync = (3, 2) if count >= 3 else (1, 1)
    return {
        "process.roles": "broker,controller",
        "node.id": number,
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": 1,
        # Groups form at once, and tests may have short sessions.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        # A broker that was killed counts as dead, and may come back, after this and not after the default's 9 s.
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3000,
        "leader.imbalance.check.interval.seconds": 10,
        # Small: it starts quicker.
        "num.network.threads": 1,
        "num.io.threads": 2,
        "log.cleaner.dedupe.buffer.size": 2 * 1024 * 1024,
        "log.cleaner.backoff.ms": 500,
        "log.segment.delete.delay.ms": 1000,
    }


_LISTS = ("listeners", "advertised.listeners", "listener.security.protocol.map")


def _merged(own: Mapping[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    """Our settings under `extra`; what `extra` says of listeners is added to ours."""
    lists = {name: f"{own[name]},{extra[name]}" for name in _LISTS if name in extra}
    return {**own, **extra, **lists}
