"""A vendor whose answers a test writes down in turn, and a tenant with credentials at every vendor."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingest.clients.contract import Opening
from moderato.settings import Tenant
from moderato.vendor import Rates, open_session
from tests.moderato.vendor.support import Time

Scripted = tuple[int, Any]  # status and body: bytes as they are, anything else as JSON


@dataclass
class Seen:
    """One request that reached the vendor."""

    method: str
    host: str
    path: str  # as it was sent, still encoded, the query with it
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw.decode(), keep_blank_values=True, strict_parsing=True))


@dataclass
class Vendor:
    """Gives `script` in turn, its last answer for ever."""

    script: list[Scripted]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    time: Time = field(default_factory=Time)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            Seen(
                request.method,
                request.host,
                request.raw_path,
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
            )
        )
        status, body = self.script[min(len(self.seen), len(self.script)) - 1]
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(status=status, body=raw, headers={"content-type": "application/json"})


def tenant(url: str, **changes: Any) -> Tenant:
    """One that may call everybody, at `url`."""
    credentials: dict[str, Any] = {
        "agora": {
            "app_id": "app1",
            "customer_id": "customer",
            "customer_secret": "agora-s3cr3t",
            "base_urls": [url, f"{url}/second"],
        },
        "aliyun": {"access_key": "AK", "secret_key": "aliyun-s3cr3t"},
        "shumei": {"access_key": "shumei-s3cr3t", "base_url": url},
        "iflytek": {
            "app_id": "simpleAPPID",
            "access_key_id": "simpleAPIKey",
            "access_key_secret": "simpleAPISecret",
            "base_url": url,
        },
        "yidun": {
            "secret_id": "a-secret-id-1",
            "secret_key": "a-secret-key-1",
            "business_id": "a-business-id-1",
            "base_url": url,
        },
        "yunxin": {
            "app_key": "appkey1",
            "app_secret": "app-secret-1",
            "base_url": url,
            "rtc_base_url": url,
        },
    }
    for vendor, change in changes.items():
        credentials[vendor] = None if change is None else credentials[vendor] | change
    seed = {"agora_voice": {"secrets": {"uid": "1", "seed": "seed_1"}}}
    return Tenant.model_validate({"credentials": credentials, "sources": seed})


@asynccontextmanager
async def vendor(*script: Scripted, **changes: Any) -> AsyncIterator[tuple[Vendor, Opening]]:
    """A vendor with a script, and what a client of it is opened with."""
    answering = Vendor(list(script))
    app = web.Application(client_max_size=8 << 20)
    app.router.add_route("*", "/{path:.*}", answering.handle)
    async with TestServer(app) as server, AsyncExitStack() as stack:
        answering.url = str(server.make_url("")).rstrip("/")
        rates = Rates(answering.time.clock, answering.time.sleep)
        yield answering, Opening(tenant(answering.url, **changes), await open_session(stack), rates)


BROKEN = {
    "empty": b"",
    "html": b"<html><body>502</body></html>",
    "truncated": b'{"code": 200, "resu',
    "array": b"[]",
    "a number": b"17",
    "another object": b"{}",
    "wrong types": b'{"code": [], "sid": {}, "resourceId": 0.5, "requestId": [], "data": 1, "result": "x", "msg": 7}',
    "5 MiB": b'{"code":"' + b"1" * (5 << 20) + b'"}',
}
"""Success by its status, and nothing that anybody can use."""
