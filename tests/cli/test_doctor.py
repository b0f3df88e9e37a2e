"""`moderato doctor`: everything at once, in order of cause, without a secret."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from moderato.bus.admin import Admin, Cluster, Difference
from moderato.cli.checkup import Check, checkup
from moderato.errors import Fatal
from tests.cli.support import moderato

TOKEN = "a-token-of-22-characte"
HUSH = "do-not-tell"


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "moderato.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


def secret_file(folder: Path, name: str, mode: int) -> Path:
    path = folder / name
    path.write_text(f"{HUSH}-{'A' * 32}\n")
    path.chmod(mode)
    return path


def well(**answers: Any) -> Callable[..., Admin]:
    """An administrator of brokers that are well, but for `answers`."""
    admin = mock.create_autospec(Admin, instance=True)
    usual = {"cluster": Cluster(3, {}), "differences": [], "lacks": [], "newest": time.time() - 60}
    for name, answer in (usual | answers).items():
        method = getattr(admin, name)
        method.side_effect, method.return_value = (
            (answer, None) if isinstance(answer, Fatal) else (None, answer)
        )
    return lambda connection: admin


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_an_installation_that_is_well(tmp_path: Path, config: Callable[[str], Path]) -> None:
    secret = secret_file(tmp_path, "secret", 0o600)
    key = tmp_path / "key.pem"
    key.touch(0o600)
    path = config(
        f"""
kafka:
  bootstrap: kafka.example.com:9092
  sasl: {{username: u, password: {HUSH}}}
  tls: {{certificate_file: {key}, key_file: {key}}}
capability_keys: [{{file: {secret}}}]
tenants:
  one:
    sources: {{yidun_audio: {{tokens: [{TOKEN}], secrets: {{secret_id: {HUSH}, secret_key: {{file: {secret}}}}}}}}}
    webhook: {{url: "https://hooks.example.com", secrets: [{"A" * 32}]}}
  two: {{}}
"""
    )
    checks = checkup(path, well())
    assert {check.status for check in checks} == {"ok"}
    found = by_name(checks)
    assert found["callbacks"].detail == "one/yidun_audio"
    assert found["executors"].detail == "one: webhook, two: log"
    assert found["secrets"].detail.splitlines() == [
        "capability_keys: 1",
        "kafka.sasl.password: set",
        "tenants.one.sources.yidun_audio: tokens: 1, secrets: secret_id, secret_key",
        "tenants.one.webhook.secrets: 1",
    ]
    assert found["kafka"].detail == "kafka.example.com:9092: 3 broker(s) answer"
    assert "not behind the newest raw record" in found["clock"].detail
    assert HUSH not in repr(checks)
    assert TOKEN not in repr(checks)


def test_a_configuration_that_does_not_load_is_all_there_is(config: Callable[[str], Path]) -> None:
    path = config("http: {port: 99999}\nlog: {level: loud}\n")
    [check] = checkup(path)
    assert (check.name, check.status) == ("configuration", "fault")
    assert len(check.detail.splitlines()) == 2


def test_nothing_configured_is_no_fault_but_worth_a_warning() -> None:
    ended = moderato("doctor")
    assert ended.code == 0
    lines = {line.split()[1]: line.split()[0] for line in ended.lines}
    assert lines["callbacks"] == lines["kafka"] == "warning"
    assert lines["configuration"] == lines["tables"] == lines["policy"] == lines["clock"] == "ok"


def test_the_file_named_by_the_environment_is_looked_at(
    config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(f"capability_keys: [{'k' * 32}]\n")
    path.chmod(0o644)
    monkeypatch.setenv("MODERATO_CONFIG", str(path))
    ended = moderato("doctor", "--json")
    assert ended.code == 0
    answer = json.loads(ended.out)
    assert answer["ok"] is True
    found = {check["name"]: check for check in answer["checks"]}
    assert found["configuration"]["detail"] == str(path)
    assert found["secret files"]["status"] == "warning"
    assert str(path) in found["secret files"]["detail"]
    assert "k" * 32 not in ended.out


def test_files_that_everyone_can_read_are_named(tmp_path: Path, config: Callable[[str], Path]) -> None:
    exposed = [secret_file(tmp_path, name, 0o644) for name in ("token", "password", "webhook", "key.pem")]
    token = tmp_path / "token"
    token.write_text(TOKEN)
    webhook = tmp_path / "webhook"
    webhook.write_text("A" * 32)
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: []\n")
    path = config(
        f"""
