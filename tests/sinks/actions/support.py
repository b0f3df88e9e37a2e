"""The Actions API over HTTP, as an installation without sessions serves it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from moderato.api.part import ApiRole
from moderato.bus.connection import Connection
from moderato.settings import Settings
from sinks.actions.api import ActionsApi

WRITER, READER, OTHER = "w" * 32, "r" * 32, "o" * 32


@dataclass
class Api:
    url: str
    http: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, body: Any = None, token: str | None = WRITER, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, JSON and headers."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        data = None if body is None else orjson.dumps(body)
        if data is not None:
            given["Content-Type"] = "application/json"
        async with self.http.request(method, self.url + path, data=data, headers=given) as response:
            return response.status, orjson.loads(await response.read()), response.headers

    async def faults(self, body: dict[str, Any]) -> dict[str, str]:
        status, problem, _ = await self.call("POST", "/v1/actions", body)
        assert status == 422, problem
        return {fault["path"]: fault["detail"] for fault in problem["errors"]}


@asynccontextmanager
async def serving(connection: Connection) -> AsyncIterator[Api]:
    reads, both = ["actions:read"], ["actions:read", "actions:write"]
    settings = Settings(
        api={
            "host": "127.0.0.1",
            "port": 0,
            "tokens": {
                "writer": {"token": WRITER, "scopes": both},
                "reader": {"token": READER, "scopes": reads, "tenants": ["acme"]},
                "other": {"token": OTHER, "scopes": both, "tenants": ["bare"]},
            },
        },
        tenants={"acme": {}, "bare": {}},
    )
    role = ApiRole(settings, [ActionsApi(settings, connection)])
    await role.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Api(f"http://127.0.0.1:{role.api_port}", http)
    finally:
        await role.stop()
