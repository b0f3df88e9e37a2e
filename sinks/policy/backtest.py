"""What a policy would have done to verdicts of the past, beside another one and beside what people decided. Pure.

Verdicts are played in the order in which they are given. What is kept does not grow with their number: the windows of
each policy (sinks/policy/windows.py), the ids of the last one to two million verdicts, the flagged verdicts that wait
for people, the open minutes of rooms, and for each rule 2 MB for users and rooms, and 2,000 hours.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from moderato.errors import Poison
from moderato.records import Action, Brake, Category, Decision, Judge
from moderato.sources import Source
from moderato.times import epoch, rfc3339
from sinks.events import text_in
from sinks.feedback.agreement import Agreement, Pair
from sinks.feedback.pairing import Opinion, Pairing
from sinks.feedback.seen import Seen
from sinks.policy.brakes import Brakes
from sinks.policy.playing import Player
from sinks.policy.rules import Policy, Rule
from sinks.policy.shadow import Beside, besides
from sinks.policy.subjects import Subjects

IDS = 1_000_000
"""A repetition is known among so many verdicts after the first."""
HOURS = 2_000
"""Hours that are told apart: 83 days."""
_MOST_TEXT = 160  # characters
_MOST_PULLED = 100  # brakes that are told
_WORDS = frozenset(map(str, (*Decision, *Judge, *Source, *Category)))
"""What is counted by name: a file may say anything."""

Change: TypeAlias = Literal["same", "changed", "new", "gone"]
CHANGES: tuple[Change, ...] = ("same", "changed", "new", "gone")
_Demand: TypeAlias = tuple[str, str, str]


@dataclass(slots=True)
class People:
    """What people said later of the machines' verdicts that are meant: flagged too, or let pass."""

    confirmed: int = 0
    refuted: int = 0

    @property
    def judged(self) -> int:
        return self.confirmed + self.refuted


@dataclass(slots=True)
class Acts:
    """What one rule did. `verdicts`: on which it acted; `by_people`: those of them that are a person's own decision;
    `late`: actions that were past their `max_age` when the verdict was made; `braked`: those that the policy's brakes
    held, which are not among `actions`. `hours`: actions by hour since 1970."""

    rule: Rule
    verdicts: int = 0
    by_people: int = 0
    late: int = 0
    braked: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    users: Subjects = field(default_factory=Subjects)
    rooms: Subjects = field(default_factory=Subjects)
    hours: Counter[int] = field(default_factory=Counter)
    people: People = field(default_factory=People)


@dataclass(slots=True)
class Trial:
    """One policy on trial. `hours`: its enforced actions by hour since 1970; `pulled`: brakes that its trip switches
    pulled, and that nobody released."""

    policy: Policy
    player: Player
    rules: dict[str, Acts]
    brakes: Brakes
    pulled: list[Brake] = field(default_factory=list)
    shadow: Counter[tuple[str, Beside]] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, policy: Policy) -> "Trial":
        brakes = Brakes()
        brakes.use(policy)
        return cls(policy, Player(policy), {rule.id: Acts(rule) for rule in policy.rules}, brakes)

    def play(self, verdict: dict[str, Any], at: str, known: float) -> list[Action]:
        """What is demanded with a verdict that is made `at` a time, which is `known` in epoch seconds."""
        self.brakes.see(verdict, known)
        actions = self.player.play(verdict, at)
        if not actions or not self.limited:
            return actions
        actions = self.brakes.applied(actions, known)
        _, pulled = self.brakes.news(known)
        self.pulled += pulled[: _MOST_PULLED - len(self.pulled)]
        return actions

    @property
    def limited(self) -> bool:
        """Whether the policy has brakes of its own."""
        return bool(self.policy.limits.quotas or self.policy.limits.trips)

    def take(self, verdict: dict[str, Any], actions: Sequence[Action], hour: int) -> list[Acts]:
        """Counts the actions demanded with one verdict; the rules that acted."""
        acted: dict[str, Acts] = {}
        for action, beside in zip(actions, besides(actions), strict=True):
            if beside:
                self.shadow[str(action.type), beside] += 1
            acts = acted[action.rule.id] = self.rules[action.rule.id]
            if action.braked is not None:
                acts.braked += 1
                continue
            acts.actions[str(action.type)] += 1
            acts.late += action.expires_at is not None and action.expires_at < action.created_at
            _count(acts.hours, hour)
            if action.mode == "enforce":
                _count(self.hours, hour)
        for acts in acted.values():
            acts.verdicts += 1
            acts.by_people += verdict["judge"] != Judge.MACHINE
            for subjects, name in ((acts.users, "user"), (acts.rooms, "room")):
                if found := text_in(verdict, name):
                    subjects.add(f"{verdict['tenant']}/{found}")
        return list(acted.values())


@dataclass(slots=True)
class Example:
    """A verdict on which only one of two policies acts, and its enforced actions in words."""

    change: Change
    at: str
    verdict: dict[str, str | None]
    actions: list[str]


