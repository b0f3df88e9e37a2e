"""The policy stage: consumes verdicts, evaluates the rules, emits actions, and strikes for the rules that count."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from moderato import metrics, topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.bus.stage import Results, Stage
from moderato.codec import Event, encode
from moderato.settings import Settings
from moderato.times import epoch, now
from sinks.events import opened, require_texts, text_in
from sinks.feedback.live import Feedback
from sinks.policy import counter
from sinks.policy.brake_log import BrakeLog
from sinks.policy.brakes import Brakes
from sinks.policy.evaluate import Evaluator
from sinks.policy.live import LivePolicy
from sinks.policy.loading import BUILT_IN
from sinks.policy.results import Demanded, action_messages, emit_news, results_of
from sinks.policy.shadow import BESIDE

NAME = "policy"

REQUIRED = (
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
    """The stage, the one that counts its strikes, and beside them the look at the policy file."""

    name = NAME

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._live = LivePolicy(settings.policy.file or BUILT_IN)
        for beside in BESIDE:
            metrics.SHADOW.labels(beside)  # 0, and not nothing, while no rule in shadow mode has acted
        self._following: asyncio.Task[None] | None = None
        self.brakes = Brakes(secrets.token_hex(8))
        """Those of this process, as they are now."""
        self._brake_log = BrakeLog(
            connection, self.brakes, lambda: self._live.evaluator.policy.limits.longest
        )
        self._stage = Stage(
            NAME,
            connection,
            consumes=[topics.VERDICTS],
            produces=[topics.ACTIONS, topics.STRIKES, topics.BRAKES, topics.TALLIES, topics.DEAD_LETTERS],
            handle=PolicyWorker(lambda: self._live.evaluator, self.brakes).handle,
            limits=settings.dead_letters,
        )
        self._counting = Stage(
            counter.NAME,
            connection,
            consumes=[topics.STRIKES],
            produces=[topics.ACTIONS, topics.BRAKES, topics.TALLIES, topics.DEAD_LETTERS],
            handle=counter.Counter(
                lambda: self._live.evaluator, counter.past(connection), self.brakes
            ).handle,
            limits=settings.dead_letters,
        )

    async def start(self) -> None:
        self.brakes.use(self._live.evaluator.policy)
        await self._brake_log.start()
        await self._stage.start()
        await self._counting.start()
        self._following = asyncio.create_task(self._live.follow(), name="policy file")

    def unready(self) -> str | None:
        return self._stage.unready() or self._counting.unready() or self._brake_log.unready()

    def note(self) -> str | None:
        """What is wrong with a policy file that is not in effect."""
        if self._live.refused:
            version = self._live.evaluator.policy.version
            return f"the policy {version} stays in effect: {'; '.join(self._live.refused.splitlines())}"
        return self._stage.note() or self._counting.note()

    def stuck(self) -> str | None:
        return self._stage.stuck() or self._counting.stuck()

    async def stop(self) -> None:
        if self._following:
            self._following.cancel()
        await asyncio.gather(self._stage.stop(), self._counting.stop())
        await self._brake_log.stop()


class PolicyWorker:
    """The handler of the stage. `current` gives the policy that is in effect; a batch is judged by one."""

    def __init__(
        self, current: Callable[[], Evaluator], brakes: Brakes, clock: Callable[[], str] = now
    ) -> None:
        self._current = current
        self._brakes = brakes
        self._clock = clock
        # Here, since all verdicts on a room come to one process, opened already.
        self._feedback = Feedback()

    async def handle(self, records: Sequence[Record]) -> Results:
        """One batch of verdicts -> actions, strikes and dead letters; a verdict that calls for nothing is ignored."""
        at, evaluator = self._clock(), self._current()
        moment = epoch(at) or 0.0
        self._brakes.use(evaluator.policy)

        def messages(record: Record, demanded: Demanded) -> list[tuple[str, Message]]:
            event, verdict = opened(record, "verdict")
            require_texts(verdict, REQUIRED)
            self._brakes.see(verdict, moment)
            self._feedback.see(verdict)
            actions, subjects = evaluator.evaluate(verdict, at), evaluator.subjects(verdict)
            if not actions and not subjects:
                return []
            return [
                *action_messages(self._brakes.applied(actions, moment), event, demanded),
                *(("strike", _strike(subject, event, verdict)) for subject in subjects),
            ]

        results = results_of(records, NAME, at, messages)
        emit_news(results, self._brakes, moment)
        self._feedback.tell()
        return results


def _strike(subject: str, event: Event, verdict: dict[str, Any]) -> Message:
    """The verdict once more, under the key of whom it is counted for."""
    headers = encode(
        "strike",
        id=verdict["id"],
        source=verdict["source"],
        tenant=verdict["tenant"],
        key=subject,
        time=verdict["occurred_at"],
        session_id=text_in(verdict, "session_id"),
        traceparent=event.attribute("traceparent"),
    )
    return Message(topics.STRIKES, subject.encode(), event.data, headers)
