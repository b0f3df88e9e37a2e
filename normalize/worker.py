"""The normalizer: consumes raw records in batches, maps them in a tight loop, emits verdicts, signals and dead letters.

This is the hot module of the stage: no await, no log line and no metric a record.
"""

import collections
import operator
import time
from collections.abc import Callable, Sequence

import orjson

from moderato import metrics, topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.bus.stage import Results, Stage
from moderato.codec import Event, decode, encode
from moderato.dead_letters import dead_letter, reason_of, stack_of
from moderato.errors import Poison
from moderato.records import RawRef, Signal, Verdict
from moderato.settings import Settings
from moderato.sources import Source
from moderato.times import now
from normalize.mappings import MAPPINGS
from normalize.reading import Raw, Reading, TenantView, read, unread
from normalize.scale import BUILT_IN, built_in, load

NAME = "normalizer"
_MAX_VALUE_BYTES = (
    1_500_000  # a record written must fit its topic: max.message.bytes less headers and batch overhead
)


def role(settings: Settings, connection: Connection) -> Stage:
    """The normalizer as a role of a process. Raises Fatal that names every fault of every tenant's tables."""
    normalizer = Normalizer(tenant_views(settings))
    return Stage(
        NAME,
        connection,
        consumes=[topics.raw(source) for source in Source],
        produces=[topics.VERDICTS, topics.SIGNALS, topics.DEAD_LETTERS],
        handle=normalizer.handle,
        limits=settings.dead_letters,
    )


def tenant_views(settings: Settings) -> dict[str, TenantView]:
    """Each tenant's tables and time zone."""
    return {
        name: TenantView(load(BUILT_IN, tenant.tables) if tenant.tables else built_in(), tenant.timezone)
        for name, tenant in settings.tenants.items()
    }


_sort_of = operator.attrgetter(
    "source", "tenant", "severity", "category", "decision", "judge", "unmapped", "degraded"
)
_SOURCES = {str(source): source for source in Source}


class Normalizer:
    """`views` by tenant; one that is not in it (any more) gets `default`: the tables that ship with Moderato."""

    def __init__(
        self,
        views: dict[str, TenantView],
        clock: Callable[[], str] = now,
        default: TenantView | None = None,
    ) -> None:
        self._views = views
        self._default = default or TenantView(built_in())
        self._clock = clock

    async def handle(self, records: Sequence[Record]) -> Results:
        """One batch of raw records -> verdicts, signals and dead letters."""
        results = Results()
        tally = _Tally()
        at = self._clock()
        for record in records:
            try:
                event = decode(record.headers, record.value)
                raw = _raw(record, event, at)
            except Poison as error:
                results.dead_lettered += 1
                results.emit("dead_letter", dead_letter(record, stage=NAME, reason=str(error), at=at))
                continue
            reading, messages, stack = self._read(raw, at, event.attribute("traceparent"))
            results.messages += messages
            if reading.faults:
                results.dead_lettered += 1
                reason = "; ".join(reading.faults)
                results.emit(
                    "dead_letter", dead_letter(record, stage=NAME, reason=reason, stack=stack, at=at)
                )
            elif messages:
                results.done += 1
            else:
                results.ignored += 1
            tally.add(reading)
        results.kinds.update(tally.kinds())
        results.count = tally.count
        return results

    def reading(self, record: Record) -> Reading:
        """What one raw record gives, as `handle` has it. Raises Poison for what is no raw record of a known source."""
        at = self._clock()
        raw = _raw(record, decode(record.headers, record.value), at)
        return self._read(raw, at, None)[0]

    def _read(self, raw: Raw, at: str, traceparent: str | None) -> tuple[Reading, list[Message], str | None]:
        """The reading, its messages, and the stack of a fault of ours."""
        mapping, view = MAPPINGS[raw.source], self._views.get(raw.tenant, self._default)
        try:
            reading = read(mapping, raw, view, at)
            return reading, _messages(reading, traceparent), None
        except Exception as error:
            # A fault of ours in a mapping: the content reaches a person, the record a replay, and the rest goes on.
            reading = unread(mapping, raw, view, at, reason_of(error))
            stack = stack_of(error)
        return reading, _messages(reading, traceparent), stack


