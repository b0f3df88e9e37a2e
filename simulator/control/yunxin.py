"""NetEase Yunxin: the listening token, and rooms with members to look at, kick, and close (v2 by cid, v3 by name)."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

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
    new_id,
)

THROTTLED = Reply({"code": 416, "desc": "rate limit"}, 429)
_CLOCK_SECONDS = 300
_LONGEST_TOKEN = 2_592_000
_USUAL_TOKEN = 86_400  # what is given when nothing is asked for; the document does not say


@dataclass(slots=True)
class _Room:
    cid: int
    name: str
    members: set[int] = field(default_factory=set)
    kicked: dict[int, int | None] = field(default_factory=dict)
    """By uid: the duration as it was given."""
    closed: bool = False


class Yunxin:
    """`<prefix>/nimserver/…`, `/v2/api/…` and `/v3/api/…`; a test makes rooms with `POST /yunxin/_rooms`."""

    prefix = "/yunxin"

    def __init__(self, world: World) -> None:
        self._world = world
        self._rooms: dict[int, _Room] = {}
        world.show["yunxin_rooms"] = self._book

    def routes(self) -> list[Route]:
        """Token, rooms, members, kicks."""
        v2, v3 = "/v2/api", "/v3/api"
        token = "/nimserver/nrtc/getRecordSdkUserChecksum.action"  # noqa: S105
        found: list[tuple[str, str, str, Any]] = [
            ("token", "POST", token, self._token),
            ("create_room", "POST", f"{v2}/room", self._create),
            ("room", "GET", v2 + "/rooms/{cid}", self._show),
            ("room", "GET", f"{v3}/rooms", self._show),
            ("members", "GET", v2 + "/rooms/{cid}/members", self._members),
            ("members", "GET", v2 + "/rooms/{cid}/members/{uid}", self._members),
            ("members", "GET", f"{v3}/rooms/members", self._members),
            ("kick", "POST", v2 + "/kicklist/{cid}/members/{uid}", self._kick),
            ("kick", "POST", v2 + "/kicklist/{cid}/members/{uid}/{duration}", self._kick),
            ("kick", "POST", f"{v3}/kicklist/members", self._kick),
            ("kicked", "GET", v2 + "/kicklist/{cid}", self._kicked),
            ("kicked", "GET", f"{v3}/kicklist", self._kicked),
            ("unkick", "DELETE", v2 + "/kicklist/{cid}/members/{uid}", self._unkick),
            ("unkick", "DELETE", f"{v3}/kicklist/members", self._unkick),
            ("close_room", "DELETE", v2 + "/rooms/{cid}", self._close),
            ("close_room", "DELETE", f"{v3}/rooms", self._close),
            ("set_room", "POST", "/_rooms", self._set),
        ]
        return [
            Route(operation, method, path, handler, THROTTLED) for operation, method, path, handler in found
        ]

    async def _set(self, asked: Asked) -> Reply:
        """Of a test: `{"name", "members": [uids]}` makes the room or changes who is in it."""
        given = json_object(asked.body) or {}
        members = given.get("members")
        if not is_text(given.get("name")) or not isinstance(members, list):
            return Reply({"faults": ["name and members are due"]}, 422)
        room = self._named(given["name"]) or self._new(given["name"])
        room.members = set(members)
        return Reply({"cid": room.cid})

    async def _token(self, asked: Asked) -> Reply:
        self._authenticate(asked)
        kind, charset = media_type(asked.http)
        if kind != "application/x-www-form-urlencoded" or charset not in ("", "utf-8"):
            raise _coded(414, "bad content type", 200)
        form = dict(parse_qsl(asked.body.decode(errors="replace"), keep_blank_values=True))
        expires = form.get("expireSeconds", str(_USUAL_TOKEN))
        needed = {"0": "accid", "1": "uid"}.get(form.get("type", ""))
        if not form.get("channelName") or needed is None or not expires.isdecimal():
            raise _coded(414, "bad parameter", 200)
        if needed == "uid" and not (form.get("uid") or "1").isdecimal():
            raise _coded(414, "bad uid", 200)
        if needed == "accid" and not form.get("accid"):
            raise _coded(414, "bad accid", 200)
        room = self._named(form["channelName"])
        if room is None or not room.members or int(form.get("uid") or 0) in room.members:
            raise _coded(414, "no such room, nobody in it, or the uid is a member's", 200)
        token = new_id()
        self._world.listening[token] = self._world.clock.now() + min(int(expires), _LONGEST_TOKEN)
        return Reply({"code": 200, "checksum": token, "cid": room.cid})

    async def _create(self, asked: Asked) -> Reply:
        self._authenticate(asked)
        given = json_object(asked.body)
        if media_type(asked.http)[0] != "application/json" or given is None:
            raise _coded(414, "bad content type")
        if not is_text(given.get("channelName")) or not is_int(given.get("mode"), 2, 2):
            raise _coded(414, "bad parameter")
        if self._named(given["channelName"]):
            raise _coded(417, "room exists", 200)
        return Reply({"code": 200, "errmsg": "", "cid": self._new(given["channelName"]).cid})

    async def _show(self, asked: Asked) -> Reply:
        room = self._room(asked)
        stats = {"cid": room.cid, "cname": room.name, "mode": 2, "total": len(room.members)}
        return Reply({"code": 200, "state": 1} | stats)

    async def _members(self, asked: Asked) -> Reply:
        room = self._room(asked)
        wanted = self._parameter(asked, "uid")
        members = [uid for uid in sorted(room.members) if wanted in (None, str(uid))]
        return Reply({"code": 200, "members": [{"uid": uid} for uid in members]})

    async def _kick(self, asked: Asked) -> Reply:
        room, uid = self._room(asked), self._uid(asked)
        duration = self._parameter(asked, "duration")
        if duration is not None and not duration.isdecimal():
            raise _coded(414, "bad duration")
        room.members.discard(uid)
        room.kicked[uid] = int(duration) if duration else None
        return Reply(None)

    async def _kicked(self, asked: Asked) -> Reply:
        return Reply({"code": 200, "uids": sorted(self._room(asked).kicked)})

    async def _unkick(self, asked: Asked) -> Reply:
        room, uid = self._room(asked), self._uid(asked)
        if uid not in room.kicked:
            raise _coded(404, "not kicked")
        del room.kicked[uid]
        return Reply({"code": 200})

    async def _close(self, asked: Asked) -> Reply:
        room = self._room(asked)
        room.closed = True
        room.members.clear()
        return Reply({"code": 200})

    def _authenticate(self, asked: Asked) -> None:
        headers, accounts = asked.http.headers, self._world.accounts
        nonce, current = headers.get("Nonce", ""), headers.get("CurTime", "")
        due = hashlib.sha1(f"{accounts.yunxin_app_secret}{nonce}{current}".encode()).hexdigest()  # noqa: S324
        good = (
            headers.get("AppKey") == accounts.yunxin_app_key
            and 0 < len(nonce) <= 128
            and current.isdecimal()
            and abs(self._world.clock.now() - int(current)) <= _CLOCK_SECONDS
            and hmac.compare_digest(due.encode(), headers.get("CheckSum", "").encode())
        )
        if not good:
            raise _coded(414, "bad checksum", 200 if "/nimserver/" in asked.http.path else 414)

    def _room(self, asked: Asked) -> _Room:
        self._authenticate(asked)
        if cid := asked.http.match_info.get("cid"):
            room = self._rooms.get(int(cid)) if cid.isdecimal() else None
        else:
            room = self._named(asked.http.query.get("cname", ""))
        if room is None or room.closed:
            raise _coded(404, "room not found")
        return room

    def _named(self, name: str) -> _Room | None:
        return next((room for room in self._rooms.values() if room.name == name and not room.closed), None)

    def _new(self, name: str) -> _Room:
        room = _Room(43_634_037_884_897 + len(self._rooms), name)
        self._rooms[room.cid] = room
        return room

    def _uid(self, asked: Asked) -> int:
        uid = self._parameter(asked, "uid") or ""
        if not uid.isdecimal() or int(uid) >= 2**64:
            raise _coded(414, "bad uid")
        return int(uid)

    @staticmethod
    def _parameter(asked: Asked, name: str) -> str | None:
        return asked.http.match_info.get(name) or asked.http.query.get(name)

    def _book(self) -> object:
        return [
            {
                "cid": room.cid,
                "name": room.name,
                "members": sorted(room.members),
                "kicked": {str(uid): duration for uid, duration in room.kicked.items()},
                "closed": room.closed,
            }
            for room in self._rooms.values()
        ]


def _coded(code: int, message: str, status: int | None = None) -> Refusal:
    return Refusal(
        Reply({"code": code, "desc": message, "errmsg": message}, code if status is None else status)
    )
