"""What the values in a policy file look like, each with the schema that editors get of it."""

import difflib
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from moderato.records import ActionType

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])")
_LONGEST = 3650 * 86400.0
LONGEST_WITHIN = 86400.0
"""Seconds; with the lateness it stays below the retention of the strikes' topic."""
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
DAY = 24 * 60
"""Minutes."""


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


Many = _OneOrMany(_one_or_many)
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
Zone = Annotated[str, BeforeValidator(_zone)]


class Model(BaseModel):
    """What a file says: nothing else may stand in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
