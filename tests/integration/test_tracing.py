"""One trace from a callback to its outcome, over all stages; and none where nobody asked for it."""

import asyncio
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from moderato import topics, tracing
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.cli import roles
from moderato.errors import Fatal
from moderato.lifecycle import running
from moderato.settings import Kafka, Settings
from tests.moderato.bus.support import read_all

TOKEN = "integration-test-token"
BODY = Path("tests/fixtures/shumei_audio/built_v4_nested_reject_politics.json").read_bytes()
SETTINGS = Settings(
    http={"host": "127.0.0.1", "port": 0},
    admin={"host": "127.0.0.1", "port": 0},
    tenants={"default": {"sources": {"shumei_audio": {"tokens": [TOKEN]}}}},
)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    spans = InMemorySpanExporter()
    made = tracing.Tracing(spans, sample=1.0)
    monkeypatch.setattr(tracing, "ACTIVE", made)
    yield spans
    made.stop()


@pytest.fixture
def connection(broker: EmbeddedBroker) -> Connection:
    return broker.connection(Kafka())


async def carried_out(connection: Connection, **headers: str) -> None:
    """One callback through all roles."""
    made = [roles.make(name, SETTINGS, connection) for name in roles.NAMES]
    async with running(made, SETTINGS), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{made[0].port}/v1/callbacks/shumei_audio/default/{TOKEN}"  # type: ignore[attr-defined]
        given = {"Content-Type": "application/json", **headers}
        async with session.post(url, data=BODY, headers=given) as response:
            assert response.status == 200
        await read_all(connection, topics.OUTCOMES, 1)


def finished(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    assert tracing.ACTIVE is not None
    tracing.ACTIVE._processor.force_flush(5000)
    return list(spans.get_finished_spans())


async def test_a_callback_and_all_that_comes_of_it_are_one_trace(
    connection: Connection, exporter: InMemorySpanExporter
) -> None:
    await carried_out(connection)
    spans = finished(exporter)
    [root] = [span for span in spans if span.parent is None]
    assert root.name == "callback shumei_audio"
    assert root.context is not None
    assert {span.context.trace_id for span in spans if span.context} == {root.context.trace_id}
    stages = {span.name for span in spans if span.parent and span.parent.span_id == root.context.span_id}
    assert stages >= {
        "process moderation.raw.shumei_audio",
        "process moderation.verdicts",
        "process moderation.actions",
    }
    [raw] = [span for span in spans if span.name == "process moderation.raw.shumei_audio"]
    assert raw.attributes is not None
    assert raw.attributes["messaging.system"] == "kafka"
    assert raw.attributes["messaging.consumer.group.name"] == "moderato.normalizer"
    assert raw.attributes["messaging.kafka.offset"] == 0
    assert raw.start_time is not None
    assert raw.end_time is not None
    assert raw.start_time <= raw.end_time


async def test_a_callers_own_trace_goes_on(connection: Connection, exporter: InMemorySpanExporter) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    await carried_out(connection, traceparent=f"00-{trace}-{parent}-00")
    spans = finished(exporter)
    assert {format_trace_id(span.context.trace_id) for span in spans if span.context} == {trace}
    [root] = [span for span in spans if span.name == "callback shumei_audio"]
    assert root.parent is not None
    assert format_span_id(root.parent.span_id) == parent


async def test_what_is_not_sampled_makes_no_span_in_any_stage(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = InMemorySpanExporter()
    made = tracing.Tracing(spans, sample=0.0)
    monkeypatch.setattr(tracing, "ACTIVE", made)
    await carried_out(connection)
    assert finished(spans) == []
    made.stop()


def test_nothing_of_it_is_imported_where_it_is_off() -> None:
    script = (
        "import sys, ingest.receiver, normalize.worker, sinks.policy.worker, sinks.enforce.worker\n"
        "from moderato import tracing; from moderato.settings import Settings\n"
        "tracing.start(Settings()); tracing.stop()\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes what is exported, and notes where it came and with which key."""

    taken: list[tuple[str, str | None, bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.append((self.path, self.headers["x-key"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_what_is_configured_is_sent_to_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    Collector.taken.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}/"
        settings = Settings(tracing={"endpoint": endpoint, "sample": 1, "headers": {"x-key": "hush-hush"}})
        assert "hush" not in repr(settings)
        monkeypatch.setattr(tracing, "ACTIVE", None)
        tracing.start(settings)
        assert tracing.ACTIVE is not None
        tracing.ACTIVE.callback("shumei_audio", None, 1_764_000_000.0).end()
        tracing.stop()
        server.shutdown()
        serving.join()
    assert tracing.ACTIVE is None
    [(path, key, body)] = Collector.taken
    assert (path, key) == ("/v1/traces", "hush-hush")
    assert b"callback shumei_audio" in body


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(Fatal, match=r"pip install 'moderato\[tracing\]'"):
        tracing.start(Settings(tracing={"endpoint": "http://127.0.0.1:4318"}))


async def test_a_collector_that_is_away_holds_up_nothing(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tracing.Tracing(OTLPSpanExporter("http://127.0.0.1:1/v1/traces", timeout=1), sample=1.0)
    monkeypatch.setattr(tracing, "ACTIVE", made)
    async with asyncio.timeout(30):
        await carried_out(connection)
    await asyncio.to_thread(made.stop)


@pytest.mark.parametrize(("traceparent", "id"), [(None, None), ("nonsense", None), ("00-abc-def-01", "abc")])
def test_the_id_of_a_trace(traceparent: str | None, id: str | None) -> None:
    assert tracing.trace_id(traceparent) == id
