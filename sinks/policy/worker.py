"""The policy stage: consumes verdicts, evaluates the rules, emits actions."""

import asyncio
import collections
from collections.abc import Callable, Sequence
from functools import partial

import orjson

from moderato import metrics, topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.bus.stage import Results, Stage
from moderato.codec import encode
from moderato.dead_letters import dead_letter, reason_of, stack_of
from moderato.records import Action
from moderato.settings import Settings
from moderato.times import now
from sinks.events import opened, require_texts
from sinks.policy.evaluate import Evaluator
from sinks.policy.live import LivePolicy
from sinks.policy.loading import BUILT_IN

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


def role(settings: Settings, connection: Connection) -> "PolicyRole":
    """The policy as a role of a process. Raises Fatal that names every fault of the policy file."""
    return PolicyRole(settings, connection)


class PolicyRole:
    """The stage, and beside it the look at the policy file."""

    name = NAME

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._live = LivePolicy(settings.policy.file or BUILT_IN)
        self._following: asyncio.Task[None] | None = None
        self._stage = Stage(
            NAME,
            connection,
            consumes=[topics.VERDICTS],
            produces=[topics.ACTIONS, topics.DEAD_LETTERS],
            handle=PolicyWorker(lambda: self._live.evaluator).handle,
            limits=settings.dead_letters,
        )

    async def start(self) -> None:
        await self._stage.start()
        self._following = asyncio.create_task(self._live.follow(), name="policy file")

    def unready(self) -> str | None:
        return self._stage.unready()

    def note(self) -> str | None:
        """What is wrong with a policy file that is not in effect."""
        if self._live.refused:
            version = self._live.evaluator.policy.version
            return f"the policy {version} stays in effect: {'; '.join(self._live.refused.splitlines())}"
        return self._stage.note()

    def stuck(self) -> str | None:
        return self._stage.stuck()

    async def stop(self) -> None:
        if self._following:
            self._following.cancel()
        await self._stage.stop()


class PolicyWorker:
    """The handler of the stage. `current` gives the policy that is in effect; a batch is judged by one."""

    def __init__(self, current: Callable[[], Evaluator], clock: Callable[[], str] = now) -> None:
        self._current = current
        self._clock = clock

    async def handle(self, records: Sequence[Record]) -> Results:
        """One batch of verdicts -> actions and dead letters; a verdict that calls for nothing is ignored."""
        results = Results()
        demanded: collections.Counter[tuple[str, str]] = collections.Counter()
        at, evaluator = self._clock(), self._current()
        for record in records:
            try:
                messages = _messages(evaluator, record, at, demanded)
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
    evaluator: Evaluator, record: Record, at: str, demanded: collections.Counter[tuple[str, str]]
) -> list[Message]:
    event, verdict = opened(record, "verdict")
    require_texts(verdict, _REQUIRED)
    actions = evaluator.evaluate(verdict, at)
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
