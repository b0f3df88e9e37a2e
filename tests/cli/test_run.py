"""`moderato run`: what is wrong is said before anything starts, and what is right runs until SIGTERM."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from confluent_kafka import Producer

from moderato.cli import roles
from moderato.cli.run import Name
from moderato.lifecycle import Make
from moderato.settings import Settings, load
from tests.cli.support import moderato

TOKEN = "a-token-of-22-characte"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def configured(folder: Path, more: str = "") -> Path:
    tenants = f"tenants: {{default: {{sources: {{shumei_audio: {{tokens: [{TOKEN}]}}}}}}}}"
    return write(folder / "moderato.yaml", f"http: {{port: 0}}\nadmin: {{port: 0}}\n{tenants}\n{more}")


def test_the_choices_are_the_roles() -> None:
    assert Name.__args__ == (*roles.NAMES, "all")  # type: ignore[attr-defined]
    assert set(roles.CHECKS) == set(roles.NAMES)


def test_who_has_configured_nothing_gets_a_command_that_works(tmp_path: Path) -> None:
    ended = moderato("run", "all")
    assert ended.code == 2
    assert "no source is configured" in ended.err
    [command] = re.findall(r"to begin: (echo .*) > moderato.yaml && moderato run all", ended.err)
    example = write(tmp_path / "moderato.yaml", shlex.split(command)[1])
    assert roles.faults(roles.NAMES, load(example)) == []
    other = moderato("run", "all")
    assert re.findall(r"tokens: \[(.*?)\]", other.err) != re.findall(r"tokens: \[(.*?)\]", ended.err)


@pytest.mark.parametrize("role", roles.NAMES)
def test_a_single_role_needs_a_cluster(role: str, tmp_path: Path) -> None:
    ended = moderato("run", role, "--config", configured(tmp_path))
    assert ended.code == 2
    assert ended.err == (
        f"moderato: kafka.bootstrap is not set: {role} needs a Kafka cluster (`moderato run all` does not)\n"
    )


def test_all_faults_of_all_roles_come_at_once(tmp_path: Path) -> None:
    policy = write(tmp_path / "policy.yaml", "rules: [{id: x}]\n")
    tables = write(tmp_path / "tables.yaml", "version: own\nnobody: {}\n")
    config = write(
        tmp_path / "moderato.yaml",
        f"""
kafka: {{sasl: {{username: u, password: hush}}}}
policy: {{file: {policy}}}
tenants:
  one:
    tables: {tables}
    sources: {{yidun_audio: {{tokens: [{TOKEN}]}}}}
    webhook: {{url: "https://hooks.example.com", secrets: [{"A" * 33}]}}
  two: {{tables: {tables}}}
""",
    )
    ended = moderato("run", "all", "--config", config)
    assert ended.code == 2
    for fault in (
        "kafka.sasl is set, but kafka.bootstrap is not",
        "tenants.one.sources.yidun_audio.secrets.secret_id: missing",
        f"{tables}: nobody: no such table",
        f"{policy}:1:9: rules.0.match",
        "tenants.one.webhook: the secret is not base64",
    ):
        assert ended.err.count(fault) == 1, ended.err
    assert "hush" not in ended.err
    assert TOKEN not in ended.err


def test_a_role_looks_at_its_own_settings_only(tmp_path: Path) -> None:
    config = configured(tmp_path, "policy: {file: /no/such/policy.yaml}")
    assert "/no/such/policy.yaml" in moderato("run", "policy", "--config", config).err
    assert "/no/such/policy.yaml" not in moderato("run", "receiver", "--config", config).err


class Served:
    """Stands in for `moderato.lifecycle.serve`: notes what would run, and looks at the brokers while it would."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.topics = 0

    async def __call__(
        self, names: Sequence[str], make: Make, settings: Settings, ended: asyncio.Event
    ) -> None:
        found = [make(name) for name in names]
        self.names = [role.name for role in found]
        connection: Any = found[0]._publisher._connection  # type: ignore[attr-defined]
        self.bootstrap = connection.bootstrap
        if settings.kafka.bootstrap is None:
            self.topics = len(Producer({"bootstrap.servers": self.bootstrap}).list_topics(timeout=5).topics)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    stand_in = Served()
    monkeypatch.setattr("moderato.lifecycle.serve", stand_in)
    monkeypatch.setattr("moderato.logs.configure", mock.Mock())  # the tests' own logging stays
    return stand_in


def test_all_roles_run_on_an_embedded_broker_without_a_cluster(tmp_path: Path, served: Served) -> None:
    assert moderato("run", "all", "--config", configured(tmp_path)).code == 0
    assert served.names == list(roles.NAMES)
    assert served.topics >= 15


def test_a_configured_cluster_is_used(tmp_path: Path, served: Served) -> None:
    config = configured(tmp_path, "kafka: {bootstrap: 'kafka.example.com:9092'}")
    assert moderato("run", "normalizer", "--config", config).code == 0
    assert (served.names, served.bootstrap) == (["normalizer"], "kafka.example.com:9092")


def test_the_whole_pipeline_starts_and_ends_on_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "moderato.cli.main", "run", "all", "--config", str(configured(tmp_path))]
    started, stopped = [], []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            event = json.loads(line)
            if event["event"] == "embedded_broker_started":
                assert event["follow"] == f"moderato tail verdicts --bootstrap {event['bootstrap']}"
            if event["event"] == "role_started":
                started.append(event["role"])
                if len(started) == len(roles.NAMES):
                    process.terminate()
            if event["event"] == "role_stopped":
                stopped.append(event["role"])
        assert process.wait(20) == 0
    assert started == stopped == list(roles.NAMES)
