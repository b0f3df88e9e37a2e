"""What a consumer of the topics gets to see, and what the demo tells of it: ages, actions, the gravest verdicts."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.codec import decode
from moderato.records import ActionType
from moderato.times import epoch

_MOST_AGES = 5_000
_MOST_ACTIONS = 20_000
_MOST_CANDIDATES = 200

Json = dict[str, Any]


class Ages:
    """How old things were when they could be read, in seconds: the newest 5,000."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_MOST_AGES)

    def add(self, seconds: float) -> None:
        """A negative age, from a clock that was set back, counts as 0."""
        self._seconds.append(max(0.0, seconds))

    def percentile(self, share: float) -> float | None:
        """The age that `share` (0..1) of them do not exceed; None before the first."""
        if not self._seconds:
            return None
        ordered = sorted(self._seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclass(slots=True)
class Taken:
    """One action, and its outcome once it is known. `received`: epoch seconds of the callback that led to it; `age`:
    seconds from there to the outcome."""

    action: Json
    received: float | None
    outcome: Json | None = None
    age: float | None = None


@dataclass(slots=True)
class Seen:
    """`records` counts by topic, `outcomes` by type, kind of target and state, `dead_letters` by source."""

    records: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    verdict_ages: Ages = field(default_factory=Ages)
    outcome_ages: Ages = field(default_factory=Ages)
    taken: OrderedDict[str, Taken] = field(default_factory=OrderedDict)
    _grave: dict[str, Json] = field(default_factory=dict)

    def take(self, record: "ConsumerRecord[bytes, bytes]", at: float) -> None:
        """One record that could be read at `at`, epoch seconds. Actions have to come before their outcomes."""
        self.records[record.topic] += 1
        event = decode(record.headers, record.value)
        if record.topic == topics.DEAD_LETTERS:
            self.dead_letters[event.source] += 1
        elif record.topic == topics.VERDICTS:
            self._verdict(orjson.loads(event.data), at)
        elif record.topic == topics.ACTIONS:
            self._action(orjson.loads(event.data))
        elif record.topic == topics.OUTCOMES:
            self._outcome(orjson.loads(event.data), at)

    def _verdict(self, verdict: Json, at: float) -> None:
        received = epoch(verdict["received_at"])
        if received is not None:
            self.verdict_ages.add(at - received)
        if verdict["decision"] != "pass":
            self._grave.setdefault(verdict["id"], verdict)
        if len(self._grave) > 2 * _MOST_CANDIDATES:
            best = sorted(self._grave.values(), key=_gravity)[:_MOST_CANDIDATES]
            self._grave = {kept["id"]: kept for kept in best}

    def _action(self, action: Json) -> None:
        # A vendor that repeats itself makes the same action once more: what counts is the first.
        self.taken.setdefault(action["id"], Taken(action, epoch(action["verdict"]["received_at"])))
        if len(self.taken) > _MOST_ACTIONS:
            self.taken.popitem(last=False)

    def _outcome(self, outcome: Json, at: float) -> None:
        self.outcomes[outcome["type"], outcome["target"]["kind"], outcome["state"]] += 1
        taken = self.taken.get(outcome["action_id"])
        if taken and taken.outcome is None:
            taken.outcome = outcome
            if taken.received is not None:
                taken.age = max(0.0, at - taken.received)
                self.outcome_ages.add(taken.age)

    def gravest(self, count: int) -> list[Json]:
        """The gravest verdicts, one a callback; among those of one severity every source has its turn, the first one
        first."""
        turns: Counter[tuple[int, str]] = Counter()
        ranked: list[tuple[int, int, Json]] = []
        for verdict in _first_of_each_callback(sorted(self._grave.values(), key=_gravity)):
            turn = (verdict["severity_level"], verdict["source"])
            turns[turn] += 1
            ranked.append((-verdict["severity_level"], turns[turn], verdict))
        return [verdict for _, _, verdict in sorted(ranked, key=lambda entry: entry[:2])[:count]]

    def taken_for(self, verdict: Json) -> list[Taken]:
        """What was done on account of a verdict, the gravest first."""
        taken = [taken for taken in self.taken.values() if taken.action["verdict"]["id"] == verdict["id"]]
        return sorted(taken, key=lambda taken: -weight(taken.action["type"]))


def weight(type: str) -> int:
    """How grave a type of action is; -1 for one that is not known here."""
    return _WEIGHTS.get(type, -1)


_WEIGHTS = {str(type): weight for weight, type in enumerate(ActionType)}


def _first_of_each_callback(verdicts: Iterable[Json]) -> Iterator[Json]:
    callbacks: set[tuple[str, str]] = set()
    for verdict in verdicts:
        callback = (verdict["source"], verdict["raw"]["id"])
        if callback not in callbacks:
            callbacks.add(callback)
            yield verdict


def _gravity(verdict: Json) -> tuple[int, str]:
    return -verdict["severity_level"], verdict["normalized_at"]
