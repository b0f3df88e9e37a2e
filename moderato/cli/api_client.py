"""Calls to the API of a running Moderato, for the command line."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson

from moderato.errors import Fatal

_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class ApiClient:
    """`url` is the API's base address, `token` a bearer token."""

    url: str
    token: str

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] = {},
        body: Any = None,
        headers: Mapping[str, str] = {},
    ) -> dict[str, Any]:
        """The JSON object that was answered. Raises Fatal with every fault that the API names, one a line."""
        return asyncio.run(self._call(method, path, query, body, headers))

    async def _call(
        self, method: str, path: str, query: Mapping[str, str], body: Any, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        data = None if body is None else orjson.dumps(body)
        address = f"{self.url.rstrip('/')}{path}{'?' if query else ''}{urlencode(query)}"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
                session.request(method, address, data=data, headers=given, allow_redirects=False) as response,
            ):
                status, text = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Fatal(f"the API at {self.url} does not answer: {str(error) or 'time-out'}") from error
        try:
            answer = orjson.loads(text)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise Fatal(f"the API at {self.url} answers HTTP {status} without JSON: is that its address?")
        if status >= 400:
            raise Fatal(_faults(status, answer))
        return answer


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def _faults(status: int, problem: dict[str, Any]) -> str:
    lines = [f"{problem.get('detail') or 'no reason given'} (HTTP {status})"]
    errors = problem.get("errors")
    for fault in errors if isinstance(errors, list) else []:
        if isinstance(fault, dict):
            lines.append(f"{fault.get('path')}: {fault.get('detail')}")
    return "\n".join(lines)
