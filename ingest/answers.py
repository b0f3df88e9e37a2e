"""Whole HTTP responses, written in one piece.

aiohttp's own response builds its headers anew each time, which was a fifth of the cost of a callback. Acknowledgements
are the same for every callback of a source, so that one object serves them all.
"""

import time
from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from ingest.refusals import CLOSING, STATUS, Header, Refused


class Answer(web.StreamResponse):
    """A JSON response that can be sent any number of times. `close` ends the connection after it."""

    def __init__(
        self, status: HTTPStatus, body: bytes, *, close: bool = False, headers: Sequence[Header] = ()
    ) -> None:
        super().__init__(status=status)
        self._close = close
        fields = (
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            # Said in full, so that it is right for HTTP/1.0 and 1.1 alike.
            ("Connection", "close" if close else "keep-alive"),
            *headers,
        )
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in fields)]
        self._head = "\r\n".join(lines).encode()
        self._content = body
        self._second = -1
        self._wire = b""

    @property
    def keep_alive(self) -> bool:
        return not self._close

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client went away")
        second = int(time.time())
        if second != self._second:
            self._second = second
            date = formatdate(second, usegmt=True).encode()
            self._wire = self._head + b"\r\nDate: " + date + b"\r\n\r\n"
        transport.write(self._wire if request.method == "HEAD" else self._wire + self._content)
        if request.protocol.writing_paused:
            # A client that sends requests without reading the answers would fill our memory.
            transport.abort()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """`prepare` has sent everything."""


class Acknowledgement:
    """A source's answer to a callback that is stored, for connections that go on and for those that end."""

    def __init__(self, body: bytes) -> None:
        self._keep = Answer(HTTPStatus.OK, body)
        self._close = Answer(HTTPStatus.OK, body, close=True)

    def answer(self, *, keep_alive: bool) -> Answer:
        """The answer to send."""
        return self._keep if keep_alive else self._close


def refusal(refused: Refused, *, keep_alive: bool) -> Answer:
    """The one-line JSON error of a refused request."""
    close = not keep_alive or refused.code in CLOSING
    return _refusal(refused.code, refused.detail, tuple(refused.headers), close)


@lru_cache(maxsize=256)  # details are fixed texts, and a flood of refusals should cost little
def _refusal(code: str, detail: str, headers: tuple[Header, ...], close: bool) -> Answer:
    body = orjson.dumps({"error": code, "detail": detail}, option=orjson.OPT_APPEND_NEWLINE)
    return Answer(STATUS[code], body, close=close, headers=headers)
