"""The enforcer: consumes actions, carries each out or says why not, emits one outcome for each.

Actions on one target happen in order, those on different targets side by side. Everything has a deadline: a batch takes
half a minute at most, whatever the endpoints do, and so stays far below the time after which Kafka would take a
consumer for dead.
"""

import asyncio
import collections
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import orjson
import structlog
from structlog.contextvars import bound_contextvars

from moderato import metrics, topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.bus.stage import Results, Stage
from moderato.codec import encode
from moderato.dead_letters import dead_letter
from moderato.errors import Fatal, Poison
from moderato.records import ActionType, Outcome, OutcomeState
from moderato.settings import Settings
from moderato.sources import Source
from moderato.times import epoch, rfc3339
from moderato.tracing import trace_id
from sinks.enforce import sessions
from sinks.enforce.executor import Result
from sinks.enforce.orders import Order, read_order
from sinks.enforce.recent import Past, Recent, carried_out, past
from sinks.enforce.registry import Executor, Routes

log = structlog.get_logger(__name__)

NAME = "enforcer"

_BATCH_RECORDS = 100
_BATCH_BUDGET = 30.0  # seconds
_ACTION_BUDGET = 12.0  # seconds
_GRACE = 1.0  # seconds that an executor may be late before it is cut off
_TYPES = frozenset(map(str, ActionType))
_RETRY = 2.0  # seconds until the outcomes are asked for again, when Kafka did not give them
_NOBODY = "none"  # the executor of an action that none was asked to carry out


def role(settings: Settings, connection: Connection) -> "EnforcerRole":
    """The enforcer as a role of a process."""
    return EnforcerRole(settings, connection)


class EnforcerRole:
    """The stage, and the connections of the executors around its life."""

    name = NAME

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._tenants = settings.tenants
        self._routes = Routes()
        self._stage = Stage(
            NAME,
            connection,
            consumes=[topics.ACTIONS],
            produces=[topics.OUTCOMES, topics.SESSION_REQUESTS, topics.DEAD_LETTERS],
            handle=Enforcer(
                self._routes.of, past(connection), stops_sessions=settings.sessions is not None
            ).handle,
            batch=_BATCH_RECORDS,
            limits=settings.dead_letters,
        )

    async def start(self) -> None:
        """Opens every tenant's executor, then consumes. Raises Fatal for settings that cannot be used."""
        await self._routes.open(self._tenants)
        await self._stage.start()

    def unready(self) -> str | None:
        return self._stage.unready()

    def note(self) -> str | None:
        return self._stage.note()

    def stuck(self) -> str | None:
        return self._stage.stuck()

    async def stop(self) -> None:
        """Finishes the batch in hand before the connections go."""
        try:
            await self._stage.stop()
        finally:
            await self._routes.close()


