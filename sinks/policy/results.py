"""What both stages of the policy make of a batch: actions, and dead letters for what cannot be used."""

import collections
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import orjson
import structlog

from moderato import metrics, topics
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.bus.stage import Results
from moderato.codec import Event, encode
from moderato.dead_letters import dead_letter, reason_of, stack_of
from moderato.records import Action
from sinks.policy.brake_records import brake_message, tally_message
from sinks.policy.brakes import Brakes
from sinks.policy.shadow import Beside, besides

log = structlog.get_logger(__name__)

Demanded: TypeAlias = collections.Counter[tuple[str, str, bool, Beside | None]]
"""Actions by type and mode, whether they are braked, and what is enforced beside those in shadow mode."""


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


def action_messages(actions: Sequence[Action], event: Event, demanded: Demanded) -> list[tuple[str, Message]]:
    """The messages of the actions that a record calls for, which are counted in `demanded`."""
    demanded.update(
        (action.type.value, action.mode, action.braked is not None, beside)
        for action, beside in zip(actions, besides(actions), strict=True)
    )
    traceparent = event.attribute("traceparent")
    return [("action", action_message(action, traceparent)) for action in actions]


def emit_news(results: Results, brakes: Brakes, at: float) -> None:
    """Adds what the other processes have to know of the brakes; `at` is epoch seconds."""
    tally, pulled = brakes.news(at)
    if tally:
        results.emit("tally", tally_message(tally))
    for brake in pulled:
        log.warning("brake_pulled", tenant=brake.tenant, rule=brake.rule, reason=brake.reason)
        results.emit("brake", brake_message(brake))


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
    for (type_, mode, braked, beside), number in demanded.items():
        metrics.ACTIONS.labels(type_, mode).inc(number)
        if braked:
            metrics.BRAKED.labels(type_).inc(number)
        if beside:
            metrics.SHADOW.labels(beside).inc(number)
