"""`moderato run ROLE`: one role in this process, or all of them."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moderato.cli.options import Config, config_of

if TYPE_CHECKING:
    from moderato.bus.connection import Connection
    from moderato.settings import Settings

Name = Literal["receiver", "controller", "normalizer", "policy", "enforcer", "all"]


def run(
    context: typer.Context,
    role: Annotated[Name, typer.Argument(help="A role, or all of them in one process.", show_default=False)],
    config: Config = None,
) -> int:
    """Run a role of the pipeline, or all of them, until SIGTERM or Ctrl-C.

    `run all` without kafka.bootstrap brings an embedded broker of its own, for trying out: what it holds is gone when
    the process ends."""
    from moderato import logs, tracing
    from moderato.cli import roles
    from moderato.errors import Fatal
    from moderato.lifecycle import run as run_loop
    from moderato.settings import load

    settings = load(config_of(context, config))
    names = roles.NAMES if role == "all" else (role,)
    faults = [
        *_cluster_faults(settings, role),
        *_session_faults(settings, role),
        *roles.faults(names, settings),
    ]
    if faults:
        raise Fatal("\n".join(faults + _first_steps(settings, names)))
    logs.configure(settings.log)
    tracing.start(settings)
    try:
        return run_loop(_run(names, settings))
    finally:
        tracing.stop()


def _cluster_faults(settings: "Settings", role: Name) -> list[str]:
    kafka = settings.kafka
    if kafka.bootstrap is not None:
        return []
    if role != "all":
        return [f"kafka.bootstrap is not set: {role} needs a Kafka cluster (`moderato run all` does not)"]
    return [
        f"kafka.{name} is set, but kafka.bootstrap is not: the embedded broker has neither TLS nor SASL"
        for name in ("tls", "sasl")
        if getattr(kafka, name)
    ]


def _session_faults(settings: "Settings", role: Name) -> list[str]:
    if role == "controller" and not (settings.sessions or settings.api) and settings.kafka.bootstrap:
        return [
            "sessions.callback_base_url and api are not set: the controller has nothing to do without either"
        ]
    return []


def _first_steps(settings: "Settings", names: Sequence[str]) -> list[str]:
    """For those who have configured nothing yet: commands that work, with a fresh token."""
    if "receiver" not in names or settings.tenants:
        return []
    token = secrets.token_urlsafe(24)
    example = f"tenants: {{default: {{sources: {{shumei_audio: {{tokens: [{token}]}}}}}}}}"
    return [
        f"to begin: echo '{example}' > moderato.yaml && moderato run all --config moderato.yaml",
        f"callbacks then go to http://<this host>:{settings.http.port}/v1/callbacks/shumei_audio/default/{token}",
        "to see everything at work with simulated vendors: moderato demo",
    ]


async def _run(names: Sequence[str], settings: "Settings") -> int:
    from moderato.cli import roles
    from moderato.lifecycle import serve, until_signal

    ended = until_signal()
    with _cluster(settings) as connection:
        await serve(names, partial(roles.make, settings=settings, connection=connection), settings, ended)
    return 0


@contextmanager
def _cluster(settings: "Settings") -> "Iterator[Connection]":
    """The configured cluster, or an embedded broker while the roles run."""
    from moderato.bus.connection import Connection

    if settings.kafka.bootstrap is not None:
        yield Connection.of(settings.kafka)
        return
    import structlog

    from moderato.bus.embedded import EmbeddedBroker

    broker = EmbeddedBroker()
    follow = f"moderato tail verdicts --bootstrap {broker.bootstrap}"
    structlog.get_logger(__name__).info("embedded_broker_started", bootstrap=broker.bootstrap, follow=follow)
    try:
        yield broker.connection(settings.kafka)
    finally:
        broker.stop()
