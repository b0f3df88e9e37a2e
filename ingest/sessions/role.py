"""The role `controller`: the sessions of this process, and the API in front of them."""

from collections.abc import Sequence

from ingest.sessions.controller import NAME, Controller
from ingest.sessions.directory import Directory
from moderato.api.part import ApiRole, Part
from moderato.bus.connection import Connection
from moderato.lifecycle import Role
from moderato.settings import Settings


def role(settings: Settings, connection: Connection, parts: Sequence[Part] = ()) -> Role:
    """The controller, with `parts` in its API besides; without `sessions` in the settings, their API alone, and without
    an API a role that has nothing to do."""
    if settings.sessions is not None:
        return Controller(settings, connection, Directory(connection), parts)
    return ApiRole(settings, parts) if settings.api is not None else Idle()


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
