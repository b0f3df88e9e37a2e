import ssl
from pathlib import Path

import pytest

from moderato.bus.connection import Connection
from moderato.errors import Fatal
from moderato.settings import Kafka, Sasl, Tls
from tests.kafka.certificates import Certificates


def test_without_a_cluster_the_setting_is_named() -> None:
    with pytest.raises(Fatal, match=r"kafka\.bootstrap is not set"):
        Connection.of(Kafka())


def test_a_plain_connection_says_so_to_both_clients() -> None:
    connection = Connection.of(Kafka(bootstrap="a:1,b:2"))
    assert connection.for_aiokafka()["security_protocol"] == "PLAINTEXT"
    assert connection.for_aiokafka()["bootstrap_servers"] == "a:1,b:2"
    assert connection.for_librdkafka()["security.protocol"] == "PLAINTEXT"


def test_scram_over_tls_says_so_to_both_clients(certificates: Certificates) -> None:
    public = private = certificates.server
    settings = Kafka(
        bootstrap="a:1",
        tls=Tls(ca_file=public, certificate_file=public, key_file=private),
        sasl=Sasl(mechanism="SCRAM-SHA-256", username="moderato", password="pw"),  # type: ignore[arg-type]
    )
    ours = Connection.of(settings).for_aiokafka()
    assert ours["security_protocol"] == "SASL_SSL"
    assert isinstance(ours["ssl_context"], ssl.SSLContext)
    assert ours["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert (ours["sasl_mechanism"], ours["sasl_plain_username"], ours["sasl_plain_password"]) == (
        "SCRAM-SHA-256",
        "moderato",
        "pw",
    )
    theirs = Connection.of(settings).for_librdkafka()
    assert theirs["security.protocol"] == "SASL_SSL"
    assert theirs["ssl.ca.location"] == str(public)
    assert theirs["ssl.key.location"] == str(private)
    assert (theirs["sasl.mechanism"], theirs["sasl.password"]) == ("SCRAM-SHA-256", "pw")


def test_tls_without_files_trusts_the_system() -> None:
    settings = Kafka(bootstrap="a:1", tls=Tls())
    assert Connection.of(settings).for_aiokafka()["security_protocol"] == "SSL"
    assert "ssl.ca.location" not in Connection.of(settings).for_librdkafka()


def test_a_certificate_that_is_none_is_a_clear_configuration_error(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("not a certificate")
    with pytest.raises(Fatal, match=r"kafka\.tls: a certificate or key cannot be used"):
        Connection.of(Kafka(bootstrap="a:1", tls=Tls(ca_file=wrong))).for_aiokafka()
