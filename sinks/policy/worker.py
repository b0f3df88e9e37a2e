"""The policy stage: consumes verdicts, evaluates the rules, emits actions."""

import collections
from collections.abc import Callable, Sequence
from functools import partial

import orjson

from moderato import metrics, topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message
from moderato.bus.stage import Results, Stage
from moderato.codec import encode
from moderato.dead_letters import dead_letter, reason_of, stack_of
from moderato.records import Action
from moderato.settings import Settings
from moderato.times import now
from sinks.events import Record, opened, require_texts
from sinks.policy.evaluate import Evaluator
from sinks.policy.loading import BUILT_IN, load

NAME = "policy"

_REQUIRED = (
    "id",
    "source",
    "tenant",
    "decision",
    "severity",
    "category",
    "judge",
    "media",
    "occurred_at",
)


def role(settings: Settings, connection: Connection) -> Stage:
    """The policy as a role of a process. Raises Fatal that names every fault of the policy file."""
    worker = PolicyWorker(Evaluator(load(settings.policy.file or BUILT_IN)))
    return Stage(
        NAME,
        connection,
        consumes=[topics.VERDICTS],
        produces=[topics.ACTIONS, topics.DEAD_LETTERS],
        handle=worker.handle,
        limits=settings.dead_letters,
    )


class PolicyWorker:
    """The handler of the stage."""

    def __init__(self, evaluator: Evaluator, clock: Callable[[], str] = now) -> None:
        self._evaluator = evaluator
        self._clock = clock

    async def handle(self, records: Sequence[Record]) -> Results:
        """One batch of verdicts -> actions and dead letters; a verdict that calls for nothing is ignored."""
        results = Results()
        demanded: collections.Counter[tuple[str, str]] = collections.Counter()
        at = self._clock()
        for record in records:
            try:
                messages = self._messages(record, at, demanded)
            except Exception as error:
                reason, stack = reason_of(error), stack_of(error)
                results.dead_lettered += 1
                results.emit(
                    "dead_letter", dead_letter(record, stage=NAME, reason=reason, stack=stack, at=at)
                )
                continue
            for message in messages:
                results.emit("action", message)
            if messages:
                results.done += 1
            else:
                results.ignored += 1
        results.count = partial(_count, demanded)
        return results

    def _messages(
        self, record: Record, at: str, demanded: collections.Counter[tuple[str, str]]
    ) -> list[Message]:
        event, verdict = opened(record, "verdict")
        require_texts(verdict, _REQUIRED)
        actions = self._evaluator.evaluate(verdict, at)
        if not actions:
            return []
        traceparent = event.attribute("traceparent")
        messages = [_message(action, traceparent) for action in actions]
        demanded.update((action.type.value, action.mode) for action in actions)
        return messages


def _message(action: Action, traceparent: str | None) -> Message:
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


def _count(demanded: collections.Counter[tuple[str, str]]) -> None:
    for labels, number in demanded.items():
        metrics.ACTIONS.labels(*labels).inc(number)
