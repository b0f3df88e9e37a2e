"""A broker with a listener for each way in: a plain one, whose users may do everything, and those that ask for a user.

Over SASL_SSL there are PLAIN and SCRAM, over SASL_PLAINTEXT there is SCRAM-SHA-512 only. Users need ACLs.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined] # re-exports without __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from moderato.bus.connection import Connection
from moderato.settings import Kafka, Sasl, Tls
from tests.kafka.brokers import Broker, Cluster
from tests.kafka.certificates import Certificates, make
from tests.kafka.topics import Topics
from tests.ports import free_ports

USER, PASSWORD = "moderato", "a password of the tests"
_PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_SCRAM = {"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}
_ITERATIONS = 4096  # the fewest that Kafka takes
_DEADLINE = 10.0  # seconds

Acl = tuple[ResourceType, str, AclOperation]
"""What a user may do with the topics, or the groups, whose names begin so."""


def acls(kind: ResourceType, prefix: str, *operations: AclOperation) -> tuple[Acl, ...]:
    """Several operations on the same names."""
    return tuple((kind, prefix, operation) for operation in operations)


DOCUMENTED = (
    *acls(ResourceType.TOPIC, "moderation.", AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE),
    *acls(ResourceType.TOPIC, "moderation.", AclOperation.CREATE, AclOperation.DESCRIBE_CONFIGS),
    *acls(ResourceType.GROUP, "moderato.", AclOperation.READ),
)
"""What docs/configuration.md says that Moderato's user needs."""


class Secured:
    """One broker with all these listeners. `start` also makes the user `moderato`, with the documented ACLs."""

    def __init__(self, folder: Path) -> None:
        self.certificates: Certificates = make(folder)
        self._tls_port, self._no_tls_port = free_ports(2)
        self.cluster = Cluster(
            folder, extra=lambda _: _listeners(self._tls_port, self._no_tls_port, self.certificates)
        )

    @property
    def broker(self) -> Broker:
        """The one broker."""
        return self.cluster.brokers[1]

    def start(self) -> None:
        """Raises Missing or Broken."""
        self.cluster.start()
        self.topics = Topics(self.cluster.bootstrap)
        self.grant(USER, DOCUMENTED)

    def grant(self, user: str, acls: Iterable[Acl]) -> None:
        """Makes a user who may do this and no more; all users have one password."""
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap})
        credentials: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, _ITERATIONS), PASSWORD.encode())
            for mechanism in _SCRAM.values()
        ]
        for credential in credentials:
            for future in admin.alter_user_scram_credentials([credential]).values():
                future.result(_DEADLINE)
        if bindings := [_binding(user, acl) for acl in acls]:
            for future in admin.create_acls(bindings).values():
                future.result(_DEADLINE)

    def connection(
        self,
        *,
        mechanism: str = "SCRAM-SHA-512",
        user: str = USER,
        password: str = PASSWORD,
        ca_file: Path | None = None,
    ) -> Connection:
        """Through the listener that asks for TLS and a password."""
        sasl = _sasl(mechanism, user, password)
        tls = Tls(ca_file=ca_file or self.certificates.authority)
        return _connection(self._tls_port, Kafka(tls=tls, sasl=sasl))

    def without_tls(self, mechanism: str = "SCRAM-SHA-512") -> Connection:
        """Through the listener that asks for a password only."""
        return _connection(self._no_tls_port, Kafka(sasl=_sasl(mechanism, USER, PASSWORD)))


def _connection(port: int, settings: Kafka) -> Connection:
    bootstrap = f"127.0.0.1:{port}"
    return Connection(bootstrap, settings.model_copy(update={"bootstrap": bootstrap}))


def _sasl(mechanism: str, user: str, password: str) -> Sasl:
    return Sasl.model_validate({"mechanism": mechanism, "username": user, "password": password})


def _listeners(tls_port: int, no_tls_port: int, certificates: Certificates) -> Mapping[str, object]:
    login, no_tls = "listener.name.sasl_ssl", "listener.name.sasl_plaintext"
    listeners = f"SASL_SSL://127.0.0.1:{tls_port},SASL_PLAINTEXT://127.0.0.1:{no_tls_port}"
    return {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": ",".join(["PLAIN", *_SCRAM]),
        f"{login}.plain.sasl.jaas.config": f'{_PLAIN_LOGIN} user_{USER}="{PASSWORD}";',
        **{f"{login}.{name.lower()}.sasl.jaas.config": _SCRAM_LOGIN for name in _SCRAM},
        f"{no_tls}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        f"{no_tls}.scram-sha-512.sasl.jaas.config": _SCRAM_LOGIN,
        f"{login}.ssl.keystore.type": "PEM",
        f"{login}.ssl.keystore.location": certificates.server,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Whoever comes through the plain listener, the controller too.
        "super.users": "User:ANONYMOUS",
    }


def _binding(user: str, acl: Acl) -> AclBinding:
    kind, prefix, operation = acl
    name = f"User:{user}"
    return AclBinding(
        kind, prefix, ResourcePatternType.PREFIXED, name, "*", operation, AclPermissionType.ALLOW
    )
