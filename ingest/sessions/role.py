"""The role `controller`: the sessions of this process, and the API in front of them."""

from ingest.sessions.controller import NAME, Controller
from ingest.sessions.directory import Directory
from moderato.bus.connection import Connection
from moderato.lifecycle import Role
from moderato.settings import Settings


def role(settings: Settings, connection: Connection) -> Role:
    """The controller; without `sessions` in the settings, a role that has nothing to do."""
    if settings.sessions is None:
        return Idle()
    return Controller(settings, connection, Directory(connection))


class Idle:
    """What `run all` runs where nobody starts sessions."""

    name = NAME

    async def start(self) -> None:
        """Nothing to start."""

    def unready(self) -> str | None:
        return None

    def note(self) -> str | None:
        return None

    def stuck(self) -> str | None:
        return None

    async def stop(self) -> None:
        """Nothing to stop."""