class Enforcer:
    """The handler of the stage. `route` gives the executor of an order, if there is one; `past` opens
    what became of earlier ones; `clock` epoch seconds. With
    `stops_sessions` an order to stop a session goes to the session's controller."""

    def __init__(
        self,
        route: Callable[[Order], Executor | None],
        past: Past,
        clock: Callable[[], float] = time.time,
        *,
        stops_sessions: bool = False,
    ) -> None:
        self._route = route
        self._past = past
        self._stops_sessions = stops_sessions
        self._clock = clock
        self._recent = Recent()
        self._expected: dict[int, int] = {}  # by partition: the offset that comes next

    async def handle(self, records: Sequence[Record]) -> Results:
        """One batch of actions -> as many outcomes, and dead letters for what is no action."""
        await self._recall(records)
        results = Results()
        queues: collections.defaultdict[str, list[Order]] = collections.defaultdict(list)
        for record in records:
            try:
                order = read_order(record)
            except Poison as error:
                at = rfc3339(self._clock()) or ""
                results.dead_lettered += 1
                results.emit("dead_letter", dead_letter(record, stage=NAME, reason=str(error), at=at))
            else:
                results.done += 1
                queues[order.key].append(order)
        end = asyncio.get_running_loop().time() + _BATCH_BUDGET
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._in_order(orders, end)) for orders in queues.values()]
        settled = [each for task in tasks for each in task.result()]
        for order, outcome in settled:
            results.emit("outcome", _message(order, outcome))
            if outcome.executor == sessions.NAME:
                results.emit("session_request", sessions.message(order, outcome.finished_at))
        results.count = partial(_count, [outcome for _, outcome in settled])
        return results

    async def _recall(self, records: Sequence[Record]) -> None:
        """Remembers what others carried out of partitions that do not go on where they stood."""
        strange: set[int] = set()
        for record in records:
            if self._expected.get(record.partition) != record.offset:
                strange.add(record.partition)
            self._expected[record.partition] = record.offset + 1
        while strange:
            try:
                async with self._past(strange) as batches:
                    async for batch in batches:
                        for outcome in batch:
                            if id := carried_out(outcome):
                                self._recent.add(id)
                        await asyncio.sleep(0)
                return
            except Fatal as error:
                log.warning("outcomes_not_read", error=str(error), wait=_RETRY)
                await asyncio.sleep(_RETRY)

    async def _in_order(self, orders: Sequence[Order], end: float) -> list[tuple[Order, Outcome]]:
        return [(order, await self._settle(order, end)) for order in orders]

    async def _settle(self, order: Order, end: float) -> Outcome:
        if (state := self._needless(order)) is None:
            if self._stops_sessions and sessions.concerns(order):
                self._recent.add(order.id)
                return self._outcome(order, sessions.NAME, sessions.result())
            executor = self._route(order)
            if executor is None:
                detail = f"no route of the tenant takes {order.type}"
                return self._outcome(order, _NOBODY, Result(OutcomeState.UNSUPPORTED, 0, detail))
            async with executor.slots:
                # It may have become too late while others were carried out.
                if (state := self._needless(order)) is None:
                    result = await self._execute(executor, order, end)
                    if result.state is OutcomeState.DONE:
                        self._recent.add(order.id)
                    return self._outcome(order, executor.name, result)
        return self._outcome(
            order, _NOBODY, Result(state, 0, order.braked if state is OutcomeState.BRAKED else None)
        )

    def _needless(self, order: Order) -> OutcomeState | None:
        """The state of an action that is not to be carried out; None for one that is."""
        if order.expires is not None and self._clock() >= order.expires:
            return OutcomeState.EXPIRED
        if order.mode != "enforce":
            return OutcomeState.SHADOW
        if order.braked:
            return OutcomeState.BRAKED
        return OutcomeState.DUPLICATE if order.id in self._recent else None

    async def _execute(self, executor: Executor, order: Order, end: float) -> Result:
        now = asyncio.get_running_loop().time()
        until = min(now + _ACTION_BUDGET, end)
        if order.expires is not None:
            until = min(until, now + order.expires - self._clock())
        if until <= now:
            detail = f"not tried: the actions before it took {_BATCH_BUDGET:.0f} s"
            return Result(OutcomeState.FAILED, 0, detail)
        try:
            # The trace that an operator has in hand leads to what its executors say.
            with bound_contextvars(trace_id=trace_id(order.traceparent)):
                async with asyncio.timeout_at(until + _GRACE):
                    return await executor.carry_out(order, until)
        except TimeoutError:
            return Result(OutcomeState.FAILED, 1, f"no result within {until + _GRACE - now:.0f} s")
        except Exception as error:
            # A fault of ours in an executor fails this action; the rest goes on.
            log.exception("executor_failed", executor=executor.name, action_id=order.id)
            return Result(OutcomeState.FAILED, 1, f"the executor failed: {type(error).__name__}")

    def _outcome(self, order: Order, executor: str, result: Result) -> Outcome:
        return Outcome(
            # The record's place tells an action's repetitions apart; the same record has the same outcome id again.
            id=f"{order.id}@{order.place}",
            action_id=order.id,
            tenant=order.tenant,
            type=cast(ActionType, order.type),
            state=result.state,
            executor=executor,
            target=order.target,
            attempts=result.attempts,
            detail=result.detail,
            occurred_at=order.occurred_at,
            created_at=order.created_at,
            finished_at=rfc3339(self._clock()) or "",
            rule=order.rule,
        )


def _message(order: Order, outcome: Outcome) -> Message:
    headers = encode(
        "outcome",
        id=outcome.id,
        source=cast(Source, order.source),
        tenant=order.tenant,
        key=order.key,
        time=outcome.finished_at,
        session_id=order.session_id,
        traceparent=order.traceparent,
    )
    return Message(topics.OUTCOMES, order.key.encode(), orjson.dumps(outcome), headers)


def _count(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        # A word from a newer version is no new series.
        type_ = outcome.type if outcome.type in _TYPES else "unknown"
        metrics.OUTCOMES.labels(type_, outcome.state, outcome.executor).inc()
        start, end = epoch(outcome.occurred_at), epoch(outcome.finished_at)
        if outcome.state is OutcomeState.DONE and start is not None and end is not None:
            metrics.OUTCOME_AGE.labels(type_).observe(max(0.0, end - start))