kafka:
  sasl: {{username: u, password: {{file: {tmp_path}/password}}}}
  tls: {{certificate_file: {tmp_path}/key.pem, key_file: {tmp_path}/key.pem}}
policy: {{file: {policy}}}
tenants:
  one:
    sources: {{shumei_audio: {{tokens: [{{file: {token}}}]}}}}
    webhook: {{url: "https://hooks.example.com", secrets: [{{file: {webhook}}}]}}
"""
    )
    path.chmod(0o644)
    check = by_name(checkup(path))["secret files"]
    assert check.status == "warning"
    assert {line.partition(":")[0] for line in check.detail.splitlines()} == {str(each) for each in exposed}


def test_every_fault_is_told_and_the_exit_code_says_so(tmp_path: Path, config: Callable[[str], Path]) -> None:
    path = config(
        f"""
policy: {{file: {tmp_path}/no-policy.yaml}}
tenants:
  one: {{tables: {tmp_path}/no-tables.yaml, sources: {{yidun_audio: {{}}}}}}
"""
    )
    ended = moderato("doctor", "--config", path)
    assert ended.code == 1
    faults = {line.split()[1] for line in ended.lines if line.startswith("fault")}
    assert faults == {"callbacks", "tables", "policy"}
    assert "tenants.one.sources.yidun_audio.secrets.secret_key: missing" in ended.out
    assert "no-policy.yaml: No such file" in ended.out


def test_brokers_that_do_not_answer_are_a_fault(config: Callable[[str], Path]) -> None:
    path = config("kafka: {bootstrap: 'kafka.example.com:9092'}")
    found = by_name(checkup(path, well(cluster=Fatal("kafka.bootstrap: no answer"))))
    assert found["kafka"] == Check("kafka", "fault", "kafka.bootstrap: no answer")
    assert "topics" not in found
    assert found["clock"].status == "ok"


def test_topics_that_are_not_right_are_a_fault(config: Callable[[str], Path]) -> None:
    path = config("kafka: {bootstrap: 'kafka.example.com:9092'}")
    differences = [
        Difference("t", "partitions", "at least 12", "4"),
        Difference("u", "topic", "exists", "missing"),
    ]
    check = by_name(checkup(path, well(differences=differences)))["topics"]
    assert check.status == "fault"
    assert check.detail.splitlines() == [
        "t: partitions: 4, should be at least 12",
        "u: missing",
        "missing topics are made by: moderato topics create",
    ]
    check = by_name(checkup(path, well(differences=Fatal("not allowed"))))["topics"]
    assert (check.status, check.detail) == ("fault", "not allowed")


def test_missing_acls_are_a_fault(config: Callable[[str], Path]) -> None:
    path = config("kafka: {bootstrap: 'kafka.example.com:9092'}")
    lacking = ["user 'u' lacks Write on topics t", "user 'u' lacks Read on groups g"]
    check = by_name(checkup(path, well(lacks=lacking)))["permissions"]
    assert (check.status, check.detail.splitlines()) == ("fault", lacking)
    check = by_name(checkup(path, well(lacks=Fatal("no answer"))))["permissions"]
    assert (check.status, check.detail) == ("fault", "no answer")


def test_a_clock_behind_the_records_is_a_fault(config: Callable[[str], Path]) -> None:
    path = config("kafka: {bootstrap: 'kafka.example.com:9092'}")
    check = by_name(checkup(path, well(newest=time.time() + 100)))["clock"]
    assert check.status == "fault"
    assert "behind the newest raw record" in check.detail
    unknown = by_name(checkup(path, well(newest=Fatal("not supported"))))["clock"]
    assert (unknown.status, "no raw record" in unknown.detail) == ("ok", True)


def test_a_clock_before_the_installation_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderato.cli.checkup.time.time", lambda: 1_000_000.0)
    check = by_name(checkup(None))["clock"]
    assert check.status == "fault"
    assert "before the time at which Moderato was installed" in check.detail
