"""The role table: the one place where the kernel names the packages that stand on it."""

from collections.abc import Sequence

from moderato.bus.connection import Connection
from moderato.lifecycle import Role
from moderato.settings import Settings

# In the order of the pipeline, which is the order in which they start and stop.
NAMES = ("receiver", "normalizer", "policy", "enforcer")


def make(names: Sequence[str], settings: Settings, connection: Connection) -> list[Role]:
    """The roles of one process. Raises Fatal for what a role finds wrong in the settings."""
    # Imported here, so that `moderato --help` stays quick and a role loads only its own package.
    from ingest.receiver import Receiver
    from normalize.worker import role as normalizer
    from sinks.enforce.worker import role as enforcer
    from sinks.policy.worker import role as policy

    makers = {"receiver": Receiver, "normalizer": normalizer, "policy": policy, "enforcer": enforcer}
    return [makers[name](settings, connection) for name in NAMES if name in names]
