"""Each kind of bad request has its status and its one-line JSON error, and hurts nobody else."""

import asyncio
import gzip
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from ingest.signatures import ncs_hmac
from moderato.bus.embedded import EmbeddedBroker
from moderato.sources import Source
from tests.ingest import samples
from tests.ingest.samples import FORM, SAMPLES
from tests.ingest.support import JSON, TOKEN, Bench, receiving, settings

SHUMEI = samples.SHUMEI_AUDIO
NO_SIGNATURE = [Source.SHUMEI_AUDIO, Source.SHUMEI_VIDEO, Source.IFLYTEK_AUDIO, Source.AGORA_VIDEO]


async def refused(
    bench: Bench,
    status: int,
    code: str,
    source: str,
    body: Any,
    headers: Mapping[str, str] = JSON,
    **how: str,
) -> Mapping[str, str]:
    """Sends it, checks its answer and that it is counted, and that the next good one is still taken."""
    found, error, answered = await bench.post(source, body, headers, **how)
    assert (found, error["error"]) == (status, code)
    assert set(error) == {"error", "detail"}
    assert error["detail"]
    assert TOKEN not in error["detail"]
    assert answered["Content-Type"] == "application/json"
    assert bench.counted() == {"received": 1, code: 1}
    good, _, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI)
    assert good == 200
    return answered


# --- Where to


async def test_an_unknown_source(bench: Bench) -> None:
    await refused(bench, 404, "unknown_source", "nobody", SHUMEI)


async def test_an_unknown_tenant(bench: Bench) -> None:
    await refused(bench, 404, "unknown_tenant", Source.SHUMEI_AUDIO, SHUMEI, tenant="nobody")


async def test_a_source_that_this_tenant_does_not_use(bench: Bench) -> None:
    await refused(
        bench, 404, "source_not_configured", Source.YIDUN_AUDIO, samples.YIDUN, FORM, tenant="other"
    )


async def test_a_source_that_no_tenant_uses(broker: EmbeddedBroker) -> None:
    both = settings()
    one = {Source.SHUMEI_AUDIO: both.tenants["default"].sources[Source.SHUMEI_AUDIO]}
    tenant = both.tenants["default"].model_copy(update={"sources": one})
    async with receiving(broker, both.model_copy(update={"tenants": {"default": tenant}})) as bench:
        for name, code in (("default", "source_not_configured"), ("nobody", "unknown_tenant")):
            status, error, _ = await bench.post(Source.YIDUN_AUDIO, samples.YIDUN, FORM, tenant=name)
            assert (status, error["error"]) == (404, code)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/callbacks",
        "/v1/callbacks/shumei_audio/default",
        f"/v1/callbacks/shumei_audio/default/{TOKEN}/more",
        f"/v2/callbacks/shumei_audio/default/{TOKEN}",
        "/%2e%2e/etc/passwd",
        "//",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_path_that_is_no_callbacks(bench: Bench, path: str, method: str) -> None:
    async with bench.client.request(method, bench.url + path, data=b"x") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"] == "unknown_path"
    assert bench.counted() == {"received": 1, "unknown_path": 1}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method(bench: Bench, method: str) -> None:
    headers = await refused(
        bench, 405, "method_not_allowed", Source.SHUMEI_AUDIO, SHUMEI, JSON, method=method
    )
    assert headers["Allow"] == "POST"


# --- Who


@pytest.mark.parametrize(
    "token", ["wrong-token-but-long-enough", "", "a.b", ".", "%00", "%F0%9F", "ü", TOKEN[:-1]]
)
async def test_a_wrong_token(bench: Bench, token: str) -> None:
    await refused(bench, 401, "bad_token", Source.SHUMEI_AUDIO, SHUMEI, token=token)


