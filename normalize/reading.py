"""What a mapping is given (`Raw`) and what it fills (`Reading`): the verdicts and signals of one raw record.

A mapping is one pure function `(Raw, Reading) -> None` in `normalize/mappings/<source>.py`: no I/O, no clock, and no
exception but `Unreadable`. `read` runs it and turns an `Unreadable` into the fail-safe verdict.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from moderato.records import (
    Decision,
    Evidence,
    Judge,
    Label,
    Mapping,
    Media,
    RawRef,
    Severity,
    Signal,
    SignalKind,
    Span,
    Verdict,
    record,
)
from moderato.sources import Source
from moderato.times import rfc3339
from normalize.payload import Unreadable
from normalize.scale import FAIL_SAFE, Candidate, Judgement, PeoplesDecision, Tables, VendorTable

SHANGHAI = ZoneInfo("Asia/Shanghai")
# Events of rooms and members belong to no moderation task: what keeps their order in Kafka is the room.
_OF_ROOMS = frozenset(
    (
        SignalKind.ROOM_CREATED,
        SignalKind.ROOM_CLOSED,
        SignalKind.USER_JOINED,
        SignalKind.USER_LEFT,
        SignalKind.USER_KICKED,
    )
)
_LEVELS = {severity: severity.level for severity in Severity}
# Cached, since the segments of all rooms that end in one second tell the same time.
_rfc3339 = lru_cache(maxsize=1024)(rfc3339)


@record
class Raw:
    """One raw record. `session_id`, `room` and `user` come from the session's token; `received_at` is RFC 3339."""

    source: Source
    tenant: str
    id: str
    body: bytes
    content_type: str
    received_at: str
    ref: RawRef
    task_id: str | None = None
    session_id: str | None = None
    room: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class TenantView:
    """What a tenant may set about mapping: its tables, and the zone of times that vendors give without one."""

    tables: Tables
    zone: ZoneInfo = SHANGHAI


