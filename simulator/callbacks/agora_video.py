"""Agora RTC video moderation: one screenshot judged neutral, sexy or porn, as JSON."""

import hashlib
from datetime import UTC, datetime
from random import Random

from simulator.callbacks.contract import Judged, Moment, Object, Secrets, Told, Wire
from simulator.delivery_rules import DeliveryRules, json_answer
from simulator.rooms import Decision

DELIVERY = DeliveryRules(timeout=5.0, waits=(0.0, 0.0), accepts=json_answer)  # three attempts, at once

_SCENES: dict[Decision, str] = {"pass": "neutral", "review": "sexy", "block": "porn"}


def checksum(callback_addr: str, code: int, object_name: str, request_id: str) -> str:
    """MD5 hex over the four values, in the order in which the vendor lists them; it publishes no order or separator."""
    return hashlib.md5(
        f"{callback_addr}{code}{object_name}{request_id}".encode(), usedforsecurity=False
    ).hexdigest()


def seal(content: bytes, secrets: Secrets, sent: float, random: Random) -> Wire:
    """JSON as it is: the checksum is inside."""
    return Wire("application/json;charset=utf-8", {}, content)


def tell(moment: Moment) -> Told:
    """One screenshot of the segment's worst speaker; as an event the class-supervision notice without a result."""
    random, segment = moment.random, moment.segment
    worst = segment.worst
    room, uid = segment.room.name, str(worst.speaker.uid)
    taken = datetime.fromtimestamp(segment.end, UTC)
    stamp = f"{taken:%Y%m%d%H%M%S}{taken.microsecond // 1000:03d}"
    request_id = f"{moment.task}_{int(segment.end)}_{random.getrandbits(128):032x}"
    name = f"moderation/{taken:%Y%m%d}/{moment.task}_{room}__uid_s_{uid}__uid_e_video_{stamp}.jpg"
    content: Object = {
        "requestId": request_id,
        "callbackParam": {"cname": room},
        "callbackData": moment.mark,
        "checksum": checksum(moment.secrets.get("callback_addr", ""), 200, name, request_id),
        "object": name,
        "code": 200,
        "msg": "Supervise complete" if moment.event else "Moderation complete",
        "channelName": room,
        "userId": uid,
        "timestamp": int(stamp),
    }
    if moment.event:
        return Told(content, request_id)
    scene = "drawing" if worst.theme == "novel" else _SCENES[worst.decision]
    # The text of the vendor's page and its samples disagree on the key's name and on capital letters.
    key = random.choice(("results", "results", "result"))
    title = random.random() < 0.2
    content[key] = {"porn": {"outputs": _outputs(scene, worst.score), "scene": scene}}
    content["suggestion"] = worst.decision.title() if title else worst.decision
    return Told(content, request_id, (Judged(worst.decision, scene),))


def _outputs(scene: str, score: float) -> dict[str, float]:
    others = [name for name in ("neutral", "porn", "sexy") if name != scene]
    shares = {name: round((1 - score) / len(others), 9) for name in others}
    return {**shares, scene: score}
