"""Why brokers do not let us in, in words that name the setting to change.

aiokafka writes the reason that a broker gives into its log and raises "unable to bootstrap". Here one connection a
broker is made only to hear that reason.
"""

import asyncio
import ssl
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from moderato.bus.connection import Connection
from moderato.errors import Unreachable, Unserved
from moderato.settings import Kafka

_DROPS = "takes connections and drops ours"


async def refusal(connection: Connection) -> str | None:
    """What is wrong with `kafka.tls` or `kafka.sasl`, one line; None when a broker lets us in, or none can be reached.

    Takes at most `kafka.request_timeout`. Raises Fatal for certificates that do not load."""
    outcomes = await _outcomes(connection)
    # One broker that lets us in is enough; one that is away says nothing.
    return None if "" in outcomes else next(filter(None, outcomes), None)


async def answers(connection: Connection) -> bool:
    """Whether a broker lets us in; takes at most `kafka.request_timeout`."""
    return "" in await _outcomes(connection)


async def unreachable(connection: Connection, error: Exception) -> Unserved:
    """The error of a client that did not start."""
    if text := lacking(connection, error):
        return Unserved(text)
    if text := await refusal(connection):
        # A network that resets connections for a while looks the same as the wrong listener: waiting may mend it.
        return Unreachable(text) if _DROPS in text else Unserved(text)
    if isinstance(error, KafkaConnectionError):
        return Unreachable(f"kafka.bootstrap {connection.bootstrap}: no broker can be reached there")
    return Unreachable(f"kafka.bootstrap {connection.bootstrap}: {str(error) or 'no answer'}")


def lacking(connection: Connection, error: Exception) -> str | None:
    """Which ACL is missing, when it is that that `error` is about."""
    name = error.args[0] if error.args else "?"
    names = ", ".join(sorted(name)) if isinstance(name, set | frozenset) else name
    match error:
        case TopicAuthorizationFailedError():
            wanted = f"Describe, Read and Write on topic {names}"
        case GroupAuthorizationFailedError():
            wanted = f"Read on group {names}"
        case _:
            return None
    return f"{user(connection.settings)} lacks ACLs: {wanted}"


def user(settings: Kafka) -> str:
    """Who we are to the brokers, with the setting that says so, as the beginning of a sentence."""
    if settings.sasl:
        return f"kafka.sasl: user {settings.sasl.username!r} ({settings.sasl.mechanism})"
    if settings.tls and settings.tls.certificate_file:
        return f"kafka.tls.certificate_file: the user of {settings.tls.certificate_file}"
    return "kafka.sasl is not set: an anonymous user"


async def _outcomes(connection: Connection) -> list[str | None]:
    arguments = connection.for_aiokafka()
    hosts = collect_hosts(arguments.pop("bootstrap_servers"))
    return await asyncio.gather(
        *(_outcome(host, port, arguments, connection.settings) for host, port, _ in hosts)
    )


async def _outcome(host: str, port: int, arguments: dict[str, Any], settings: Kafka) -> str | None:
    """The empty text when this broker answers, None when it is away, or else why it refuses."""
    address = f"{host}:{port}"
    try:
        async with asyncio.timeout(settings.request_timeout):
            connection = await create_conn(host, port, **arguments)
            try:
                await connection.send(MetadataRequest([]))
            finally:
                connection.close()
    except (KafkaError, OSError, ValueError) as error:
        return _reason(address, error, settings)
    return ""


def _reason(address: str, error: Exception, settings: Kafka) -> str | None:
    sasl = settings.sasl
    match error:
        case ssl.SSLCertVerificationError():
            authority = settings.tls.ca_file if settings.tls and settings.tls.ca_file else "the system's"
            return (
                f"kafka.tls.ca_file ({authority}): the certificate of {address} is not to be trusted: "
                f"{error.verify_message}"
            )
        case ssl.SSLError():
            return f"kafka.tls: {address} and we do not agree on TLS: {error.reason or error}"
        case UnsupportedSaslMechanismError() if sasl:
            return f"kafka.sasl.mechanism: {address} does not take {sasl.mechanism}"
        case SaslAuthenticationFailed():
            return f"{user(settings)} is not let in with this password by {address}: {error.args[0]}"
        case KafkaConnectionError() | ConnectionResetError():
            return (
                f"kafka.tls, kafka.sasl: {address} {_DROPS}: its listener may not speak {_protocol(settings)}, or "
                "something on the way resets them"
            )
    return None


def _protocol(settings: Kafka) -> str:
    return f"{'TLS' if settings.tls else 'plain text'} {'with' if settings.sasl else 'without'} SASL"