@dataclass(slots=True)
class Difference:
    """Enforced actions of two policies, compared verdict by verdict: by type and change. One of the same type and
    target in both is the `same`, or `changed` when duration, message or expiry differ. `acted`: verdicts on which both
    act, only the new policy (`new`), only the baseline (`gone`), and what people said of them."""

    actions: Counter[tuple[str, Change]] = field(default_factory=Counter)
    acted: dict[Change, tuple[Counter[str], People]] = field(
        default_factory=lambda: {change: (Counter(), People()) for change in ("same", "new", "gone")}
    )
    users: dict[Change, Subjects] = field(default_factory=lambda: {"new": Subjects(), "gone": Subjects()})
    examples: list[Example] = field(default_factory=list)


class Backtest:
    """`examples`: of the verdicts on which only one policy acts, so many of each kind."""

    def __init__(self, policy: Policy, baseline: Policy | None = None, *, examples: int = 3) -> None:
        self.new = Trial.of(policy)
        self.old = None if baseline is None else Trial.of(baseline)
        self.difference = Difference()
        self.verdicts = 0
        self.repeated = 0
        self.decisions: Counter[str] = Counter()
        self.judges: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.hours: Counter[int] = Counter()
        self.first, self.last = "", ""
        """When the first and the last verdict was made."""
        self.opinions: Counter[tuple[str, str, str]] = Counter()
        """By source, category and outcome."""
        self._examples = examples
        self._agreement = Agreement()
        self._pairing = Pairing()
        self._seen = Seen(IDS)

    def play(self, verdict: dict[str, Any]) -> None:
        """Takes the next verdict. It has what the policy stage demands (`worker.REQUIRED`) and `normalized_at`. Raises
        Poison for one that no policy can judge; nothing is counted of that."""
        at = verdict["normalized_at"]
        known = epoch(at)
        if known is None or rfc3339(known) is None:
            raise Poison(f"normalized_at {at[:40]!r} is not a time")
        if not self._seen.first_time(verdict["tenant"], verdict["source"], verdict["id"]):
            self.repeated += 1
            return
        new = self.new.play(verdict, at, known)
        old = self.old.play(verdict, at, known) if self.old else []
        hour = int(known // 3600)
        self._tell(verdict, at, hour)
        marks: list[People] = []
        if new:
            marks += [acts.people for acts in self.new.take(verdict, new, hour)]
        if self.old and old:
            marks += [acts.people for acts in self.old.take(verdict, old, hour)]
        if self.old and (new or old):
            marks += self._compare(verdict, new, old)
        for opinion in self._pairing.take(verdict, marks):
            self._learn(opinion)
        self._agreement.see(verdict)

    def agreement(self) -> Counter[Pair]:
        """How far vendors agree. Nothing can be played after this."""
        self._agreement.finish()
        return self._agreement.pairs

    def _tell(self, verdict: dict[str, Any], at: str, hour: int) -> None:
        self.verdicts += 1
        self.decisions[_known(verdict["decision"])] += 1
        self.judges[_known(verdict["judge"])] += 1
        self.sources[_known(verdict["source"])] += 1
        _count(self.hours, hour)
        self.first = min(self.first or at, at)
        self.last = max(self.last, at)

    def _compare(self, verdict: dict[str, Any], new: list[Action], old: list[Action]) -> list[People]:
        """What differs between the enforced actions of both; who is to be told of people's verdicts on it."""
        after, before = _demands(new), _demands(old)
        if not after and not before:
            return []
        found = self.difference
        for demand in after.keys() | before.keys():
            change: Change = (
                "gone"
                if demand not in after
                else "new"
                if demand not in before
                else "same"
                if _content(after[demand]) == _content(before[demand])
                else "changed"
            )
            found.actions[demand[0], change] += 1
        acted: Change = "same" if after and before else "new" if after else "gone"
        number, people = found.acted[acted]
        number["verdicts"] += 1
        if acted != "same":
            if user := text_in(verdict, "user"):
                found.users[acted].add(f"{verdict['tenant']}/{user}")
            if number["verdicts"] <= self._examples:
                found.examples.append(_example(acted, verdict, after or before))
        return [people]

    def _learn(self, opinion: Opinion) -> None:
        self.opinions[_known(opinion.source), _known(opinion.category), opinion.outcome] += 1
        marks: list[People] = opinion.mark or []
        for people in marks:
            people.confirmed += opinion.outcome == "confirmed"
            people.refuted += opinion.outcome == "refuted"


def _known(word: str) -> str:
    return word if word in _WORDS else "unknown"


def _count(hours: Counter[int], hour: int) -> None:
    if hour in hours or len(hours) < HOURS:
        hours[hour] += 1


def _demands(actions: Iterable[Action]) -> dict[_Demand, Action]:
    return {
        (str(action.type), action.target.kind, action.target.id): action
        for action in actions
        if action.mode == "enforce" and action.braked is None
    }


def _content(action: Action) -> tuple[float | None, str | None, str | None]:
    return action.duration, action.message, action.expires_at


def _example(change: Change, verdict: dict[str, Any], demands: dict[_Demand, Action]) -> Example:
    names = ("id", "source", "judge", "decision", "category", "severity", "room", "user", "text")
    told = {name: (text_in(verdict, name) or "")[:_MOST_TEXT] or None for name in names}
    actions = [
        f"{action.type} {action.target.kind} {action.target.id} by {action.rule.id}"
        for action in demands.values()
    ]
    return Example(change, verdict["occurred_at"], told, actions)