@pytest.mark.parametrize(
    ("source", "body", "headers"),
    [
        (Source.AGORA_VOICE, samples.AGORA_VOICE.replace(b"33e1", b"33e2"), FORM),
        (Source.AGORA_NCS, samples.AGORA_NCS, {**JSON, "Agora-Signature-V2": samples.AGORA_NCS_SHA1}),
        (Source.YIDUN_AUDIO, samples.YIDUN.replace(b"a-secret-id-1", b"another-id"), FORM),
        (Source.YIDUN_AUDIO, samples.YIDUN + b"&more=1", FORM),
        (Source.YUNXIN_RTC, samples.YUNXIN, {**JSON, **samples.YUNXIN_HEADERS, "CurTime": "1"}),
    ],
)
async def test_a_wrong_signature(
    bench: Bench, source: Source, body: bytes, headers: Mapping[str, str]
) -> None:
    await refused(bench, 401, "bad_signature", source, body, headers)


@pytest.mark.parametrize(
    ("source", "body", "headers"),
    [
        (Source.AGORA_VOICE, b"content=%7B%7D", FORM),
        (Source.AGORA_NCS, samples.AGORA_NCS, JSON),
        (Source.YIDUN_AUDIO, b"secretId=a-secret-id-1&callbackData=%7B%7D", FORM),
        (Source.YUNXIN_RTC, samples.YUNXIN, JSON),
    ],
)
async def test_a_missing_signature(
    bench: Bench, source: Source, body: bytes, headers: Mapping[str, str]
) -> None:
    await refused(bench, 401, "missing_signature", source, body, headers)


async def test_those_who_may_not_send_do_not_get_their_body_read(bench: Bench) -> None:
    head = f"POST {bench.path('shumei_audio', token='x' * 20)} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    writer.write(head.encode())
    assert await reader.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
    writer.close()


# --- What


async def test_an_empty_body(bench: Bench) -> None:
    await refused(bench, 400, "empty_body", Source.SHUMEI_AUDIO, b"")


async def test_a_body_that_is_empty_once_unpacked(bench: Bench) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    await refused(bench, 400, "empty_body", Source.SHUMEI_AUDIO, gzip.compress(b""), headers)


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data; boundary=x", "image/png", "text/html", "application/xml", "text/xml"],
)
async def test_a_content_type_that_no_vendor_sends(bench: Bench, source: Source, content_type: str) -> None:
    headers = {**SAMPLES[source].headers, "Content-Type": content_type}
    await refused(bench, 415, "unsupported_media_type", source, SAMPLES[source].body, headers)


@pytest.mark.parametrize(
    ("source", "content_type"),
    [
        (Source.AGORA_VOICE, "application/json"),
        (Source.YIDUN_AUDIO, "application/json"),
        (Source.YIDUN_AUDIO, "text/plain"),
        (Source.AGORA_VIDEO, "application/x-www-form-urlencoded"),
        (Source.AGORA_NCS, "text/plain"),
    ],
)
async def test_a_content_type_other_than_the_vendor_documents(
    bench: Bench, source: Source, content_type: str
) -> None:
    headers = {**SAMPLES[source].headers, "Content-Type": content_type}
    await refused(bench, 415, "unsupported_media_type", source, SAMPLES[source].body, headers)


async def test_a_broken_gzip(bench: Bench) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    await refused(bench, 400, "bad_encoding", Source.SHUMEI_AUDIO, gzip.compress(SHUMEI)[:-9], headers)


async def test_an_encoding_that_we_do_not_unpack(bench: Bench) -> None:
    headers = {**JSON, "Content-Encoding": "br"}
    await refused(bench, 415, "unsupported_encoding", Source.SHUMEI_AUDIO, SHUMEI, headers)


async def test_a_gzip_bomb(bench: Bench) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert len(bomb) < 1024 * 1024
    await refused(bench, 413, "body_too_large", Source.SHUMEI_AUDIO, bomb, headers)


async def test_an_over_long_body(bench: Bench) -> None:
    await refused(bench, 413, "body_too_large", Source.SHUMEI_AUDIO, b" " * (1024 * 1024 + 1))


