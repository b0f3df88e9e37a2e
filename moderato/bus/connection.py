"""How to reach the brokers: the keyword arguments that aiokafka and confluent-kafka want, from one setting."""

import ssl
from dataclasses import dataclass
from typing import Any

from moderato.errors import Fatal
from moderato.settings import Kafka


@dataclass(frozen=True, slots=True)
class Connection:
    """A Kafka cluster that is known to exist: `bootstrap` is set."""

    bootstrap: str
    settings: Kafka
    fetch_wait_ms: int = 200
    """How long a broker may hold back the answer to a fetch for which it has nothing yet."""

    @classmethod
    def of(cls, settings: Kafka) -> "Connection":
        """Raises Fatal when no cluster is configured."""
        if settings.bootstrap is None:
            raise Fatal(
                "kafka.bootstrap is not set: this role needs a Kafka cluster (`moderato run all` does not)"
            )
        return cls(settings.bootstrap, settings)

    @property
    def _protocol(self) -> str:
        return f"{'SASL_' if self.settings.sasl else ''}{'SSL' if self.settings.tls else 'PLAINTEXT'}"

    def for_aiokafka(self) -> dict[str, Any]:
        """What AIOKafkaProducer and AIOKafkaConsumer share. Raises Fatal for certificates that do not load."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "client_id": "moderato",
            "request_timeout_ms": round(self.settings.request_timeout * 1000),
            "security_protocol": self._protocol,
        }
        if self.settings.tls:
            arguments["ssl_context"] = self._ssl_context()
        if sasl := self.settings.sasl:
            arguments |= {
                "sasl_mechanism": sasl.mechanism,
                "sasl_plain_username": sasl.username,
                "sasl_plain_password": sasl.password.get_secret_value(),
            }
        return arguments

    def for_librdkafka(self) -> dict[str, Any]:
        """The same for confluent-kafka, whose AdminClient makes topics."""
        arguments: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "client.id": "moderato",
            "security.protocol": self._protocol,
            "socket.timeout.ms": round(self.settings.request_timeout * 1000),
        }
        if tls := self.settings.tls:
            files = {
                "ssl.ca.location": tls.ca_file,
                "ssl.certificate.location": tls.certificate_file,
                "ssl.key.location": tls.key_file,
            }
            arguments |= {name: str(path) for name, path in files.items() if path}
        if sasl := self.settings.sasl:
            arguments |= {
                "sasl.mechanism": sasl.mechanism,
                "sasl.username": sasl.username,
                "sasl.password": sasl.password.get_secret_value(),
            }
        return arguments

    def _ssl_context(self) -> ssl.SSLContext:
        tls = self.settings.tls
        assert tls is not None
        try:
            context = ssl.create_default_context(cafile=tls.ca_file)
            if tls.certificate_file and tls.key_file:
                context.load_cert_chain(tls.certificate_file, tls.key_file)
        except (ssl.SSLError, OSError) as error:
            raise Fatal(f"kafka.tls: a certificate or key cannot be used: {error}") from error
        return context
