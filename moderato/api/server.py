"""The API's server: one a process, to which a role adds its operations."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from aiohttp import web

from moderato.api.callers import Caller, Callers
from moderato.api.document import document
from moderato.api.problem import Problem, unavailable
from moderato.errors import Fatal, Retryable
from moderato.settings import Api, Scope

log = structlog.get_logger(__name__)

_MOST_BYTES = 256 * 1024
_BODY_SECONDS = 10.0
_SECONDS = 90.0  # for a whole request; `wait` is 60 at most
_DOCUMENT = "/v1/openapi.json"
_JSON = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a caller who may make it. `body` is None where the operation takes none."""

    caller: Caller
    path: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Reply:
    """A JSON answer; `content` is anything that orjson writes."""

    content: Any
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `about` is its OpenAPI operation object, but for what all of them have; `query` and `headers` are
    the parameters that it takes: others are refused, and missing ones are not in the Call."""

    method: str
    path: str
    scope: Scope
    about: dict[str, Any]
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    takes_body: bool = False


class ApiServer:
    """`handlers` by the operations that the roles of this process have, `schemas` what their documents refer to."""

    def __init__(
        self, settings: Api, handlers: Sequence[tuple[Operation, Handler]], schemas: dict[str, Any]
    ) -> None:
        self.port = settings.port
        self._settings = settings
        self._callers = Callers(settings.tokens)
        application = web.Application(middlewares=[_answering], client_max_size=_MOST_BYTES)
        for operation, handler in handlers:
            application.router.add_route(operation.method, operation.path, self._serving(operation, handler))
        text = orjson.dumps(document([operation for operation, _ in handlers], schemas))

        async def described(request: web.Request) -> web.Response:
            return web.Response(body=text, content_type="application/json")

        application.router.add_get(_DOCUMENT, described)
        self._runner = web.AppRunner(application, access_log=None, logger=_silent(), shutdown_timeout=5.0)

    async def start(self) -> None:
        """Listens; `port` is then the real one. Raises Fatal when the address cannot be had."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise Fatal(f"api.host, api.port: cannot listen there: {error.strerror or error}") from error
        self.port = self._runner.addresses[0][1]
        log.info("api_listening", host=self._settings.host, port=self.port)

    async def stop(self) -> None:
        """Answers what is in flight, and listens no more."""
        await self._runner.cleanup()

    def _serving(
        self, operation: Operation, handler: Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            caller = self._callers.identify(request.headers.get("Authorization"))
            caller.require(operation.scope)
            call = Call(
                caller,
                dict(request.match_info),
                _query(request, operation),
                {name: request.headers[name] for name in operation.headers if name in request.headers},
                await _body(request) if operation.takes_body else None,
            )
            try:
                async with asyncio.timeout(_SECONDS):
                    reply = await handler(call)
            except Retryable as error:
                raise unavailable(str(error)) from error
            except TimeoutError:
                raise unavailable("it took too long") from None
            return web.Response(
                status=reply.status.value,
                body=orjson.dumps(reply.content),
                content_type="application/json",
                headers=reply.headers,
            )

        return serve


def _silent() -> logging.Logger:
    """aiohttp has a traceback for every caller whose bytes are no HTTP; what goes wrong here is logged here."""
    logger = logging.getLogger("moderato.api.http")
    logger.setLevel(logging.CRITICAL)
    return logger


def _query(request: web.Request, operation: Operation) -> dict[str, str]:
    unknown = [name for name in request.query if name not in operation.query]
    if unknown:
        taken = ", ".join(operation.query) or "none"
        raise _bad(f"no such query parameter: {unknown[0][:60]} (there are: {taken})")
    for name in operation.query:
        if len(request.query.getall(name, [])) > 1:
            raise _bad(f"{name}: more than one is given")
    return dict(request.query)


async def _body(request: web.Request) -> dict[str, Any]:
    if not _JSON.fullmatch(request.content_type.lower()):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "the body is due as application/json"
        )
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            data = await request.read()
    except TimeoutError:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT, "body_timeout", f"the body did not come within {_BODY_SECONDS:g} s"
        ) from None
    except web.HTTPRequestEntityTooLarge:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body_too_large",
            f"the body has more than {_MOST_BYTES} bytes",
        ) from None
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _bad(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise _bad("the body is not a JSON object")
    return body


def _bad(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "bad_request", detail)


@web.middleware
async def _answering(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every error as problem+json, whoever made it."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} is not for this path; it takes {allowed}"
        return Problem(
            HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", detail, headers={"Allow": allowed}
        ).response()
    except web.HTTPNotFound:
        return Problem(HTTPStatus.NOT_FOUND, "unknown_path", f"see {_DOCUMENT} for what there is").response()
    except web.HTTPException as error:
        status = HTTPStatus(error.status)
        return Problem(status, "bad_request", status.phrase).response()
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception as error:
        log.error("api_failed", path=request.path, error=repr(error), exc_info=True)
        return Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "a fault of ours; it is in the log"
        ).response()
