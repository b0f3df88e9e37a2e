"""What both stages of the policy make of a batch: actions, and dead letters for what cannot be used."""

import collections
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import orjson

from moderato import metrics, topics
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.bus.stage import Results
from moderato.codec import encode
from moderato.dead_letters import dead_letter, reason_of, stack_of
from moderato.records import Action

Demanded: TypeAlias = collections.Counter[tuple[str, str]]
"""Actions by type and mode."""


def results_of(
    records: Sequence[Record],
    stage: str,
    at: str,
    make: Callable[[Record, Demanded], list[tuple[str, Message]]],
) -> Results:
    """`make` gives the messages of one record with their kinds, and counts its actions; what it raises makes a dead
    letter. A record without messages is ignored. `at` is RFC 3339."""
    results = Results()
    demanded: Demanded = collections.Counter()
    for record in records:
        try:
            messages = make(record, demanded)
        except Exception as error:
            reason, stack = reason_of(error), stack_of(error)
            results.dead_lettered += 1
            results.emit("dead_letter", dead_letter(record, stage=stage, reason=reason, stack=stack, at=at))
            continue
        for kind, message in messages:
            results.emit(kind, message)
        if messages:
            results.done += 1
        else:
            results.ignored += 1
    results.count = partial(_count, demanded)
    return results


def action_message(action: Action, traceparent: str | None) -> Message:
    """The message of an action, keyed by tenant and target."""
    key = f"{action.tenant}/{action.target.id}"
    headers = encode(
        "action",
        id=action.id,
        source=action.source,
        tenant=action.tenant,
        key=key,
        time=action.created_at,
        session_id=action.session_id,
        traceparent=traceparent,
    )
    return Message(topics.ACTIONS, key.encode(), orjson.dumps(action), headers)


def _count(demanded: Demanded) -> None:
    for labels, number in demanded.items():
        metrics.ACTIONS.labels(*labels).inc(number)
