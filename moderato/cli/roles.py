"""The role table: the one place where the kernel names the packages that stand on it."""

import asyncio
from collections.abc import Callable, Iterable

from moderato.bus.connection import Connection
from moderato.errors import Fatal
from moderato.lifecycle import Role
from moderato.settings import Settings

# In the order of the pipeline, which is the order in which they start and stop.
NAMES = ("receiver", "controller", "normalizer", "policy", "enforcer")


def make(name: str, settings: Settings, connection: Connection) -> Role:
    """A role of this process. Raises Fatal for what it finds wrong in the settings."""
    # Imported here, so that `moderato --help` stays quick.
    from ingest.receiver import Receiver
    from ingest.sessions.role import role as controller
    from normalize.worker import role as normalizer
    from sinks.actions.api import ActionsApi
    from sinks.enforce.worker import role as enforcer
    from sinks.policy.worker import role as policy

    makers: dict[str, Callable[[Settings, Connection], Role]] = {
        "receiver": Receiver,
        "controller": lambda settings, connection: controller(
            settings, connection, [ActionsApi(settings, connection)]
        ),
        "normalizer": normalizer,
        "policy": policy,
        "enforcer": enforcer,
    }
    return makers[name](settings, connection)


def faults(names: Iterable[str], settings: Settings) -> list[str]:
    """Everything that would keep these roles from starting, as far as it can be told without Kafka."""
    return [fault for name in names for fault in CHECKS[name](settings)]


def callback_faults(settings: Settings) -> list[str]:
    """Sources that could not be authenticated or reached."""
    from ingest.routes import check_settings

    return check_settings(settings)


def session_faults(settings: Settings) -> list[str]:
    """What would keep sessions from being started."""
    from ingest.sessions.controller import check_settings

    return check_settings(settings)


def table_faults(settings: Settings) -> list[str]:
    """Tables of any tenant that do not load."""
    from normalize.worker import tenant_views

    found: list[str] = []
    for name, tenant in settings.tenants.items():
        try:
            tenant_views(settings.model_copy(update={"tenants": {name: tenant}}))
        except Fatal as fault:
            found += str(fault).splitlines()
    return list(dict.fromkeys(found))  # tenants may share a file


def policy_faults(settings: Settings) -> list[str]:
    """A policy file that does not load."""
    from sinks.policy.loading import BUILT_IN, load

    try:
        load(settings.policy.file or BUILT_IN)
    except Fatal as fault:
        return str(fault).splitlines()
    return []


def executor_faults(settings: Settings) -> list[str]:
    """Executors of any tenant that cannot be used."""
    return asyncio.run(_executor_faults(settings))


async def _executor_faults(settings: Settings) -> list[str]:
    from sinks.enforce.registry import Routes

    routes = Routes()
    try:
        await routes.open(settings.tenants)
    except Fatal as fault:
        return str(fault).splitlines()
    finally:
        await routes.close()
    return []


CHECKS: dict[str, Callable[[Settings], list[str]]] = {
    "receiver": callback_faults,
    "controller": session_faults,
    "normalizer": table_faults,
    "policy": policy_faults,
    "enforcer": executor_faults,
}
