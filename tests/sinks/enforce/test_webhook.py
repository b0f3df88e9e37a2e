import asyncio
import base64
import datetime
import socket
import ssl
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from standardwebhooks import Webhook

from moderato import settings
from moderato.errors import Fatal
from moderato.settings import Tenant
from moderato.vendor import Rates
from sinks.enforce import webhook
from sinks.enforce.executor import Result
from sinks.enforce.webhook import open_webhook, seconds_until
from tests.sinks.enforce.support import SECRET, Endpoint, order
from tests.sinks.support import action


async def deliver(made: settings.Webhook, *, within: float = 60.0, **changes: Any) -> Result:
    async with AsyncExitStack() as stack:
        execute = await open_webhook(Tenant(webhook=made), stack, Rates())
        assert execute is not None
        return await execute(order(**changes), asyncio.get_running_loop().time() + within)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, which then take no time."""
    noted: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        noted.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    return noted


# --- What is sent ----------------------------------------------------------------------------------------------------


async def test_the_reference_implementation_verifies_what_is_sent(endpoint: Endpoint) -> None:
    found = action(verdict={"text": "骂人", "new_field": [1.5]})
    result = await deliver(endpoint.settings(), verdict=found["verdict"])
    assert (result.state, result.attempts, result.detail) == ("done", 1, "HTTP 204")
    [(headers, body)] = endpoint.requests
    assert Webhook(SECRET).verify(body, headers) == {
        "type": "moderation.action.kick",
        "timestamp": "2026-11-21T08:00:02.000Z",
        "data": found,
    }
    assert headers["webhook-id"] == "act_1"
    assert headers["Content-Type"] == "application/json"


async def test_during_a_rotation_receivers_with_either_secret_can_verify(endpoint: Endpoint) -> None:
    new = "whsec_" + base64.b64encode(b"n" * 32).decode()
    await deliver(endpoint.settings(secrets=[new, SECRET]))
    [(headers, body)] = endpoint.requests
    assert Webhook(SECRET).verify(body, headers) == Webhook(new).verify(body, headers)


async def test_each_attempt_has_a_fresh_time_and_signature_and_the_same_id_and_body(
    endpoint: Endpoint, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(int(time.time()) - 20, int(time.time())))
    monkeypatch.setattr(webhook, "time", SimpleNamespace(time=lambda: next(ticks)))
    endpoint.answers = [500, 503, 200]
    result = await deliver(endpoint.settings())
    assert (result.state, result.attempts) == ("done", 3)
    assert len({headers["webhook-timestamp"] for headers, _ in endpoint.requests}) == 3
    assert len({headers["webhook-signature"] for headers, _ in endpoint.requests}) == 3
    assert len({(headers["webhook-id"], body) for headers, body in endpoint.requests}) == 1
    for headers, body in endpoint.requests:
        assert Webhook(SECRET).verify(body, headers)["data"]["id"] == "act_1"
    assert waits == [0.25, 1.0]


async def test_a_status_is_enough_whatever_the_body_does(endpoint: Endpoint) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-encoding": "gzip"})
        await response.prepare(request)
        await response.write(b"this is not gzip")
        await endpoint.never.wait()
        return response

    endpoint.answers = [drip]
    assert (await deliver(endpoint.settings())).state == "done"


# --- Answers that are not 2xx ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
async def test_a_passing_trouble_is_tried_four_times_and_then_failed(
    endpoint: Endpoint, waits: list[float], status: int
) -> None:
    endpoint.answers = [status]
    result = await deliver(endpoint.settings())
    assert result == Result(result.state, 4, f"HTTP {status}", outage=True)
    assert result.state == "failed"
    assert len(endpoint.requests) == 4
    assert waits == [0.25, 1.0, 3.0]


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (400, "HTTP 400"),
        (401, "HTTP 401"),
        (404, "HTTP 404"),
        (422, "HTTP 422"),
        (410, "HTTP 410: the endpoint wants no more webhooks"),
        (304, "HTTP 304: redirects are not followed"),
    ],
)
async def test_a_refusal_is_final(endpoint: Endpoint, status: int, detail: str) -> None:
    endpoint.answers = [status]
    result = await deliver(endpoint.settings())
    assert (result.state, result.attempts, result.detail) == ("failed", 1, detail)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(endpoint: Endpoint, status: int) -> None:
    endpoint.answers = [(status, {"location": "/elsewhere"}), 200]
    result = await deliver(endpoint.settings())
    assert (result.state, result.detail) == ("failed", f"HTTP {status}: redirects are not followed")
    assert len(endpoint.requests) == 1


# --- Retry-After -----------------------------------------------------------------------------------------------------


async def test_retry_after_is_honoured(endpoint: Endpoint, waits: list[float]) -> None:
    endpoint.answers = [(429, {"retry-after": "7"}), (503, {"retry-after": "nonsense"}), 200]
    assert (await deliver(endpoint.settings())).state == "done"
    assert waits == [7.0, 1.0]


async def test_a_retry_after_beyond_the_deadline_ends_the_attempts_at_once(
    endpoint: Endpoint, waits: list[float]
) -> None:
    endpoint.answers = [(429, {"retry-after": "3600"})]
    result = await deliver(endpoint.settings())
    assert (result.state, result.attempts) == ("failed", 1)
    assert result.detail == "HTTP 429; no time is left for another attempt"
    assert waits == []


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        (None, 0.0),
        ("0", 0.0),
        ("120", 120.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("٣", 0.0),
        ("Sat, 21 Nov 2026 08:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 07:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, wait: float) -> None:
    assert seconds_until(text, 1795248000.0) == wait


@given(st.text() | st.from_regex(r"[0-9]{1,400}") | st.datetimes().map(str))
def test_any_retry_after_gives_a_wait(text: str) -> None:
    assert seconds_until(text, 1795248000.0) >= 0


# --- Networks --------------------------------------------------------------------------------------------------------


async def test_an_endpoint_that_hangs_is_left_after_its_time(endpoint: Endpoint, waits: list[float]) -> None:
    endpoint.answers = [endpoint.hang]
    result = await deliver(endpoint.settings(timeout=0.05))
    assert (result.state, result.attempts, result.detail) == ("failed", 4, "no answer within 0.1 s")


async def test_an_endpoint_that_hangs_does_not_get_more_than_the_action_has(
    endpoint: Endpoint, waits: list[float]
) -> None:
    endpoint.answers = [endpoint.hang]
    result = await deliver(endpoint.settings(timeout=10), within=0.05)
    assert (result.state, result.attempts) == ("failed", 1)
    assert result.detail == "no answer within 0.0 s; no time is left for another attempt"


async def test_an_endpoint_that_closes_the_connection_is_tried_again(
    endpoint: Endpoint, waits: list[float]
) -> None:
    endpoint.answers = [endpoint.close, 200]
    result = await deliver(endpoint.settings())
    assert (result.state, result.attempts) == ("done", 2)


async def test_nobody_listening_is_failed_after_four_attempts_without_the_url_in_the_reason(
    endpoint: Endpoint, waits: list[float]
) -> None:
    made = endpoint.settings()
    await endpoint.server.close()
    result = await deliver(made)
    assert (result.state, result.attempts) == ("failed", 4)
    assert result.detail == "no connection: ClientConnectorError"


async def test_a_certificate_that_nobody_vouches_for_is_failed_at_once(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "both.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    endpoint = Endpoint()
    await endpoint.server.start_server(ssl=context)
    try:
        result = await deliver(endpoint.settings(url=f"https://localhost:{endpoint.server.port}/"))
    finally:
        await endpoint.server.close()
    assert (result.state, result.attempts) == ("failed", 1)
    assert result.detail == "the endpoint's TLS certificate is not valid"
    assert endpoint.requests == []


# --- Addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "2130706433",
        "127.1",
        "0x7f000001",
        "0177.0.0.1",
        "169.254.169.254",
        "user:pass@127.0.0.1",
    ],
)
async def test_private_addresses_are_refused_however_they_are_written(endpoint: Endpoint, host: str) -> None:
    url = f"http://{host}:{endpoint.server.port}/hooks"
    result = await deliver(endpoint.settings(url=url, allow_private=False))
    assert (result.state, result.attempts) == ("failed", 1)
    assert result.detail is not None
    assert result.detail.startswith("the endpoint is refused: ")
    assert "pass" not in result.detail
    assert endpoint.requests == []


class Rebinding(AbstractResolver):
    """A public address at first, the inside afterwards."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        address = "203.0.114.1" if self.asked == 1 else "127.0.0.1"
        flags = socket.AI_NUMERICHOST
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=flags)
        ]

    async def close(self) -> None:
        raise AssertionError("nobody owns it")


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    endpoint: Endpoint, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name moves inside right after the check."""
    resolver = Rebinding()
    connected: list[str] = []

    async def unreachable(sock: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address[0])
        raise OSError("unreachable")

    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: resolver)
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", unreachable)
    url = f"http://hooks.example.com:{endpoint.server.port}/"
    result = await deliver(endpoint.settings(url=url, allow_private=False))
    assert result.state == "failed"
    assert set(connected) == {"203.0.114.1"}
    assert endpoint.requests == []


# --- Settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"secrets": (SecretStr("A" * 33),)}, {"url": "https://[::1/hooks"}],
)
async def test_settings_that_cannot_be_used_are_fatal(endpoint: Endpoint, changes: dict[str, Any]) -> None:
    made = endpoint.settings(**changes)
    async with AsyncExitStack() as stack:
        with pytest.raises(Fatal, match="webhook: "):
            await open_webhook(Tenant(webhook=made), stack, Rates())


async def test_the_action_travels_as_it_came(endpoint: Endpoint) -> None:
    await deliver(endpoint.settings(), from_a_later_version={"a": 1})
    [(_, body)] = endpoint.requests
    assert orjson.loads(body)["data"]["from_a_later_version"] == {"a": 1}
