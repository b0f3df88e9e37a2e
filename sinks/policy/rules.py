"""What a policy file says: rules in the order of their priority, each `match` -> `then`.

A field that a rule does not name matches anything; all named ones must match. One exception guards against acting on
everything: a rule that names neither `decision` nor `severity` does not match a pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import orjson
from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from moderato.records import ActionType, Category, Decision, Judge, Media, Severity
from moderato.sources import Source
from sinks.policy.brake_limits import Limits
from sinks.policy.fields import DAY, Demandable, Filled, Many, Minutes, Model, Seconds, Text, Within, Zone
from sinks.policy.windows import MOST_ASKED

TargetKind = Literal["user", "room", "account", "session"]
_PERSON: tuple[TargetKind, ...] = ("user", "account")
_ANY: tuple[TargetKind, ...] = ("user", "room", "account", "session")

TARGETS: dict[Demandable, tuple[TargetKind, ...]] = {
    ActionType.NOTIFY: _ANY,
    ActionType.REVIEW: _ANY,
    ActionType.WARN: _PERSON,
    ActionType.MUTE: _PERSON,
    ActionType.KICK: _PERSON,
    ActionType.BAN: _PERSON,
    ActionType.CLOSE_ROOM: ("room",),
    ActionType.STOP_SESSION: ("session",),
}
"""What each type of action may hit; the first one is its natural target."""

LASTING = (ActionType.MUTE, ActionType.KICK, ActionType.BAN)


class AtLeast(Model):
    """This severity and every graver one, those included that a later version may add."""

    at_least: Severity


RANGE, LIST = (
    "<range>",
    "<list>",
)  # in angle brackets: pydantic puts them into a fault's place, where we drop them

Severities: TypeAlias = Annotated[
    Annotated[AtLeast, Tag(RANGE)] | Annotated[tuple[Severity, ...], Many, Tag(LIST)],
    Discriminator(lambda value: RANGE if isinstance(value, dict | AtLeast) else LIST),
]


class ListFile(Model):
    """Ids from files, one a line, found from the folder of the policy file."""

    file: Annotated[tuple[Text, ...], Many]


Ids: TypeAlias = Annotated[
    Annotated[ListFile, Tag(RANGE)] | Annotated[tuple[Text, ...], Many, Tag(LIST)],
    Discriminator(lambda value: RANGE if isinstance(value, dict | ListFile) else LIST),
]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class TimeOfDay(Model):
    """From one time of day to another, in one time zone; over midnight when `to` is the earlier one. `days` are those
    on which the time begins. Both are minutes since midnight once read."""

    begin: Annotated[Minutes, Field(alias="from")] = 0
    to: Minutes = DAY
    timezone: Zone
    days: Annotated[tuple[Weekday, ...] | None, Many] = None

    @field_validator("to")
    @classmethod
    def _long(cls, to: int, info: ValidationInfo) -> int:
        if to == info.data.get("begin"):
            raise ValueError("from and to are the same; leave both out for the whole day")
        return to


class Match(Model):
    """Conditions on a verdict. `room` takes shell patterns (`live-*`); `user` and `account` are exact ids; `degraded`
    is a fail-safe verdict; `time` is that of `occurred_at`."""

    severity: Severities | None = None
    decision: Annotated[tuple[Decision, ...] | None, Many] = None
    category: Annotated[tuple[Category, ...] | None, Many] = None
    source: Annotated[tuple[Source, ...] | None, Many] = None
    judge: Annotated[tuple[Judge, ...] | None, Many] = None
    media: Annotated[tuple[Media, ...] | None, Many] = None
    tenant: Annotated[tuple[Text, ...] | None, Many] = None
    room: Annotated[tuple[Text, ...] | None, Many] = None
    degraded: bool | None = None
    user: Ids | None = None
    account: Ids | None = None
    time: TimeOfDay | None = None


class Then(Model):
    """One action that a rule demands. `duration` and `max_age` are seconds once read."""

    action: Demandable
    target: TargetKind | None = None
    duration: Seconds | None = None
    max_age: Seconds | None = None
    message: Text | None = None

    @field_validator("target")
    @classmethod
    def _fitting(cls, target: TargetKind | None, info: ValidationInfo) -> TargetKind | None:
        action = info.data.get("action")
        if action and target and target not in TARGETS[action]:
            raise ValueError(f"{action} cannot hit a {target}, only: {', '.join(TARGETS[action])}")
        return target

    @field_validator("duration")
    @classmethod
    def _lasting(cls, duration: float | None, info: ValidationInfo) -> float | None:
        action = info.data.get("action")
        if action and duration and action not in LASTING:
            raise ValueError(f"{action} has no duration, only: {', '.join(LASTING)}")
        return duration


class Count(Model):
    """How often a rule has to match the same subject. `distinct`: what must differ, so that several verdicts on one
    segment, or of one vendor, count once; `source` makes it an agreement of vendors."""

    at_least: Annotated[int, Field(ge=1, le=MOST_ASKED)]
    within: Within
    per: Literal["user", "account", "room"] = "user"
    distinct: Literal["segment", "source"] | None = None


class Agreement(Model):
    """So many vendors that match the same subject: a count of distinct sources, in other words."""

    sources: Annotated[int, Field(ge=2, le=len(Source))] = 2
    within: Within
    per: Literal["user", "room"] = "room"

    def count(self) -> Count:
        return Count.model_construct(
            at_least=self.sources, within=self.within, per=self.per, distinct="source"
        )


class Step(Model):
    """One rung of a ladder: from `at_least` on, `then` takes the place of what stands before it."""

    at_least: Annotated[int, Field(ge=2, le=MOST_ASKED)]
    then: Annotated[tuple[Then, ...], Filled]


_COUNTED = {"id", "match", "unless", "rollout", "count"}


def _conditional(exception: Match) -> Match:
    if not exception.model_fields_set:
        raise ValueError("an exception without a condition would except everything")
    return exception


class Rule(Model):
    """`unless`: exceptions, each a match of its own. `rollout`: the percentage of people, or of rooms where nobody is
    named, that it is for. `priority`: the higher, the earlier it is tried. `stop`: no later rule sees a verdict that
    this one matched. A shadow rule never stops: trying it out must not change what is enforced."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    description: Text | None = None
    match: Match
    unless: tuple[Annotated[Match, AfterValidator(_conditional)], ...] = ()
    then: Annotated[tuple[Then, ...], Filled]
    mode: Literal["enforce", "shadow"] = "enforce"
    rollout: Annotated[float, Field(ge=0, le=100)] = 100.0
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    stop: bool = False
    # Left out of the content: what it says is in `count`.
    agreement: Annotated[Agreement | None, Field(exclude=True)] = None
    count: Annotated[Count | None, Field(validate_default=True)] = None
    ladder: tuple[Step, ...] = ()

    @field_validator("agreement", "count")
    @classmethod
    def _going_on(cls, counted: Agreement | Count | None, info: ValidationInfo) -> Agreement | Count | None:
        if counted and info.data.get("stop"):
            raise ValueError("a rule that counts cannot stop: whether it acts is known only later")
        return counted

    @field_validator("count")
    @classmethod
    def _agreed(cls, count: Count | None, info: ValidationInfo) -> Count | None:
        agreement = info.data.get("agreement")
        if agreement and count:
            raise ValueError("count and agreement exclude each other")
        return agreement.count() if agreement else count

    @field_validator("ladder")
    @classmethod
    def _rising(cls, ladder: tuple[Step, ...], info: ValidationInfo) -> tuple[Step, ...]:
        count = info.data.get("count")
        if ladder and not count:
            raise ValueError("a ladder needs a count: how often within which time")
        rungs = [count.at_least if count else 0, *(step.at_least for step in ladder)]
        if any(lower >= upper for lower, upper in pairwise(rungs)):
            raise ValueError("every step needs a higher at_least than the count and the steps before it")
        return ladder

    @property
    def window(self) -> str:
        """What is counted: the same name as long as neither conditions nor count of the rule change. The content of a
        list file is not part of it: who comes onto a list is counted from then on."""
        content = self.model_dump(mode="json", include=_COUNTED, exclude_defaults=True)
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()

    def demands(self, number: int) -> tuple[Then, ...]:
        """What is due when the subject has been counted `number` times; nothing when that is too few."""
        if self.count and number < self.count.at_least:
            return ()
        reached = [step.then for step in self.ladder if step.at_least <= number]
        return reached[-1] if reached else self.then


class PolicyFile(Model):
    """The top of a policy file."""

    rules: tuple[Rule, ...]
    brakes: Limits = Limits()


Lists: TypeAlias = Mapping[str, frozenset[str]]
"""The ids in each list file."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules that are known to be good, in the order in which they are tried; `version` is the hash of their content and
    that of their `lists`, which every action carries."""

    rules: tuple[Rule, ...]
    version: str
    lists: Lists = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(cls, file: PolicyFile, lists: Lists | None = None) -> "Policy":
        """`lists` has every file that the rules name."""
        # Defaults are left out: a field that a later version adds does not change the version of today's files.
        content = file.model_dump(mode="json", exclude_defaults=True)
        if lists:
            content["lists"] = {name: sorted(ids) for name, ids in lists.items()}
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        version = blake2b(canonical, digest_size=6).hexdigest()
        rules = tuple(sorted(file.rules, key=lambda rule: -rule.priority))
        return cls(rules, version, lists or {}, file.brakes)
