"""What a stage adds to the API of a process, and the process that has nothing but that."""

from collections.abc import Sequence
from typing import Any, Protocol

from moderato.api.server import ApiServer, Handler, Operation
from moderato.settings import Settings


class Part(Protocol):
    """Operations, and what they need while they are served."""

    def handlers(self) -> list[tuple[Operation, Handler]]:
        """For the server."""

    def schemas(self) -> dict[str, Any]:
        """What the operations' documents refer to."""

    async def start(self) -> None:
        """Connects. Raises Fatal when it cannot."""

    async def stop(self) -> None:
        """Disconnects."""


class ApiRole:
    """The API of an installation that starts no sessions; in the controller's place."""

    name = "controller"

    def __init__(self, settings: Settings, parts: Sequence[Part]) -> None:
        assert settings.api is not None
        self._parts = parts
        handlers = [each for part in parts for each in part.handlers()]
        schemas = {name: schema for part in parts for name, schema in part.schemas().items()}
        self._server = ApiServer(settings.api, handlers, schemas)

    @property
    def api_port(self) -> int:
        """Where it listens once started."""
        return self._server.port

    async def start(self) -> None:
        for part in self._parts:
            await part.start()
        await self._server.start()

    def unready(self) -> str | None:
        return None

    def note(self) -> str | None:
        return None

    def stuck(self) -> str | None:
        return None

    async def stop(self) -> None:
        """Answers what is in flight first."""
        await self._server.stop()
        for part in self._parts:
            await part.stop()