class Reading:
    """The records of one raw record, as its mapping finds them."""

    __slots__ = (
        "_normalized_at",
        "_version",
        "faults",
        "occurred",
        "raw",
        "signals",
        "table",
        "tables",
        "verdicts",
        "zone",
    )

    def __init__(self, raw: Raw, view: TenantView, table: VendorTable, normalized_at: str) -> None:
        self.raw = raw
        self.tables = view.tables
        self.table = table
        self.zone = view.zone
        self.verdicts: list[Verdict] = []
        self.signals: list[Signal] = []
        self.occurred: list[float] = []
        """When the judged contents ended, in epoch seconds, of those verdicts whose record tells."""
        self.faults: list[str] = []
        """Why parts of the record could not be read; any makes a copy in the dead letters."""
        self._version = view.tables.version
        self._normalized_at = normalized_at

    def judge(
        self,
        decision: Decision,
        candidates: Sequence[Candidate],
        *,
        machine: bool = True,
        suspect_low: bool = False,
    ) -> Judgement:
        """`Tables.judge` for this record's source."""
        return self.tables.judge(
            self.raw.source, decision, candidates, machine=machine, suspect_low=suspect_low
        )

    def judge_people(self, verdict: PeoplesDecision, candidate: Candidate | None) -> Judgement:
        """`Tables.judge_people`."""
        return self.tables.judge_people(verdict, candidate)

    def verdict(
        self,
        judgement: Judgement,
        *,
        media: Media,
        task_id: str | None,
        segment_id: str | None = None,
        room: str | None = None,
        user: str | None = None,
        account: str | None = None,
        file: str | None = None,
        labels: Sequence[Label] = (),
        judge: Judge = Judge.MACHINE,
        text: str | None = None,
        keywords: Sequence[str] = (),
        evidence: Sequence[Evidence] = (),
        span: Span | None = None,
        occurred: float | None = None,
        final: bool = False,
    ) -> None:
        """Adds a verdict. `occurred`: the record's own time in epoch seconds, used when `span` is not on that clock.

        The token's room stands in for a missing one; the token's user does not, since null means the whole room,
        unless the mapping passes it."""
        raw, verdicts = self.raw, self.verdicts
        if span is not None and span.clock == "epoch":
            occurred = span.end
        occurred_at = None if occurred is None else _rfc3339(occurred)
        if occurred is not None and occurred_at is not None:
            self.occurred.append(occurred)
        severity = judgement.severity
        # One for each record, so by position: passing 30 names takes more than twice as long.
        verdicts.append(
            Verdict(
                f"{raw.id}#{len(verdicts)}",
                raw.source,
                raw.tenant,
                raw.session_id,
                task_id or raw.task_id,
                segment_id,
                room or raw.room,
                user,
                account,
                file,
                media,
                judgement.decision,
                severity,
                _LEVELS[severity],
                judgement.category,
                tuple(labels),
                judgement.confidence,
                judge,
                text,
                tuple(keywords),
                tuple(evidence),
                span,
                occurred_at or raw.received_at,
                raw.received_at,
                self._normalized_at,
                final,
                judgement.unmapped,
                judgement.degraded,
                Mapping(self._version, judgement.rules),
                raw.ref,
            )
        )

    def fail_safe(
        self,
        reason: str,
        *,
        media: Media,
        task_id: str | None = None,
        segment_id: str | None = None,
        room: str | None = None,
        user: str | None = None,
        account: str | None = None,
        file: str | None = None,
        occurred: float | None = None,
        final: bool = False,
        unreadable: bool = True,
    ) -> None:
        """Adds the fail-safe verdict: nobody judged this content, so a person must. `unreadable` False for a task
        that the vendor says failed: readable, so no dead letter."""
        if unreadable:
            self.faults.append(reason)
        self.verdict(
            FAIL_SAFE,
            media=media,
            task_id=task_id,
            segment_id=segment_id,
            room=room,
            user=user,
            account=account,
            file=file,
            occurred=occurred,
            final=final,
        )

    def dead_letter(self, reason: str) -> None:
        """Notes a fault and adds no verdict: of a record without content, or beside a verdict of the mapping's own."""
        self.faults.append(reason)

    def signal(
        self,
        kind: SignalKind,
        *,
        task_id: str | None = None,
        segment_id: str | None = None,
        room: str | None = None,
        user: str | None = None,
        code: str | None = None,
        message: str | None = None,
        text: str | None = None,
        span: Span | None = None,
        occurred: float | None = None,
    ) -> None:
        """Adds a signal. `code` and `message` are the vendor's."""
        raw = self.raw
        if span is not None and span.clock == "epoch":
            occurred = span.end
        self.signals.append(
            Signal(
                id=f"{raw.id}#s{len(self.signals)}",
                source=raw.source,
                tenant=raw.tenant,
                session_id=raw.session_id,
                kind=kind,
                task_id=None if kind in _OF_ROOMS else task_id or raw.task_id,
                segment_id=segment_id,
                room=room or raw.room,
                user=user,
                code=code,
                message=message,
                text=text,
                span=span,
                occurred_at=(None if occurred is None else rfc3339(occurred)) or raw.received_at,
                received_at=raw.received_at,
                normalized_at=self._normalized_at,
                raw=raw.ref,
            )
        )


Mapper = Callable[[Raw, Reading], None]

_NO_TABLE = VendorTable(version="none")


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """A registry entry: the mapping function, its vendor's table (None when it judges nothing), and the media of a
    fail-safe verdict for a body that cannot be read at all (None for a source without content: such a body is a
    dead letter only)."""

    read: Mapper
    table: str | None
    media: Media | None


def read(mapping: SourceMapping, raw: Raw, view: TenantView, normalized_at: str) -> Reading:
    """Runs a source's mapping over one raw record. What cannot be read is in the reading's `faults`."""
    table = view.tables.vendors[mapping.table] if mapping.table else _NO_TABLE
    reading = Reading(raw, view, table, normalized_at)
    try:
        mapping.read(raw, reading)
    except Unreadable as error:
        # What was found before the fault would be half a record: the whole is judged by a person instead.
        return unread(mapping, raw, view, normalized_at, str(error))
    return reading


def unread(mapping: SourceMapping, raw: Raw, view: TenantView, normalized_at: str, reason: str) -> Reading:
    """The reading of a record that cannot be read: the fail-safe verdict, or the fault alone without content."""
    reading = Reading(raw, view, _NO_TABLE, normalized_at)
    if mapping.media is None:
        reading.dead_letter(reason)
    else:
        reading.fail_safe(reason, media=mapping.media)
    return reading
