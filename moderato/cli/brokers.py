"""Which brokers a command speaks to."""

from pydantic import ValidationError

from moderato.bus.connection import Connection
from moderato.errors import Fatal
from moderato.settings import Kafka, Settings


def connection_of(settings: Settings, bootstrap: str | None) -> Connection:
    """The brokers of `--bootstrap`, or else those that are configured, with TLS and SASL as configured.

    Raises Fatal when there are none."""
    if bootstrap is None:
        if settings.kafka.bootstrap is None:
            raise Fatal(
                "no brokers: set kafka.bootstrap, or give --bootstrap (`moderato run all` logs its own)"
            )
        return Connection.of(settings.kafka)
    try:
        checked = Kafka(bootstrap=bootstrap).bootstrap
    except ValidationError as error:
        [fault] = error.errors()
        raise Fatal(f"--bootstrap: {fault['msg'].removeprefix('Value error, ')}") from error
    assert checked is not None
    return Connection(checked, settings.kafka)
