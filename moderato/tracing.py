"""One trace from a callback to what became of it: a span in the receiver and one in each stage that its records go
through, held together by the W3C traceparent that rides in the records.

`ACTIVE` is None unless `tracing` is configured, and nothing of OpenTelemetry is imported then: who is on a hot path
looks there once a request, or once a batch. Attributes follow the semantic conventions for messaging.
https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from moderato.errors import Fatal
from moderato.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

    from moderato.bus.record import Record

_FLUSH_MS = 5000
_HEADER = "ce_traceparent"


@dataclass(frozen=True, slots=True)
class Begun:
    """The span of a callback; what it gives is made children of it by `traceparent`."""

    span: Span
    traceparent: str

    def end(self) -> None:
        """The callback has been answered."""
        self.span.end()


class Tracing:
    """Makes spans, and sends them to a collector in the background; those that it does not take are dropped."""

    def __init__(self, exporter: SpanExporter, sample: float) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, TraceIdRatioBased
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create(
            {
                "service.name": "moderato",
                "service.version": version("moderato"),
                "service.instance.id": socket.gethostname(),
            }
        )
        share = TraceIdRatioBased(sample)
        # A vendor that sends a traceparent of its own does not decide how much we keep.
        first = ParentBased(share, remote_parent_sampled=share, remote_parent_not_sampled=share)
        self._processor = BatchSpanProcessor(exporter)
        self._tracers = []
        # What a stage is given has been decided on already.
        for sampler in (first, ALWAYS_ON):
            provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
            provider.add_span_processor(self._processor)
            self._tracers.append(provider.get_tracer("moderato", version("moderato")))
        self._propagator = TraceContextTextMapPropagator()

    def callback(self, source: str, traceparent: str | None, at: float) -> Begun:
        """The span of a callback that began at `at`, epoch seconds; `traceparent` is the caller's, if it sent one."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        span = self._tracers[0].start_span(
            f"callback {source}",
            self._context(traceparent),
            SpanKind.SERVER,
            {"moderato.source": source},
            start_time=_nanoseconds(at),
        )
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(span))
        return Begun(span, carrier["traceparent"])

    def processed(
        self, stage: str, group: str, records: Sequence[Record], began: float, ended: float
    ) -> None:
        """The spans of one batch of a stage, of the records that are traced; times in epoch seconds."""
        from opentelemetry.trace import SpanKind

        for record in records:
            traceparent = traceparent_of(record)
            if traceparent is None:
                continue
            attributes: dict[str, Any] = {
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "messaging.consumer.group.name": group,
                "messaging.batch.message_count": len(records),
                "moderato.stage": stage,
            }
            span = self._tracers[1].start_span(
                f"process {record.topic}",
                self._context(traceparent),
                SpanKind.CONSUMER,
                attributes,
                start_time=_nanoseconds(began),
            )
            span.end(_nanoseconds(ended))

    def stop(self) -> None:
        """Sends what there is, within seconds."""
        self._processor.force_flush(_FLUSH_MS)
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _context(self, traceparent: str | None) -> Context | None:
        return self._propagator.extract({"traceparent": traceparent}) if traceparent else None


ACTIVE: Tracing | None = None


def start(settings: Settings) -> None:
    """Traces from now on, when that is configured. Raises Fatal when the extra is not there."""
    global ACTIVE
    if settings.tracing is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise Fatal("tracing: the extra is not installed: pip install 'moderato[tracing]'") from None
    headers = {name: secret.get_secret_value() for name, secret in settings.tracing.headers.items()}
    exporter = OTLPSpanExporter(f"{settings.tracing.endpoint}/v1/traces", headers=headers, timeout=5)
    ACTIVE = Tracing(exporter, settings.tracing.sample)


def stop() -> None:
    """Traces no more."""
    global ACTIVE
    if ACTIVE is not None:
        ACTIVE.stop()
        ACTIVE = None


def traceparent_of(record: Record) -> str | None:
    """That of a record of a trace that is kept."""
    for name, value in record.headers:
        if name == _HEADER and value:
            text = value.decode("ascii", "replace")
            return text if _is_kept(text) else None
    return None


def _is_kept(traceparent: str) -> bool:
    """By the lowest of the flags; the others may say something as well."""
    try:
        return bool(int(traceparent.rpartition("-")[2], 16) & 1)
    except ValueError:
        return False


def trace_id(traceparent: str | None) -> str | None:
    """For a log line."""
    parts = traceparent.split("-") if traceparent else []
    return parts[1] if len(parts) == 4 else None


def _nanoseconds(at: float) -> int:
    return int(at * 1e9)