async def test_an_over_long_body_that_does_not_tell_its_length(bench: Bench) -> None:
    async def chunks() -> Any:
        for _ in range(64):
            yield b" " * 65536

    await refused(bench, 413, "body_too_large", Source.SHUMEI_AUDIO, chunks())


async def test_a_body_at_its_limit_is_taken(broker: EmbeddedBroker) -> None:
    async with receiving(broker, settings(http={"max_body_bytes": 2048})) as bench:
        status, _, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI.ljust(2048))
        assert status == 200
        status, error, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI.ljust(2049))
        assert (status, error["error"]) == (413, "body_too_large")


@pytest.mark.parametrize("source", [Source.AGORA_VOICE, Source.YIDUN_AUDIO])
@pytest.mark.parametrize("body", [b"signature=%ff%fe&checksum=1", b"\xff\xfe=1", b"a&" * 1000])
async def test_a_broken_form(bench: Bench, source: Source, body: bytes) -> None:
    await refused(bench, 400, "bad_form", source, body, FORM)


@pytest.mark.parametrize("source", NO_SIGNATURE)
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"requestId":"\xff\xfe"}',
        b"\x00",
        b"{}",
        b"[]",
        b"null",
        b'"text"',
    ],
)
async def test_an_authentic_but_broken_body_is_accepted_and_kept_as_it_is(
    bench: Bench, source: Source, body: bytes
) -> None:
    status, answer, _ = await bench.post(source, body)
    assert (status, answer) == (200, SAMPLES[source].answer)
    [(_, event)] = await bench.records(source)
    assert event.data == body


async def test_a_signed_but_broken_body_is_accepted_too(bench: Bench) -> None:
    body = b"[" * 100_000
    headers = {"Agora-Signature-V2": ncs_hmac("secret", body, "sha256")}
    status, _, _ = await bench.post(Source.AGORA_NCS, body, headers)
    assert status == 200
    [(_, event)] = await bench.records(Source.AGORA_NCS)
    assert event.data == body


# --- How


@pytest.fixture
def impatient() -> Any:
    return settings(http={"body_timeout": 0.2})


async def test_a_slow_body(broker: EmbeddedBroker, impatient: Any) -> None:
    async with receiving(broker, impatient) as bench:
        head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{{"
        answer = await bench.raw(head.encode())
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"Connection: close\r\n" in answer
        assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "body_timeout"
        assert bench.counted() == {"received": 1, "body_timeout": 1}


async def test_slow_bodies_keep_nobody_else_waiting(broker: EmbeddedBroker, impatient: Any) -> None:
    async with receiving(broker, impatient) as bench:
        head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{{"
        slow = [asyncio.create_task(bench.raw(head.encode())) for _ in range(50)]
        status, _, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI)
        assert status == 200
        for answer in await asyncio.gather(*slow):
            assert b" 408 " in answer
        assert bench.counted() == {"received": 51, "body_timeout": 50, "published": 1}


async def test_a_client_that_goes_away_in_the_middle_of_its_body(bench: Bench) -> None:
    head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{{"
    _, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    writer.write(head.encode())
    await writer.drain()
    await bench.until({"received": 1})
    writer.transport.abort()
    await bench.until({"received": 1, "client_gone": 1})
    status, _, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI)
    assert status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_bytes_that_are_no_http(bench: Bench, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    answer = await bench.raw(data)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "bad_request"
    assert bench.counted() == {"received": 1, "bad_request": 1}
    assert caplog.records == []


async def test_a_broken_chunk_ends_with_its_connection(broker: EmbeddedBroker, impatient: Any) -> None:
    async with receiving(broker, impatient) as bench:
        head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        together = await bench.raw(head.encode() + b"this is no chunk\r\n\r\n")
        assert together.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
        writer.write(head.encode() + b"1\r\n{\r\n")
        await bench.until({"received": 2, "bad_request": 1})
        writer.write(b"this is no chunk\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        writer.close()
        assert bench.counted() == {"received": 2, "bad_request": 1, "body_timeout": 1}