def _raw(record: Record, event: Event, at: str) -> Raw:
    """A consumed record as a mapping wants it. Raises Poison when it is no raw record of a known source."""
    if event.kind != "raw":
        raise Poison(f"not a raw record: ce_type {event.type[:60]!r}")
    source = _SOURCES.get(event.source)
    if source is None:
        raise Poison(f"unknown source {event.source[:60]!r}")
    get = event.attributes.get
    task = get("ce_partitionkey", "").partition("/")[2]
    return Raw(
        source,
        get("ce_tenant") or "default",
        event.id,
        event.data,
        event.content_type,
        event.time or at,
        RawRef(record.topic, record.partition, record.offset, event.id),
        # A body that names no task is keyed by its own id, so that it has a place at all.
        task if task and task != event.id else None,
        get("ce_sessionid"),
        get("ce_room"),
        get("ce_user"),
    )


def _messages(reading: Reading, traceparent: str | None) -> list[Message]:
    made = [_message(topics.VERDICTS, "verdict", item, traceparent) for item in reading.verdicts]
    if reading.signals:
        made += [_message(topics.SIGNALS, "signal", item, traceparent) for item in reading.signals]
    return made


def _message(topic: str, kind: str, item: Verdict | Signal, traceparent: str | None) -> Message:
    """Raises Poison when the record would be too large for its topic."""
    value = orjson.dumps(item)
    if len(value) > _MAX_VALUE_BYTES:
        raise Poison(f"its {kind} would be {len(value)} bytes long, more than {_MAX_VALUE_BYTES}")
    key = f"{item.tenant}/{item.room or item.task_id or item.raw.id}"
    headers = encode(
        kind,
        id=item.id,
        source=item.source,
        tenant=item.tenant,
        key=key,
        time=item.normalized_at,
        session_id=item.session_id,
        traceparent=traceparent,
    )
    return Message(topic, key.encode(), value, headers)


class _Tally:
    """Business metrics of one batch: noted in plain containers, and handed to Prometheus once."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[str, str, str, str, str, str, bool, bool], int] = {}
        self._signals: collections.Counter[tuple[str, str]] = collections.Counter()
        self._ages: collections.defaultdict[str, list[float]] = collections.defaultdict(list)

    def add(self, reading: Reading) -> None:
        verdicts = self._verdicts
        for verdict in reading.verdicts:
            sort = _sort_of(verdict)
            verdicts[sort] = verdicts.get(sort, 0) + 1
        for signal in reading.signals:
            self._signals[signal.source, signal.kind] += 1
        if reading.occurred:
            self._ages[reading.raw.source] += reading.occurred

    def kinds(self) -> dict[str, int]:
        """How many records of each kind there are."""
        return {"verdict": sum(self._verdicts.values()), "signal": self._signals.total()}

    def count(self) -> None:
        for verdict, number in self._verdicts.items():
            source, tenant, severity, category, decision, judge, unmapped, degraded = verdict
            metrics.VERDICTS.labels(source, severity, category).inc(number)
            metrics.DECISIONS.labels(source, decision, judge).inc(number)
            metrics.TENANT_VERDICTS.labels(tenant, severity).inc(number)
            metrics.UNMAPPED.labels(source).inc(number * unmapped)
            metrics.DEGRADED.labels(source).inc(number * degraded)
        for signal, number in self._signals.items():
            metrics.SIGNALS.labels(*signal).inc(number)
        now = time.time()
        for source, occurred in self._ages.items():
            metrics.VERDICT_AGE.observe(source, (max(0.0, now - moment) for moment in occurred))
