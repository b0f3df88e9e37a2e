"""Reads raw bodies as receiver and normalizer would, without HTTP, Kafka and signatures."""

import base64
import binascii
from pathlib import Path
from typing import NamedTuple

import orjson

from ingest.callbacks import identify
from moderato import topics
from moderato.records import RawRef, Signal, Verdict
from moderato.settings import load
from moderato.sources import Source
from moderato.times import now
from normalize.mappings import MAPPINGS
from normalize.reading import Raw, Reading, TenantView, read, unread
from normalize.scale import built_in
from normalize.worker import tenant_views

TENANT = "default"

_SOURCES = {str(source): source for source in Source}


class Explained(NamedTuple):
    """What one body gave: the records, and each as JSON `{"kind", "record"}`."""

    reading: Reading
    lines: list[bytes]


class Body(NamedTuple):
    """One body as it came over HTTP."""

    source: Source
    content_type: str
    body: bytes


class BrokenLine(ValueError):
    """A line that is not `{"source", "content_type", "body_b64"}`; the message says what is wrong with it."""


class Reader:
    """Reads bodies of any source for one tenant."""

    def __init__(self, view: TenantView) -> None:
        self._view = view

    @classmethod
    def configured(cls, path: Path | None) -> "Reader":
        """With the tables and the time zone of the tenant `default`, if it is configured. Raises Fatal."""
        settings = load(path)
        tenants = {name: tenant for name, tenant in settings.tenants.items() if name == TENANT}
        views = tenant_views(settings.model_copy(update={"tenants": tenants}))
        return cls(views.get(TENANT) or TenantView(built_in()))

    def explain(self, given: Body, offset: int = 0) -> Explained:
        """The records of one body; `offset` is that of the raw record they refer to. Never raises."""
        at = now()
        identity = identify(given.source, given.body, given.content_type)
        raw = Raw(
            source=given.source,
            tenant=TENANT,
            id=identity.id,
            body=given.body,
            content_type=given.content_type,
            received_at=at,
            ref=RawRef(topics.raw(given.source), 0, offset, identity.id),
            task_id=identity.task if identity.task != identity.id else None,  # no task is named then
        )
        mapping = MAPPINGS[given.source]
        try:
            return _explained(read(mapping, raw, self._view, at))
        except Exception as error:
            # As the normalizer does with a fault of ours: a person judges the content.
            reason = f"the mapping failed: {type(error).__name__}: {error}"
            return _explained(unread(mapping, raw, self._view, at, reason))


def _explained(reading: Reading) -> Explained:
    lines = [_line("verdict", verdict) for verdict in reading.verdicts]
    lines += [_line("signal", signal) for signal in reading.signals]
    return Explained(reading, lines)


def _line(kind: str, record: Verdict | Signal) -> bytes:
    return orjson.dumps({"kind": kind, "record": record})


def parse_line(line: bytes) -> Body:
    """One line of `--jsonl`. Raises BrokenLine."""
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BrokenLine(f"not JSON: {error}") from None
    if not isinstance(given, dict):
        raise BrokenLine("a JSON object is due")
    source = _SOURCES.get(str(given.get("source")))
    if source is None:
        raise BrokenLine(_unknown(given.get("source")))
    content_type = given.get("content_type") or ""
    if not isinstance(content_type, str):
        raise BrokenLine("content_type: text is due")
    encoded = given.get("body_b64")
    if not isinstance(encoded, str):
        raise BrokenLine("body_b64: text in base64 is due")
    try:
        return Body(source, content_type, base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BrokenLine(f"body_b64: not base64: {error}") from None


def _unknown(source: object) -> str:
    known = ", ".join(Source)
    return f"source: {f'{source!r:.60} is not one' if source else 'missing'} (there are: {known})"


def answer_line(number: int, line: bytes, reader: Reader) -> tuple[bytes, str | None]:
    """The answer to one line of `--jsonl` as JSON `{"n", "records"}`, and what is wrong with the line if anything."""
    try:
        given = parse_line(line)
    except BrokenLine as error:
        fault = str(error)
        return orjson.dumps({"n": number, "records": [], "error": fault}), fault
    return b'{"n":%d,"records":[%b]}' % (number, b",".join(reader.explain(given, number).lines)), None
