"""Tests of a policy, as a file says them: verdicts in their order, and the actions that are due with each. Pure.

Only what matters of a verdict has to be said: at the top of the file, of a case, or of the verdict."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, GetJsonSchemaHandler, ValidationInfo, WithJsonSchema, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from moderato.records import Action, Category, Decision, Judge, Media, Severity
from moderato.sources import Source
from moderato.times import epoch, rfc3339
from sinks.policy.faults import Fault, Place, list_in
from sinks.policy.fields import Demandable, Filled, Model, Seconds, Text
from sinks.policy.playing import Player
from sinks.policy.rules import TARGETS, Policy, TargetKind

_START = 1_795_248_000.0  # 2026-11-21T08:00:00Z, a Saturday


def _moment(value: Any) -> float:
    # Without quotes YAML has read it already.
    moment = value.timestamp() if isinstance(value, datetime) and value.tzinfo else epoch(str(value))
    if moment is None or rfc3339(moment) is None:
        raise ValueError("a time with its zone is due: 2026-11-21T22:15:00+08:00")
    return moment


def _named(value: Any) -> Any:
    return {"action": value} if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class _Named(BeforeValidator):
    """Takes the name of an action for one of which nothing more is asked, and says so to editors."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"enum": list(TARGETS)}, handler(core)]}


Moment = Annotated[
    float,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "examples": ["2026-11-21T22:15:00+08:00"]}),
]


class Given(Model):
    """Fields of verdicts. A severity of none is a pass, any other a block, unless `decision` says otherwise."""

    id: Text | None = None
    source: Source | None = None
    tenant: Text | None = None
    session_id: Text | None = None
    task_id: Text | None = None
    segment_id: Text | None = None
    room: Text | None = None
    user: Text | None = None
    account: Text | None = None
    media: Media | None = None
    decision: Decision | None = None
    severity: Severity | None = None
    category: Category | None = None
    judge: Judge | None = None
    text: Text | None = None
    degraded: bool | None = None


class Due(Model):
    """An action that has to be demanded; what is not named may be anything. `to` is the target's id."""

    action: Demandable
    rule: Text | None = None
    target: TargetKind | Literal["task"] | None = None
    to: Text | None = None
    duration: Seconds | None = None
    mode: Literal["enforce", "shadow"] = "enforce"

    def fits(self, action: Action) -> bool:
        """Whether this is the action that is due."""
        asked = (self.rule, self.target, self.to, self.duration)
        found = (action.rule.id, action.target.kind, action.target.id, action.duration)
        return (self.action, self.mode) == (action.type, action.mode) and all(
            want is None or want == have for want, have in zip(asked, found, strict=True)
        )

    @property
    def exactness(self) -> int:
        """How many of its fields are named."""
        return len(self.model_fields_set)


class Happened(Given):
    """One verdict, `at` a time or `after` so long since the one before (1s), and all that is `due` with it."""

    at: Moment | None = None
    after: Seconds | None = None
    due: tuple[Annotated[Due, _Named(_named)], ...] = ()

    @field_validator("after")
    @classmethod
    def _once(cls, after: float | None, info: ValidationInfo) -> float | None:
        if after is not None and info.data.get("at") is not None:
            raise ValueError("at and after exclude each other")
        return after


class Case(Model):
    """A story: it begins with empty windows."""

    name: Text
    given: Given = Given()
    verdicts: Annotated[tuple[Happened, ...], Filled]


class CaseFile(Model):
    """The top of a test file."""

    given: Given = Given()
    cases: Annotated[tuple[Case, ...], Filled]


@dataclass(frozen=True, slots=True)
class Difference:
    """A verdict with which something else was demanded than is due; `place` is that of the verdict in the file."""

    place: Place
    case: str
    verdict: dict[str, Any]
    missing: tuple[Due, ...]
    surplus: tuple[Action, ...]


def further_faults(data: dict[str, Any]) -> Iterator[Fault]:
    """Verdicts of which nobody can tell how grave they are."""
    for number, case in enumerate(list_in(data, "cases")):
        for place, verdict in enumerate(list_in(case, "verdicts")):
            given = [
                each for each in (data.get("given"), case.get("given"), verdict) if isinstance(each, dict)
            ]
            said: dict[str, Any] = {name: value for each in given for name, value in each.items()}
            if "severity" not in said and said.get("decision") != Decision.PASS:
                yield (
                    ("cases", number, "verdicts", place),
                    "severity is missing here, in the case and at the top",
                )


def differences(policy: Policy, file: CaseFile) -> Iterator[Difference]:
    """What a policy does otherwise than its tests say."""
    for number, case in enumerate(file.cases):
        player = Player(policy)
        at = _START
        for place, happened in enumerate(case.verdicts):
            if happened.at is not None:
                at = happened.at
            elif place:
                at += happened.after or 1.0
            verdict = _verdict(f"{number}-{place}", at, file.given, case.given, happened)
            surplus = player.play(verdict, verdict["normalized_at"])
            missing: list[Due] = []
            for due in sorted(happened.due, key=lambda due: -due.exactness):
                found = next((action for action in surplus if due.fits(action)), None)
                if found is None:
                    missing.append(due)
                else:
                    surplus.remove(found)
            if missing or surplus:
                where: Place = ("cases", number, "verdicts", place)
                yield Difference(where, case.name, verdict, tuple(missing), tuple(surplus))


def _verdict(id_: str, at: float, *given: Given) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for each in given:
        said |= each.model_dump(mode="json", include=set(Given.model_fields), exclude_none=True)
    occurred_at = rfc3339(at)
    severity = Severity(said.get("severity", Severity.NONE))
    harmless = said.get("decision", Decision.PASS) == Decision.PASS and severity == Severity.NONE
    known = {
        "id": id_,
        "source": str(Source.SHUMEI_AUDIO),
        "tenant": "default",
        "media": str(Media.AUDIO),
        "decision": str(Decision.PASS if harmless else Decision.BLOCK),
        "severity": str(severity),
        "severity_level": severity.level,
        "category": str(Category.NONE if harmless else Category.OTHER),
        "judge": str(Judge.MACHINE),
        "degraded": False,
        "occurred_at": occurred_at,
        "normalized_at": occurred_at,
    }
    return known | said
