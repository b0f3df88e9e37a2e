"""Demands once more what was not carried out: actions whose last outcome is `failed`, under their own ids."""

import sys
import time
from contextlib import aclosing

import orjson

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.cli.progress import bar
from moderato.cli.publishing import press
from moderato.lifecycle import until_signal
from moderato.records import OutcomeState
from moderato.times import epoch

_BEFORE = 3600.0  # seconds that an action may have waited for its outcome
_INTERRUPTED = 130


async def retry(
    connection: Connection,
    *,
    since: float,
    until: float,
    tenant: str | None,
    executor: str | None,
    dry_run: bool,
) -> int:
    """Exit code 1 when some of them are not there any more."""
    ended = until_signal()
    failed: dict[str, None] = {}
    async with (
        history(connection, [topics.OUTCOMES], since=since, until=until) as opened,
        aclosing(opened.batches(ended)) as batches,
    ):
        with bar("outcomes", len(opened)) as advance:
            async for batch in batches:
                for record in batch:
                    _note(failed, record, tenant, executor)
                advance(len(batch))
    sent = late = 0
    async with (
        history(connection, [topics.ACTIONS], since=since - _BEFORE, until=until) as opened,
        press(connection, [topics.ACTIONS]) as out,
        aclosing(opened.batches(ended)) as batches,
    ):
        with bar("actions", len(opened)) as advance:
            async for batch in batches:
                messages = []
                for record in batch:
                    id = dict(record.headers).get("ce_id", b"").decode("utf-8", "replace")
                    if id not in failed:
                        continue
                    del failed[id]
                    if _too_late(record):
                        late += 1
                    else:
                        messages.append(
                            Message(topics.ACTIONS, record.key, record.value, list(record.headers))
                        )
                if messages and not dry_run:
                    await out.publish(messages)
                sent += len(messages)
                advance(len(batch))
    done = (
        "would be demanded once more (dry run: nothing was published)"
        if dry_run
        else "were demanded once more"
    )
    print(f"{sent:,} actions {done}; {late:,} have expired")
    if ended.is_set():
        print("stopped before the end", file=sys.stderr)
        return _INTERRUPTED
    if failed:
        print(f"{len(failed):,} are not there any more", file=sys.stderr)
    return int(bool(failed))


def _note(failed: dict[str, None], record: Record, tenant: str | None, executor: str | None) -> None:
    """Takes in one outcome; the last one of an action counts."""
    outcome = _object(record)
    id, state = outcome.get("action_id"), outcome.get("state")
    if not isinstance(id, str):
        return
    if state == OutcomeState.FAILED:
        if tenant in (None, outcome.get("tenant")) and executor in (None, outcome.get("executor")):
            failed[id] = None
    elif state in (OutcomeState.DONE, OutcomeState.EXPIRED):
        failed.pop(id, None)


def _too_late(record: Record) -> bool:
    expires = _object(record).get("expires_at")
    return isinstance(expires, str) and (epoch(expires) or 0.0) <= time.time()


def _object(record: Record) -> dict[str, object]:
    try:
        found = orjson.loads(record.value or b"null")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
