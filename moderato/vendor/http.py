"""One HTTP exchange with a vendor: bounded in time and size, its answer a JSON object or a typed error."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

from moderato.vendor.errors import Refused, Throttled, Unavailable, Unreadable

MAX_ANSWER = 1024 * 1024  # bytes, after decompression
_MOST_PATIENCE = 60.0  # seconds of a Retry-After that are believed

Parse: TypeAlias = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it goes out. `url` is complete and encoded. `bodiless`: a success may come without a body, which is
    read as an empty object."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    bodiless: bool = False

    @classmethod
    def json(cls, url: str, value: Any, headers: Mapping[str, str] | None = None) -> "Request":
        """A POST of JSON."""
        return cls(
            "POST",
            url,
            {"content-type": "application/json;charset=utf-8", **(headers or {})},
            orjson.dumps(value),
        )

    @classmethod
    def form(cls, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> "Request":
        """A POST of a form in UTF-8."""
        content_type = "application/x-www-form-urlencoded;charset=utf-8"
        return cls("POST", url, {"content-type": content_type, **(headers or {})}, urlencode(fields).encode())


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object with its HTTP status: 2xx and 4xx always, 5xx when the vendor says a JSON object with it."""

    status: int
    body: dict[str, Any]
    retry_after: float = 0.0  # seconds
    raw: bytes = b""  # the body as it came


async def open_session(stack: AsyncExitStack, connections: int = 100) -> aiohttp.ClientSession:
    """A session for calls to vendors, owned by the stack: no cookies, no time-out but the calls' own."""
    return await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Without a connection within this time a call was surely not sent.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=3.0),
            headers={"user-agent": "Moderato", "accept": "application/json"},
        )
    )


async def exchange(
    session: aiohttp.ClientSession,
    vendor: str,
    operation: str,
    request: Request,
    *,
    timeout: float,
    parse: Parse = orjson.loads,
) -> Answer:
    """Sends one request and reads its answer within `timeout` seconds.

    Raises Unavailable (no connection, no answer in time, 5xx without JSON), Throttled (429 without JSON), Refused
    (other statuses without JSON, redirects, an address that cannot be) and Unreadable (2xx that is no JSON object)."""
    try:
        async with (
            asyncio.timeout(timeout),
            session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
            ) as response,
        ):
            body = await _read(response)
            status, retry_after = response.status, response.headers.get("retry-after")
    except TimeoutError:
        raise Unavailable(vendor, operation, f"no answer within {timeout:g} s") from None
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        # Its text holds the address.
        raise Unavailable(vendor, operation, f"no connection: {type(error).__name__}", sent=False) from None
    except aiohttp.InvalidURL:
        raise Refused(vendor, operation, "the address cannot be called: see the base URL") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unavailable(vendor, operation, f"the connection broke: {type(error).__name__}") from None
    if body == b"" and request.bodiless and 200 <= status < 300:
        return Answer(status, {})
    return _answer(
        vendor, operation, status, body, _seconds(retry_after, response.headers.get("date")), parse
    )


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """None for an answer that is too long, of which no more is read than the limit."""
    body = bytearray()
    async for piece in response.content.iter_chunked(65536):
        body += piece
        if len(body) > MAX_ANSWER:
            return None
    return bytes(body)


def _answer(
    vendor: str, operation: str, status: int, body: bytes | None, retry_after: float, parse: Parse
) -> Answer:
    fault = "its answer is empty" if body == b"" else "its answer is not JSON"
    if body is None:
        fault = f"its answer is longer than {MAX_ANSWER} bytes"
    elif body:
        try:
            value = parse(body)
        except ValueError:
            pass
        else:
            if isinstance(value, dict) and not 300 <= status < 400:
                return Answer(status, value, retry_after, body)
            fault = "its answer is not a JSON object"
    code = f"http-{status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Throttled(vendor, operation, "too many calls", code=code, retry_after=retry_after)
    if status >= 500:
        raise Unavailable(vendor, operation, fault, code=code, sent=True)
    if 300 <= status < 400:
        raise Refused(vendor, operation, "redirects are not followed", code=code)
    if status >= 400:
        raise Refused(vendor, operation, fault, code=code)
    raise Unreadable(vendor, operation, fault, code=code)


def _seconds(retry_after: str | None, date: str | None) -> float:
    """Retry-After, as seconds or as a moment on the vendor's own clock; 0 when it says nothing."""
    if retry_after is None:
        return 0.0
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _MOST_PATIENCE)
    try:
        moment = parsedate_to_datetime(retry_after).timestamp()
        now = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError, TypeError):
        return 0.0
    return min(max(0.0, moment - now), _MOST_PATIENCE)
