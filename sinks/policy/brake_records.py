"""Brakes and tallies as Kafka has them."""

from typing import Any, cast

import orjson

from moderato import topics
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.codec import encode
from moderato.errors import Poison
from moderato.records import Active, Brake, Hit, Tally
from moderato.times import epoch
from sinks.events import opened, require_texts, text_in


def brake_message(brake: Brake) -> Message:
    """Keyed by tenant and rule: the newest one of each is kept."""
    key = f"{brake.tenant}/{brake.rule}"
    headers = encode(
        "brake", id=f"{key}@{brake.at}", source=None, tenant=brake.tenant, key=key, time=brake.at
    )
    return Message(topics.BRAKES, key.encode(), orjson.dumps(brake), headers)


def tally_message(tally: Tally) -> Message:
    """Keyed by the process that tells."""
    headers = encode(
        "tally",
        id=f"{tally.process}@{tally.at}",
        source=None,
        tenant="*",
        key=tally.process,
        time=tally.at,
    )
    return Message(topics.TALLIES, tally.process.encode(), orjson.dumps(tally), headers)


def read_brake(record: Record) -> Brake:
    """Raises Poison when the record is no brake."""
    _, data = opened(record, "brake")
    require_texts(data, ("tenant", "rule", "reason", "by", "at"))
    if not isinstance(data.get("pulled"), bool):
        raise Poison("true or false is due in pulled")
    return Brake(*(data[name] for name in ("tenant", "rule", "pulled", "reason", "by", "at")))


def read_tally(record: Record) -> Tally:
    """Raises Poison when the record is no tally."""
    _, data = opened(record, "tally")
    require_texts(data, ("process", "at"))
    if epoch(data["at"]) is None:
        raise Poison("at is not a time")
    hits = tuple(_hit(each) for each in _objects(data, "hits"))
    active = tuple(_active(each) for each in _objects(data, "active"))
    return Tally(data["process"], data["at"], hits, active)


def _objects(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = data.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Poison(f"a list of objects is due in {name}")
    return found


def _hit(data: dict[str, Any]) -> Hit:
    require_texts(data, ("action_id", "rule", "tenant", "type"))
    return Hit(
        data["action_id"],
        data["rule"],
        data["tenant"],
        data["type"],
        text_in(data, "room"),
        text_in(data, "user"),
    )


def _active(data: dict[str, Any]) -> Active:
    require_texts(data, ("tenant", "of"))
    within, number = data.get("within"), data.get("number")
    if not isinstance(within, int | float) or not isinstance(number, int):
        raise Poison("numbers are due in within and number")
    return Active(data["tenant"], cast(Any, data["of"]), float(within), number)
