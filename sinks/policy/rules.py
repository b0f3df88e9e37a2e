"""What a policy file says: rules in the order of their priority, each `match` -> `then`.

A field that a rule does not name matches anything; all named ones must match. One exception guards against acting on
everything: a rule that names neither `decision` nor `severity` does not match a pass.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from moderato.records import ActionType, Category, Decision, Judge, Media, Severity
from moderato.sources import Source

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])")
_LONGEST = 3650 * 86400.0

TargetKind = Literal["user", "room", "account", "session"]
_PERSON: tuple[TargetKind, ...] = ("user", "account")
_ANY: tuple[TargetKind, ...] = ("user", "room", "account", "session")

TARGETS: dict[ActionType, tuple[TargetKind, ...]] = {
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


_Many = BeforeValidator(_one_or_many)
Seconds = Annotated[float, BeforeValidator(seconds)]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AtLeast(_Model):
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


class Match(_Model):
    """Conditions on a verdict. `room` takes shell patterns (`live-*`); `degraded` is a fail-safe verdict."""

    severity: Severities | None = None
    decision: Annotated[tuple[Decision, ...] | None, _Many] = None
    category: Annotated[tuple[Category, ...] | None, _Many] = None
    source: Annotated[tuple[Source, ...] | None, _Many] = None
    judge: Annotated[tuple[Judge, ...] | None, _Many] = None
    media: Annotated[tuple[Media, ...] | None, _Many] = None
    tenant: Annotated[tuple[Text, ...] | None, _Many] = None
    room: Annotated[tuple[Text, ...] | None, _Many] = None
    degraded: bool | None = None


class Then(_Model):
    """One action that a rule demands. `duration` and `max_age` are seconds once read."""

    action: ActionType
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


class Rule(_Model):
    """`stop`: no later rule sees a verdict that this one matched. A shadow rule never stops: trying it out must not
    change what is enforced."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    description: Text | None = None
    match: Match
    then: Annotated[tuple[Then, ...], BeforeValidator(_filled)]
    mode: Literal["enforce", "shadow"] = "enforce"
    stop: bool = False


class PolicyFile(_Model):
    """The top of a policy file."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules that are known to be good; `version` is their content hash, which every action carries."""

    rules: tuple[Rule, ...]
    version: str

    @classmethod
    def of(cls, file: PolicyFile) -> "Policy":
        # Defaults are left out: a field that a later version adds does not change the version of today's files.
        content = file.model_dump(mode="json", exclude_defaults=True)
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        return cls(file.rules, blake2b(canonical, digest_size=6).hexdigest())
