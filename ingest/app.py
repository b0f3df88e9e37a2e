"""The receiver's hot path: one HTTP request -> authenticated, stored, acknowledged.

No task, no log line and no validation model a request, and one `await` when its body is there already. Checks go from
the cheap to the costly, so that those who may not send cost little.
"""

import asyncio
import re
import time

import structlog
from aiohttp import HttpVersion11, hdrs, web
from multidict import istr

from ingest import body
from ingest.answers import Answer, refusal
from ingest.callbacks import identity
from ingest.callbacks.contract import Delivery, family
from ingest.refusals import OF_NO_SOURCE, Refused
from ingest.routes import PREFIX, Route, routes
from ingest.store import Store, Stored
from ingest.tally import Tally
from moderato import codec, tracing
from moderato.errors import Retryable
from moderato.settings import Settings
from moderato.sources import Source
from moderato.times import rfc3339

log = structlog.get_logger(__name__)

_SOURCES = {str(source): source for source in Source}
_RETRY_AFTER = (("Retry-After", "5"),)  # seconds
_TRACEPARENT = istr("traceparent")
_W3C_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class CallbackApp:
    """`POST /v1/callbacks/{source}/{tenant}/{token}`, and an error for everything else."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self.in_flight = 0
        self.idle = asyncio.Event()
        """Set when the last request has its answer after `wind_down`."""
        self._limit = settings.http.max_body_bytes
        self._body_timeout = settings.http.body_timeout
        self._tenants = frozenset(settings.tenants)
        self._routes = routes(settings)
        self._tallies = {route.source: route.tally for route in self._routes.values()}
        self._no_source = Tally(None, OF_NO_SOURCE)
        self._clock = _Clock()
        self._stopping = False

    def wind_down(self) -> None:
        """From now on every connection ends with its next answer."""
        self._stopping = True
        if not self.in_flight:
            self.idle.set()

    async def handle(self, request: web.BaseRequest) -> Answer:
        """Answers one request. Raises nothing but CancelledError."""
        started = time.perf_counter()
        prefix, _, token = request.path.rpartition("/")
        route = self._routes.get(prefix)
        tally = self._tally(prefix) if route is None else route.tally
        tally.received.inc()
        self.in_flight += 1
        try:
            if route is None or request.method != hdrs.METH_POST:
                raise self._misdirected(prefix)
            stored = await self._accept(route, token, request)
        except Refused as refused:
            return self._reject(tally, refused, request)
        except Retryable:
            unavailable = Refused("kafka_unavailable", "try again later", _RETRY_AFTER)
            return self._reject(tally, unavailable, request)
        except ConnectionError:
            return self._reject(tally, Refused("client_gone", "the client went away"), request)
        except asyncio.CancelledError:
            tally.rejected("client_gone")
            raise
        except Exception as error:
            # Poison as well: a record that Kafka will never take is our limits' fault, not the vendor's.
            log.error("callback_failed", source=route and route.source, error=repr(error), exc_info=True)
            return self._reject(tally, Refused("internal_error", "try again later", _RETRY_AFTER), request)
        else:
            tally.stored[stored].inc()
            tally.seconds.observe(time.perf_counter() - started)
            return route.acknowledgement.answer(keep_alive=request.keep_alive and not self._stopping)
        finally:
            self.in_flight -= 1
            if self._stopping and not self.in_flight:
                self.idle.set()

    def not_http(self) -> Answer:
        """The answer to bytes that are no HTTP request. They are not quoted: a URL holds a token."""
        self._no_source.received.inc()
        self._no_source.rejected("bad_request")
        return refusal(Refused("bad_request", "this is not a valid HTTP/1.1 request"), keep_alive=False)

    async def _accept(self, route: Route, token: str, request: web.BaseRequest) -> Stored:
        received = time.time()
        capability = route.authenticate(token, received)
        headers = request.headers
        callback = route.callback
        content_type = headers.get(hdrs.CONTENT_TYPE, "")
        if family(content_type) not in callback.accepts:
            raise Refused("unsupported_media_type", f"this source sends {callback.content_type}")
        content = request.content
        data = content.read_nowait() if content.is_eof() else await self._rest_of(request)
        if encoding := headers.get(hdrs.CONTENT_ENCODING):
            data = body.inflate(data, encoding, self._limit)
        elif len(data) > self._limit:
            raise body.too_large(self._limit)
        if not data:
            raise Refused("empty_body", "the body is empty")
        delivery = Delivery(data, content_type, headers)
        _verify(route, delivery)
        identified = identity(callback, delivery)
        key = f"{route.tenant}/{identified.task}"
        traceparent = _traceparent(headers.get(_TRACEPARENT))
        traced = tracing.ACTIVE and tracing.ACTIVE.callback(route.source, traceparent, received)
        try:
            return await self._store.put(
                route.topic,
                key.encode(),
                data,
                codec.encode(
                    "raw",
                    id=identified.id,
                    source=route.source,
                    tenant=route.tenant,
                    key=key,
                    time=self._clock.rfc3339(received),
                    session_id=capability.session_id if capability else None,
                    content_type=content_type
                    if content_type and content_type.isascii()
                    else callback.content_type,
                    room=capability.room if capability else None,
                    user=capability.user if capability else None,
                    traceparent=traced.traceparent if traced else traceparent,
                ),
            )
        finally:
            if traced:
                traced.end()

    async def _rest_of(self, request: web.BaseRequest) -> bytes:
        length = request.content_length
        if length is not None and length > self._limit:
            raise body.too_large(self._limit)
        expectation = request.headers.get(hdrs.EXPECT)
        if expectation and expectation.lower() == "100-continue" and request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await body.read(request.content, self._limit, self._body_timeout)

    def _reject(self, tally: Tally, refused: Refused, request: web.BaseRequest) -> Answer:
        tally.rejected(refused.code)
        return refusal(refused, keep_alive=request.keep_alive and not self._stopping)

    def _tally(self, prefix: str) -> Tally:
        source, _ = _place(prefix) or (None, "")
        return self._tallies.get(source, self._no_source) if source else self._no_source

    def _misdirected(self, prefix: str) -> Refused:
        place = _place(prefix)
        if place is None:
            return Refused("unknown_path", f"callbacks go to {PREFIX}/{{source}}/{{tenant}}/{{token}}")
        source, tenant = place
        if source is None:
            return Refused("unknown_source", f"the sources are {', '.join(Source)}")
        if tenant not in self._tenants:
            return Refused("unknown_tenant", "no such tenant")
        if prefix not in self._routes:
            return Refused("source_not_configured", "this tenant has no such source")
        return Refused("method_not_allowed", "callbacks are sent with POST", (("Allow", "POST"),))


class _Clock:
    """`times.rfc3339`, which costs as much as reading a body, with all but the milliseconds kept for a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def rfc3339(self, epoch: float) -> str:
        second = int(epoch)
        if second != self._second:
            self._second = second
            self._text = (rfc3339(second) or "").removesuffix("000Z")
        return f"{self._text}{int((epoch - second) * 1000):03d}Z"


def _place(prefix: str) -> tuple[Source | None, str] | None:
    """Source and tenant that a path names; None when it is no callback's path."""
    head, _, tenant = prefix.rpartition("/")
    base, _, source = head.rpartition("/")
    if base != PREFIX:
        return None
    return _SOURCES.get(source), tenant


def _verify(route: Route, delivery: Delivery) -> None:
    verify = route.callback.verify
    if verify is None:
        return
    if route.callback.enforced:
        verify(delivery, route.secrets)
    elif route.secrets:
        try:
            verify(delivery, route.secrets)
        except Refused:
            route.tally.observed(match=False)
        else:
            route.tally.observed(match=True)


def _traceparent(header: str | None) -> str | None:
    return header if header and _W3C_TRACEPARENT.fullmatch(header) else None
