"""How the lane behaves where it cannot run, and `make kafka-up`."""

import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from moderato.bus.connection import Connection
from tests.kafka import __main__ as command
from tests.kafka import fixtures, installation
from tests.kafka.brokers import Cluster
from tests.kafka.installation import Broken, Missing
from tests.kafka.probe import brokers_known_at
from tests.kafka.topics import MAY_BE_DELETED, Topics
from tests.ports import free_ports


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return installation.cache()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a command of our own into an otherwise empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put


def test_without_java_or_maven_the_reason_says_how_to_install_them(
    empty_cache: Path, tools: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Missing, match=r"no `mvn` in PATH\. On Debian and Ubuntu: apt-get install .*maven"):
        installation.jars()
    tools("mvn", "exit 0")
    with pytest.raises(Missing, match=r"no `java` in PATH\. On Debian and Ubuntu: apt-get install .*openjdk"):
        installation.jars()
    tools("java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2")
    with pytest.raises(Missing, match=r"needs Java 17 or later; .*/java says: openjdk version \"11"):
        installation.jars()
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(Missing, match=r"no `java` in JAVA_HOME \(/nowhere\)"):
        installation.jars()


def test_jars_that_cannot_be_fetched_are_told_with_mavens_words(
    empty_cache: Path, tools: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools("java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    tools("mvn", "echo '[ERROR] Could not transfer artifact'; exit 1")
    with pytest.raises(Broken, match=r"could not fetch Apache Kafka's jars:\n\[ERROR\] Could not transfer"):
        installation.jars()
    tools("mvn", "exec /bin/sleep 60")
    monkeypatch.setattr(installation, "_MAVEN_DEADLINE", 0.1)
    with pytest.raises(Broken, match="could not fetch Apache Kafka's jars within 0 s"):
        installation.jars()
    assert list(empty_cache.iterdir()) == []


def test_what_another_process_made_meanwhile_is_taken(tmp_path: Path) -> None:
    place = tmp_path / "jars"

    def late(folder: Path) -> Path:
        (place / "theirs").mkdir(parents=True)
        (folder / "ours").mkdir()
        return folder / "ours"

    installation._made(place, late)
    assert [each.name for each in place.iterdir()] == ["theirs"]


def test_in_ci_the_lane_must_run_and_elsewhere_it_may_be_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no java"), fixtures._available():
        raise Missing("no java")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"must run\. no java"), fixtures._available():
        raise Missing("no java")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.fail.Exception, match="did not start"), fixtures._available():
        raise Broken("did not start")


@pytest.mark.kafka
def test_a_broker_that_does_not_start_shows_its_log_and_leaves_nothing_running(
    secured_kafka: object, tmp_path: Path
) -> None:
    cluster = Cluster(tmp_path, extra=lambda _: {"process.roles": "nonsense"})
    with pytest.raises(Broken, match=r"broker 1 ended with code 1:\n(.|\n)*process\.roles"):
        cluster.start()
    with pytest.raises(AssertionError):
        _ = cluster.brokers[1].pid


def test_ports_are_outside_the_range_of_outgoing_connections() -> None:
    ports = free_ports(6)
    assert len(set(ports)) == 6
    assert all(20_000 <= port < 32_000 for port in ports)


def test_a_server_that_is_no_broker_is_no_broker() -> None:
    answers = [b"", b"\0\0\0\x08nonsense", struct.pack(">iii", 100, 1, 1)]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for each in answers:
                taken, _ = server.accept()
                with taken:
                    taken.recv(100)
                    taken.sendall(each)

        answering = threading.Thread(target=answer)
        answering.start()
        port = server.getsockname()[1]
        assert [brokers_known_at(port) for _ in answers] == [set(), set(), set()]
        answering.join()
    assert brokers_known_at(port) == set()


@pytest.mark.kafka
def test_a_cluster_with_somebodys_topics_is_left_alone(kafka_connection: Connection) -> None:
    foreign = Topics(kafka_connection.bootstrap)
    foreign._delete([MAY_BE_DELETED])
    with pytest.raises(Broken, match=f"has topics moderation.*create the topic {MAY_BE_DELETED}"):
        foreign.claim()
    foreign.remove()
    foreign.claim()
    foreign.fresh()
    foreign.claim()


@pytest.mark.kafka
def test_a_broker_comes_up_once_and_goes_down(
    secured_kafka: object,
    empty_cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    kept = installation.cache()
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty_cache.parents[1]))
    empty_cache.mkdir(parents=True)
    for name in ("jars", "bootstrap.checkpoint"):
        (empty_cache / name).symlink_to(kept / name)

    def run(word: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.kafka", word], capture_output=True, text=True, check=True
        )
        return ended.stdout

    said = run("up")
    try:
        assert said.startswith("export KAFKA_BOOTSTRAP=127.0.0.1:")
        assert run("up") == said
        state = json.loads((empty_cache / "up.json").read_text())
        port = int(said.rpartition(":")[2])
        assert (state["bootstrap"], brokers_known_at(port)) == (f"127.0.0.1:{port}", {1})
    finally:
        assert run("down") == ""
    assert brokers_known_at(port) == set()
    assert run("down") == ""


def test_without_java_the_command_says_so(
    empty_cache: Path,
    tools: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["kafka", "up"])
    assert command.main() == 1
    assert "apt-get install" in capsys.readouterr().err
