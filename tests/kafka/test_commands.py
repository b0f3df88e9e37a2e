"""`moderato topics` and `moderato doctor` on a real broker that asks for TLS, a password and ACLs."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import yaml
from confluent_kafka.admin import (  # type: ignore[attr-defined] # re-exports without __all__
    AclOperation,
    ResourceType,
)

from moderato import topics
from moderato.bus.connection import Connection
from tests.cli.support import Ended, moderato
from tests.kafka.secured import PASSWORD, Secured, acls

pytestmark = pytest.mark.kafka

Configured = Callable[[Connection], Path]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """Writes the configuration that leads to a connection."""

    def write(connection: Connection) -> Path:
        kafka = connection.settings
        assert kafka.sasl is not None
        assert kafka.tls is not None
        sasl = {
            "mechanism": kafka.sasl.mechanism,
            "username": kafka.sasl.username,
            "password": kafka.sasl.password.get_secret_value(),
        }
        path = tmp_path / "moderato.yaml"
        section = {
            "bootstrap": connection.bootstrap,
            "tls": {"ca_file": str(kafka.tls.ca_file)},
            "sasl": sasl,
        }
        path.write_text(yaml.safe_dump({"kafka": section}))
        path.chmod(0o600)
        return path

    return write


def doctor(path: Path) -> dict[str, tuple[str, str]]:
    """Status and detail by name."""
    ended = moderato("doctor", "--json", "--config", path)
    assert PASSWORD not in ended.out
    checks = orjson.loads(ended.out)["checks"]
    assert (ended.code == 0) == all(check["status"] != "fault" for check in checks)
    return {check["name"]: (check["status"], check["detail"]) for check in checks}


def test_topics_are_missing_then_made_then_as_they_should_be(
    secured_kafka: Secured, configured: Configured
) -> None:
    secured_kafka.topics.remove()
    path = configured(secured_kafka.connection())
    missing = moderato("topics", "check", "--config", path)
    assert (missing.code, missing.lines[-1]) == (1, "missing topics are made by: moderato topics create")
    assert doctor(path)["topics"][0] == "fault"
    assert sorted(moderato("topics", "create", "--config", path).lines) == sorted(
        f"created  {topic.name}" for topic in topics.ALL
    )
    assert {line.split()[0] for line in moderato("topics", "create", "--config", path).lines} == {"exists"}
    assert moderato("topics", "check", "--config", path).code == 0
    found = doctor(path)
    assert found["topics"] == ("ok", f"all {len(topics.ALL)} are as they should be")
    assert found["permissions"] == ("ok", "topics and groups can be used")
    assert found["kafka"][1].endswith("1 broker(s) answer")
    assert found["clock"][0] == "ok"


def test_topics_of_two_partitions_are_told_as_too_small(
    secured_connection: Connection, configured: Configured
) -> None:
    ended = moderato("topics", "check", "--config", configured(secured_connection))
    assert ended.code == 1
    assert any(
        line.split() == ["moderation.verdicts", "partitions", "at", "least", "12", "2"]
        for line in ended.lines
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "password",
            "kafka.sasl: user 'moderato' (SCRAM-SHA-512) is not let in with this password by 127.0.0.1:",
        ),
        ("authority", "stranger.pem): the certificate of 127.0.0.1:"),
    ],
)
def test_what_keeps_us_out_is_told_with_its_setting(
    secured_kafka: Secured, configured: Configured, wrong: str, message: str
) -> None:
    changed: dict[str, Connection] = {
        "password": secured_kafka.connection(password="wrong"),
        "authority": secured_kafka.connection(ca_file=secured_kafka.certificates.stranger),
    }
    path = configured(changed[wrong])

    def told(ended: Ended) -> bool:
        return ended.code == 2 and message in ended.err and "Traceback" not in ended.err

    assert told(moderato("topics", "check", "--config", path))
    assert told(moderato("topics", "create", "--config", path))
    status, detail = doctor(path)["kafka"]
    assert status == "fault"
    assert message in detail


def test_missing_acls_are_told_with_what_they_keep_us_from(
    secured_connection: Connection, secured_kafka: Secured, configured: Configured
) -> None:
    reading = (AclOperation.READ, AclOperation.DESCRIBE_CONFIGS)
    secured_kafka.grant("consumer", acls(ResourceType.TOPIC, "moderation.", *reading))
    status, detail = doctor(configured(secured_kafka.connection(user="consumer")))["permissions"]
    assert status == "fault"
    assert (
        "kafka.sasl: user 'consumer' (SCRAM-SHA-512) lacks Write on topics moderation.raw.agora_voice,"
        in detail
    )
    assert (
        "lacks Read on groups moderato.controller, moderato.normalizer, moderato.policy, moderato.enforcer"
        in detail
    )
    secured_kafka.grant("unknown", [])
    path = configured(secured_kafka.connection(user="unknown"))
    message = "kafka.sasl: user 'unknown' (SCRAM-SHA-512) is not allowed to see moderation.raw.agora_voice,"
    assert message in moderato("topics", "check", "--config", path).err
    assert message in doctor(path)["topics"][1]
