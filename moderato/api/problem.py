"""Errors of the API, as RFC 9457 has them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request. `path` is a JSON pointer into the body, or the name of a parameter."""

    path: str
    detail: str


class Problem(Exception):
    """Ends a request with this answer. `code` is what programs tell problems apart by; `detail` is for people, and
    holds nothing of ours that is secret."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] = {},
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers)

    def response(self) -> web.Response:
        """The answer."""
        body: dict[str, Any] = {
            "type": f"urn:moderato:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.faults:
            body["errors"] = [{"path": fault.path, "detail": fault.detail} for fault in self.faults]
        return web.Response(
            status=self.status.value, body=orjson.dumps(body), content_type=CONTENT_TYPE, headers=self.headers
        )


def invalid(faults: Sequence[Fault]) -> Problem:
    """A request that says something impossible: everything that is wrong with it."""
    many = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", f"the request has {many}", faults)


def not_found(what: str) -> Problem:
    """Something that is not there, or not for this caller: nobody learns which."""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", f"no such {what}")


def unavailable(detail: str) -> Problem:
    """Ours to mend; the same request may succeed later."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, headers={"Retry-After": "5"})
