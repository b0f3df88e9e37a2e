"""HTTP as clients really speak it: versions, connections that stay, pipelines, HEAD and Expect."""

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from ingest import server
from moderato.bus.embedded import EmbeddedBroker
from moderato.sources import Source
from tests.ingest.support import Bench, receiving

BODY = b'{"requestId":"t_1"}'


def request(
    bench: Bench, *headers: str, version: str = "1.1", method: str = "POST", number: int = 0
) -> bytes:
    body = BODY.replace(b"t_1", b"t_%d" % number)
    lines = [
        f"{method} {bench.path('shumei_audio')} HTTP/{version}",
        "Host: a",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def answer_of(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    return head[0], headers, await reader.readexactly(int(headers["Content-Length"]))


async def test_a_connection_stays_for_the_next_callback(bench: Bench) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    for number in range(3):
        writer.write(request(bench, number=number))
        status, headers, body = await answer_of(reader)
        assert status == "HTTP/1.1 200 OK"
        assert headers["Connection"] == "keep-alive"
        assert body == b'{"code":1100,"message":"success"}'
        assert parsedate_to_datetime(headers["Date"]).tzinfo is not None
    writer.close()
    assert bench.counted() == {"received": 3, "published": 3}


async def test_a_connection_stays_after_a_refusal(bench: Bench) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    writer.write(request(bench, "Content-Type: image/png"))
    status, headers, _ = await answer_of(reader)
    assert (status, headers["Connection"]) == ("HTTP/1.1 415 Unsupported Media Type", "keep-alive")
    writer.write(request(bench))
    assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"
    writer.close()


@pytest.mark.parametrize(
    ("version", "header", "connection"),
    [
        ("1.1", "Connection: close", "close"),
        ("1.0", "X-Nothing: here", "close"),
        ("1.0", "Connection: close", "close"),
    ],
)
async def test_a_connection_ends_when_its_client_says_so(
    bench: Bench, version: str, header: str, connection: str
) -> None:
    for kind in ("application/json", "image/png"):
        answer = await bench.raw(request(bench, header, f"Content-Type: {kind}", version=version))
        head, _, body = answer.decode().partition("\r\n\r\n")
        assert f"Connection: {connection}" in head.split("\r\n")
        assert f"Content-Length: {len(body)}" in head.split("\r\n")


async def test_an_http_1_0_client_may_keep_its_connection(bench: Bench) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    for _ in range(2):
        writer.write(request(bench, "Connection: keep-alive", version="1.0"))
        status, headers, _ = await answer_of(reader)
        assert (status, headers["Connection"]) == ("HTTP/1.1 200 OK", "keep-alive")
    writer.close()


async def test_pipelined_callbacks_are_answered_and_stored_in_their_order(bench: Bench) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    count = 100
    writer.write(b"".join(request(bench, number=number) for number in range(count)))
    for _ in range(count):
        assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"
    writer.close()
    ids = [event.id for _, event in await bench.records(Source.SHUMEI_AUDIO)]
    assert ids == [f"t_{number}" for number in range(count)]


async def test_a_client_that_never_reads_its_answers_is_cut_off(bench: Bench) -> None:
    refused = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" * 1000
    _reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port, limit=1024)

    async def send_without_end() -> None:
        while True:
            writer.write(refused)
            await writer.drain()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(send_without_end(), 20)
    counted = bench.counted()
    assert counted["received"] == counted["unknown_path"]
    writer.close()


async def test_the_answer_to_head_has_no_body(bench: Bench) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    head = f"HEAD {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    writer.write(head + request(bench))
    first = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert first.startswith("HTTP/1.1 405 Method Not Allowed\r\n")
    assert "Allow: POST\r\n" in first
    # What follows is the next answer, not a body.
    assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"
    writer.close()


async def test_a_client_that_waits_for_leave_to_send_its_body(bench: Bench) -> None:
    whole = request(bench, "Expect: 100-Continue")
    head, body = whole[: -len(BODY)], whole[-len(BODY) :]
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    writer.write(head)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"
    # A body that is too long is refused before it is sent.
    length = f"Content-Length: {len(BODY)}".encode()
    writer.write(head.replace(length, b"Content-Length: 99999999"))
    status, headers, _ = await answer_of(reader)
    assert (status, headers["Connection"]) == ("HTTP/1.1 413 Request Entity Too Large", "close")
    writer.close()


async def test_an_http_1_0_client_cannot_be_told_to_go_on(bench: Bench) -> None:
    whole = request(bench, "Expect: 100-continue", version="1.0")
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    writer.write(whole[: -len(BODY)])
    await bench.until({"received": 1})
    writer.write(whole[-len(BODY) :])
    assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"
    writer.close()


async def test_a_chunked_body_is_put_together(bench: Bench) -> None:
    head = f"POST {bench.path('shumei_audio')} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.receiver.port)
    writer.write(head.encode())
    await bench.until({"received": 1})
    for place in range(len(BODY)):
        writer.write(b"1\r\n" + BODY[place : place + 1] + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"
    [(_, event)] = await bench.records(Source.SHUMEI_AUDIO)
    assert event.data == BODY
    writer.close()


async def test_an_absolute_url_and_a_query_are_understood(bench: Bench) -> None:
    whole = (
        request(bench).replace(b"POST /", b"POST http://us.example/").replace(b" HTTP", b"?from=vendor HTTP")
    )
    assert (await bench.raw(whole.replace(b"Host: a", b"Host: a\r\nConnection: close"))).startswith(
        b"HTTP/1.1 200 OK"
    )


async def test_slow_headers_and_idle_connections_end_and_block_nobody(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_KEEPALIVE", 0.3)
    async with receiving(broker) as bench:
        idle = [await asyncio.open_connection("127.0.0.1", bench.receiver.port) for _ in range(200)]
        for _, writer in idle[::2]:
            writer.write(b"POST /v1/callbacks/shumei_audio HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        status, _, _ = await bench.post(Source.SHUMEI_AUDIO, BODY)
        assert status == 200
        async with asyncio.timeout(5):
            for reader, writer in idle:
                assert await reader.read() == b""
                writer.close()
        assert bench.counted() == {"received": 1, "published": 1}
