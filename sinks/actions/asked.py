"""What somebody asks the API to do: checked whole, and made an action like those of the policy."""

import uuid
from collections.abc import Mapping
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moderato.api.callers import Caller
from moderato.api.problem import Fault, Problem, invalid
from moderato.api.wish import faults_of, tenant_of
from moderato.records import Action, ActionType, RuleRef, Target
from moderato.settings import Tenant
from moderato.sources import Source
from moderato.times import epoch, rfc3339
from sinks.policy.fields import Demandable
from sinks.policy.rules import LASTING, TARGETS, TargetKind

MANUAL = RuleRef("manual", "none")
UNDOABLE = (ActionType.MUTE, ActionType.KICK, ActionType.BAN, ActionType.CLOSE_ROOM)

_MAX_AGE = 300.0  # seconds that an action may wait for its turn, unless the caller says otherwise
_LONGEST = 3650 * 86_400

_Id = Annotated[str, Field(min_length=1, max_length=500)]


class Whom(BaseModel):
    """Whom an action hits."""

    model_config = ConfigDict(extra="forbid")

    kind: TargetKind
    id: _Id


class Wish(BaseModel):
    """Body of POST /v1/actions. `source` is the vendor product of the room, which a tenant's routes may look at;
    `tenant` may be left out by a caller who has but one. `duration` and `max_age` are seconds."""

    model_config = ConfigDict(extra="forbid")

    type: Demandable
    target: Whom
    source: Source
    tenant: str | None = None
    room: _Id | None = None
    session_id: _Id | None = None
    duration: Annotated[float, Field(gt=0, le=_LONGEST)] | None = None
    max_age: Annotated[float, Field(gt=0, le=86_400)] = _MAX_AGE
    message: Annotated[str, Field(min_length=1, max_length=500)] | None = None


def action_of(
    body: dict[str, Any],
    caller: Caller,
    tenants: Mapping[str, Tenant],
    idempotency_key: str | None,
    now: str,
) -> Action:
    """The action that a body asks for; `now` is RFC 3339. Raises Problem that names every fault with its place."""
    faults: list[Fault] = []
    wish: Wish | None = None
    try:
        wish = Wish.model_validate(body)
    except ValidationError as error:
        faults += faults_of(error, body, "")
    else:
        faults += _mismatches(wish)
    tenant = tenant_of(body.get("tenant"), caller, tenants, faults)
    if faults or wish is None or tenant is None:
        raise invalid(faults)
    kind, id = wish.target.kind, wish.target.id
    return Action(
        id=_id(tenant, caller, idempotency_key, wish),
        tenant=tenant,
        type=ActionType(wish.type),
        target=Target(kind, id),
        mode="enforce",
        rule=MANUAL,
        source=wish.source,
        session_id=id if kind == "session" else wish.session_id,
        task_id=None,
        room=id if kind == "room" else wish.room,
        user=id if kind == "user" else None,
        account=id if kind == "account" else None,
        duration=wish.duration,
        message=wish.message,
        occurred_at=now,
        created_at=now,
        expires_at=rfc3339((epoch(now) or 0.0) + wish.max_age),
        verdict=None,
        requested_by=caller.name,
    )


def lift_of(action: dict[str, Any], caller: Caller, now: str) -> Action:
    """What takes an action back; the same one at every try. Raises Problem for one that cannot be taken back."""
    if action.get("type") not in UNDOABLE:
        raise _conflict(f"{action.get('type')} cannot be taken back, only: {', '.join(UNDOABLE)}")
    if action.get("mode") != "enforce":
        raise _conflict("it was an action of a shadow rule: nothing was done")
    target = action["target"]
    return Action(
        id=_hashed("lift", action["id"]),
        tenant=action["tenant"],
        type=ActionType.LIFT,
        target=Target(target["kind"], target["id"]),
        mode="enforce",
        rule=MANUAL,
        source=action["source"],
        session_id=action.get("session_id"),
        task_id=action.get("task_id"),
        room=action.get("room"),
        user=action.get("user"),
        account=action.get("account"),
        duration=None,
        message=None,
        occurred_at=now,
        created_at=now,
        expires_at=None,
        verdict=None,
        requested_by=caller.name,
        undoes=action["id"],
        lifts=action["type"],
    )


def _mismatches(wish: Wish) -> list[Fault]:
    """What does not go together."""
    faults = []
    allowed = TARGETS[wish.type]
    if wish.target.kind not in allowed:
        faults.append(
            Fault("/target/kind", f"{wish.type} cannot hit a {wish.target.kind}, only: {', '.join(allowed)}")
        )
    if wish.duration is not None and wish.type not in LASTING:
        faults.append(Fault("/duration", f"{wish.type} has no duration, only: {', '.join(LASTING)}"))
    named: dict[str, tuple[Literal["room", "session"], str | None]] = {
        "/room": ("room", wish.room),
        "/session_id": ("session", wish.session_id),
    }
    for path, (kind, value) in named.items():
        if wish.target.kind == kind and value not in (None, wish.target.id):
            faults.append(Fault(path, "it is another one than the target"))
    return faults


def _id(tenant: str, caller: Caller, key: str | None, wish: Wish) -> str:
    """The same wish under the same key of a tenant is the same action, wherever and whenever it is asked for."""
    if key is None:
        return f"act_{uuid.uuid4().hex}"
    return _hashed("asked", tenant, key, wish.model_dump_json())


def _hashed(*parts: str) -> str:
    return f"act_{blake2b(orjson.dumps(parts), digest_size=16).hexdigest()}"


def _conflict(detail: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, "not_undoable", detail)
