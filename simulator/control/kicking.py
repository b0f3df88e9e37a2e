"""Agora's kicking-rule API: create, list, change and delete rules against users and channels."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from simulator.control.agora import THROTTLED, authenticated
from simulator.control.world import (
    Asked,
    Refusal,
    Reply,
    Route,
    World,
    is_int,
    is_text,
    json_object,
    media_type,
)

_MOST_CALLS = 10  # a second, per Agora account
_USUAL_SECONDS = 3600
_PRIVILEGES = {"join_channel", "publish_audio", "publish_video"}


@dataclass(slots=True)
class _Rule:
    id: int
    given: dict[str, Any]
    made: float
    updated: float
    seconds: int
    deleted: bool = False

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "appid": self.given["appid"],
            "uid": self.given.get("uid"),
            "opid": 1406,
            "cname": self.given.get("cname"),
            "ip": self.given.get("ip", ""),
            "ts": _time(self.updated + self.seconds),
            "privileges": self.given["privileges"],
            "createAt": _time(self.made),
            "updateAt": _time(self.updated),
        }


class KickingRules:
    """`<prefix>/dev/v1/kicking-rule`."""

    prefix = "/agora"
    path = "/dev/v1/kicking-rule"

    def __init__(self, world: World) -> None:
        self._world = world
        self._rules: dict[int, _Rule] = {}
        world.show["kicking_rules"] = self._book

    def routes(self) -> list[Route]:
        """Create, list, change, delete."""
        return [
            Route("kick", "POST", self.path, self._create, THROTTLED),
            Route("list_rules", "GET", self.path, self._list, THROTTLED),
            Route("change_rule", "PUT", self.path, self._change, THROTTLED),
            Route("delete_rule", "DELETE", self.path, self._delete, THROTTLED),
        ]

    async def _create(self, asked: Asked) -> Reply:
        given = self._body(asked)
        privileges = given.get("privileges")
        if not isinstance(privileges, list) or not privileges or not set(map(str, privileges)) <= _PRIVILEGES:
            raise _bad("invalid privileges")
        if "uid" in given and not is_int(given["uid"], 1, 2**32 - 1):
            raise _bad("invalid uid")
        if "cname" in given and not is_text(given["cname"], 64):
            raise _bad("invalid cname")
        ip = given.get("ip", "")
        if not isinstance(ip, str) or ip == "0":
            raise _bad("invalid ip")
        if not ip and "uid" not in given and "cname" not in given:
            raise _bad("one of ip, cname and uid is due")
        if ip and ("uid" in given or "cname" in given):
            raise _bad("ip stands alone")
        now = self._world.clock.now()
        rule = _Rule(1953 + len(self._rules), given, now, now, _seconds(given))
        self._rules[rule.id] = rule
        return Reply({"status": "success", "id": rule.id})

    async def _list(self, asked: Asked) -> Reply:
        self._admit(asked)
        app_id = self._app_id(asked.http.query.get("appid"))
        now = self._world.clock.now()
        rules = [
            rule.shown()
            for rule in self._rules.values()
            if rule.given["appid"] == app_id and not rule.deleted and rule.updated + rule.seconds > now
        ]
        return Reply({"status": "success", "rules": rules})

    async def _change(self, asked: Asked) -> Reply:
        given = self._body(asked)
        rule = self._rule(given)
        if "time" not in given and "time_in_seconds" not in given:
            raise _bad("time or time_in_seconds is due")
        rule.updated, rule.seconds = self._world.clock.now(), _seconds(given)
        return Reply({"status": "success", "result": {"id": rule.id, "ts": rule.shown()["ts"]}})

    async def _delete(self, asked: Asked) -> Reply:
        rule = self._rule(self._body(asked))
        rule.deleted = True
        return Reply({"status": "success", "id": rule.id})

    def _admit(self, asked: Asked) -> None:
        authenticated(self._world, asked)
        key = f"kicking-rule/{self._world.accounts.agora_customer_id}"
        if not self._world.rates.admits(key, self._world.clock.now(), _MOST_CALLS, 1.0):
            raise Refusal(THROTTLED)

    def _body(self, asked: Asked) -> dict[str, Any]:
        self._admit(asked)
        if media_type(asked.http)[0] != "application/json":
            raise Refusal(Reply({"message": "Content-Type must be application/json"}, 415))
        given = json_object(asked.body)
        if given is None:
            raise _bad("invalid body")
        self._app_id(given.get("appid"))
        return given

    def _app_id(self, given: object) -> str:
        app_id = self._world.accounts.agora_app_id
        if given != app_id:
            raise _bad("invalid appid")
        return app_id

    def _rule(self, given: dict[str, Any]) -> _Rule:
        rule = self._rules.get(given["id"]) if is_int(given.get("id"), 0, 2**53) else None
        if rule is None or rule.deleted:
            raise Refusal(Reply({"message": "rule not found"}, 404))
        return rule

    def _book(self) -> object:
        return [
            rule.shown() | {"seconds": rule.seconds, "made": rule.made, "deleted": rule.deleted}
            for rule in self._rules.values()
        ]


def _seconds(given: dict[str, Any]) -> int:
    """0 is a kick of the moment; everything else is clamped to what the vendor allows."""
    for name, unit, low, high in (("time_in_seconds", 1, 10, 86_430), ("time", 60, 1, 1440)):
        if name not in given:
            continue
        value = given[name]
        if not is_int(value, -(2**31), 2**31):
            raise _bad(f"invalid {name}")
        return unit * min(max(value, low), high) if value else 0
    return _USUAL_SECONDS


def _time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _bad(message: str) -> Refusal:
    return Refusal(Reply({"message": message}, 400))
