"""What a policy file says: rules in the order of their priority, each `match` -> `then`.

A field that a rule does not name matches anything; all named ones must match. One exception guards against acting on
everything: a rule that names neither `decision` nor `severity` does not match a pass.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from moderato.records import ActionType, Category, Decision, Judge, Media, Severity
from moderato.sources import Source
from sinks.policy.windows import MOST_ASKED

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])")
_LONGEST = 3650 * 86400.0
LONGEST_WITHIN = 86400.0
"""Seconds; with the lateness it stays below the retention of the strikes' topic."""
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
DAY = 24 * 60
"""Minutes."""

TargetKind = Literal["user", "room", "account", "session"]
_PERSON: tuple[TargetKind, ...] = ("user", "account")
_ANY: tuple[TargetKind, ...] = ("user", "room", "account", "session")

# A lift takes back one certain action, which only a person can name.
Demandable: TypeAlias = Literal[
    ActionType.NOTIFY,
    ActionType.REVIEW,
    ActionType.WARN,
    ActionType.MUTE,
    ActionType.KICK,
    ActionType.BAN,
    ActionType.CLOSE_ROOM,
    ActionType.STOP_SESSION,
]

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


def seconds(text: Any) -> float:
    """ "90s", "10m", "2h", "7d" -> seconds. Raises ValueError."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError("a number with its unit is due: 90s, 10m, 2h or 7d")
    length = float(found[1]) * _UNITS[found[2]]
    if not 0 < length <= _LONGEST:
        raise ValueError("longer than nothing and at most 3650d is due")
    return length


def _filled(value: Any) -> Any:
    # Not `min_length`, which counts only the elements that are good.
    if value == []:
        raise ValueError("the list is empty")
    return value


def _one_or_many(value: Any) -> Any:
    return _filled(value) if isinstance(value, list | tuple) else (value,)


def _minutes(text: Any) -> int:
    found = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if not found:
        # Without quotes YAML reads 22:00 as the number 1320.
        raise ValueError('a time of day in quotes is due: "06:30" or "22:00", "24:00" at most')
    return int(found[1]) * 60 + int(found[2]) if found[1] else DAY


def _zone(text: Any) -> Any:
    try:
        ZoneInfo(text)
    except (KeyError, OSError, TypeError, ValueError):
        near = difflib.get_close_matches(str(text), sorted(available_timezones()), n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ", such as Asia/Shanghai or UTC"
        raise ValueError(f"a time zone is due{meant}") from None
    return text


def _within(length: float) -> float:
    if length > LONGEST_WITHIN:
        raise ValueError("at most 1d is due: windows are rebuilt from two days of strikes")
    return length


@dataclass(frozen=True, slots=True)
class _OneOrMany(BeforeValidator):
    """Takes a single value for a list of one, and says so to editors."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        array = next((each for each in schema.get("anyOf", ()) if each["type"] == "array"), schema)
        return {"anyOf": [array["items"], array | {"minItems": 1}]}


_Many = _OneOrMany(_one_or_many)
Filled = BeforeValidator(_filled)
Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["90s", "10m", "2h"]}),
]
Within = Annotated[Seconds, AfterValidator(_within)]
Minutes = Annotated[
    int,
    BeforeValidator(_minutes),
    WithJsonSchema({"type": "string", "pattern": f"^({_CLOCK.pattern})$", "examples": ["22:00", "06:30"]}),
]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class Model(BaseModel):
    """What a file says: nothing else may stand in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AtLeast(Model):
    """This severity and every graver one, those included that a later version may add."""

    at_least: Severity


RANGE, LIST = (
    "<range>",
    "<list>",
)  # in angle brackets: pydantic puts them into a fault's place, where we drop them

Severities: TypeAlias = Annotated[
    Annotated[AtLeast, Tag(RANGE)] | Annotated[tuple[Severity, ...], _Many, Tag(LIST)],
    Discriminator(lambda value: RANGE if isinstance(value, dict | AtLeast) else LIST),
]


class ListFile(Model):
    """Ids from files, one a line, found from the folder of the policy file."""

    file: Annotated[tuple[Text, ...], _Many]


Ids: TypeAlias = Annotated[
    Annotated[ListFile, Tag(RANGE)] | Annotated[tuple[Text, ...], _Many, Tag(LIST)],
    Discriminator(lambda value: RANGE if isinstance(value, dict | ListFile) else LIST),
]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class TimeOfDay(Model):
    """From one time of day to another, in one time zone; over midnight when `to` is the earlier one. `days` are those
    on which the time begins. Both are minutes since midnight once read."""

    begin: Annotated[Minutes, Field(alias="from")] = 0
    to: Minutes = DAY
    timezone: Annotated[str, BeforeValidator(_zone)]
    days: Annotated[tuple[Weekday, ...] | None, _Many] = None

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
    decision: Annotated[tuple[Decision, ...] | None, _Many] = None
    category: Annotated[tuple[Category, ...] | None, _Many] = None
    source: Annotated[tuple[Source, ...] | None, _Many] = None
    judge: Annotated[tuple[Judge, ...] | None, _Many] = None
    media: Annotated[tuple[Media, ...] | None, _Many] = None
    tenant: Annotated[tuple[Text, ...] | None, _Many] = None
    room: Annotated[tuple[Text, ...] | None, _Many] = None
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


Lists: TypeAlias = Mapping[str, frozenset[str]]
"""The ids in each list file."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules that are known to be good, in the order in which they are tried; `version` is the hash of their content and
    that of their `lists`, which every action carries."""

    rules: tuple[Rule, ...]
    version: str
    lists: Lists = field(default_factory=dict)

    @classmethod
    def of(cls, file: PolicyFile, lists: Lists | None = None) -> "Policy":
        """`lists` has every file that the rules name."""
        # Defaults are left out: a field that a later version adds does not change the version of today's files.
        content = file.model_dump(mode="json", exclude_defaults=True)
        if lists:
            content["lists"] = {name: sorted(ids) for name, ids in lists.items()}
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        version = blake2b(canonical, digest_size=6).hexdigest()
        return cls(tuple(sorted(file.rules, key=lambda rule: -rule.priority)), version, lists or {})
