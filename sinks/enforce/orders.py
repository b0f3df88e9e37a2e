"""An action as the enforcer reads it: what decides about carrying it out, and the JSON as it came for the rest."""

import math
from dataclasses import dataclass
from typing import Any, cast

from moderato.bus.record import Record
from moderato.errors import Poison
from moderato.records import RuleRef, Target
from moderato.times import epoch
from sinks.events import opened, require_texts, text_in

_REQUIRED = ("id", "tenant", "type", "mode", "source", "occurred_at", "created_at")


@dataclass(frozen=True, slots=True)
class Order:
    """`type`, `mode`, `source` and `media` may be words that this version does not know. `duration` is seconds;
    `expires` is epoch seconds; `lifts` is the type of the action that a lift takes back, `media` what was judged;
    `data` is the action's JSON; `place` is the record's partition and offset."""

    id: str
    tenant: str
    type: str
    target: Target
    mode: str
    rule: RuleRef
    source: str
    session_id: str | None
    room: str | None
    user: str | None
    duration: float | None
    lifts: str | None
    media: str | None
    message: str | None
    occurred_at: str
    created_at: str
    expires: float | None
    braked: str | None
    data: bytes
    place: str
    traceparent: str | None

    @property
    def key(self) -> str:
        """The partition key: what hits one target happens in order."""
        return f"{self.tenant}/{self.target.id}"


def read_order(record: Record) -> Order:
    """Raises Poison when the record is no action, or its expiry cannot be read: it might be too late for it."""
    event, action = opened(record, "action")
    require_texts(action, _REQUIRED)
    target, rule = _part(action, "target", ("kind", "id")), _part(action, "rule", ("id", "version"))
    return Order(
        id=action["id"],
        tenant=action["tenant"],
        type=action["type"],
        target=Target(cast(Any, target["kind"]), target["id"]),
        mode=action["mode"],
        rule=RuleRef(rule["id"], rule["version"]),
        source=action["source"],
        session_id=text_in(action, "session_id"),
        room=text_in(action, "room"),
        user=text_in(action, "user"),
        duration=_duration(action.get("duration")),
        lifts=text_in(action, "lifts"),
        media=text_in(action["verdict"], "media") if isinstance(action.get("verdict"), dict) else None,
        message=text_in(action, "message"),
        occurred_at=action["occurred_at"],
        created_at=action["created_at"],
        expires=_expiry(action.get("expires_at")),
        braked=text_in(action, "braked"),
        data=event.data,
        place=f"{record.partition}-{record.offset}",
        traceparent=event.attribute("traceparent"),
    )


def _part(action: dict[str, Any], name: str, fields: tuple[str, ...]) -> dict[str, Any]:
    part = action.get(name)
    if not isinstance(part, dict):
        raise Poison(f"an object is due in {name}")
    require_texts(part, fields)
    return part


def _expiry(text: Any) -> float | None:
    if text is None:
        return None
    expires = epoch(text) if isinstance(text, str) else None
    if expires is None:
        raise Poison("expires_at is not a time")
    return expires


def _duration(value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise Poison("duration is no number of seconds")
    return float(value)
