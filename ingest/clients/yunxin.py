"""Yunxin's server API, as far as moderation needs it: the listening token, and what is known of a room."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ingest.clients.contract import NotYet, Opening
from moderato.vendor import Answer, Caller, Rate, Request, Rule, Unreadable
from moderato.vendor.answers import field_text, seen_code
from moderato.vendor.yunxin import require_good, signed_headers

LONGEST_TOKEN = 2_592_000  # seconds, 30 days

_RATE = Rate(20)  # Yunxin's limits are not published
_TOKEN = Rule(timeout=5, waits=(1, 3), limit="token", rate=_RATE)
_READ = Rule(timeout=5, waits=(1, 3), limit="rooms", rate=_RATE)

_BAD_OR_EMPTY = "414"


@dataclass(frozen=True, slots=True)
class ListeningToken:
    """`checksum` is the token of a yunxin:// URL, usable many times until it expires."""

    checksum: str
    cid: str | None


class YunxinClient:
    """For one tenant's application."""

    def __init__(self, opening: Opening, now: Callable[[], float] = time.time) -> None:
        credentials = opening.tenant.credentials.yunxin
        assert credentials is not None, "Kind.missing comes first"
        self._credentials = credentials
        self._now = now
        secret = credentials.app_secret.get_secret_value()
        self._caller = Caller("yunxin", credentials.app_key, opening.session, opening.rates, (secret,))

    async def listening_token(
        self, channel: str, uid: int, expire_seconds: int = LONGEST_TOKEN
    ) -> ListeningToken:
        """A token for `uid` to listen to the room with (getRecordSdkUserChecksum, type 1).

        Raises NotYet for 414, which Yunxin says while the room has no member, and for a wrong app_secret as well."""
        url = f"{self._credentials.base_url}/nimserver/nrtc/getRecordSdkUserChecksum.action"
        fields = {"channelName": channel, "type": "1", "uid": str(uid), "expireSeconds": str(expire_seconds)}
        return await self._caller.call(
            "token", _TOKEN, lambda _: Request.form(url, fields, self._headers()), _judge_token
        )

    async def room(self, channel: str) -> dict[str, Any] | None:
        """What Yunxin knows of a room, as it says it; None when there is no such room."""
        return await self._caller.call("room", _READ, self._get("rooms", {"cname": channel}), _judge_room)

    async def members(self, channel: str, uid: int | None = None) -> list[str] | None:
        """The uids in a room, or that one if it is in it; None when there is no such room."""
        parameters = {"cname": channel} | ({} if uid is None else {"uid": str(uid)})
        return await self._caller.call(
            "members", _READ, self._get("rooms/members", parameters), _judge_members
        )

    def _get(self, path: str, parameters: dict[str, str]) -> Callable[[int], Request]:
        url = f"{self._credentials.rtc_base_url}/v3/api/{path}?{urlencode(parameters)}"
        return lambda _: Request("GET", url, {"content-type": "application/json", **self._headers()})

    def _headers(self) -> dict[str, str]:
        return signed_headers(self._credentials, self._now)


def _judge_token(answer: Answer) -> ListeningToken:
    if seen_code(answer.body, "code") == _BAD_OR_EMPTY:
        message = "the room has no member yet, or the parameters or app_secret are wrong"
        raise NotYet("yunxin", "token", message, code=_BAD_OR_EMPTY)
    require_good("token", answer)
    checksum = field_text(answer.body, "checksum")
    if checksum is None or not checksum.isalnum():
        raise Unreadable("yunxin", "token", "its answer has no checksum", code=f"http-{answer.status}")
    return ListeningToken(checksum, field_text(answer.body, "cid"))


def _judge_room(answer: Answer) -> dict[str, Any] | None:
    if answer.status == 404 or seen_code(answer.body, "code") == "404":
        return None
    require_good("room", answer)
    return answer.body


def _judge_members(answer: Answer) -> list[str] | None:
    if answer.status == 404 or seen_code(answer.body, "code") == "404":
        return None
    require_good("members", answer)
    return list(dict.fromkeys(_uids(answer.body)))


def _uids(value: Any, depth: int = 0) -> Iterator[str]:
    """Every `uid`, and all of a `uids`: the layout of the answer is not published."""
    if depth > 5:
        return
    if isinstance(value, list):
        for item in value:
            yield from _uids(item, depth + 1)
    elif isinstance(value, dict):
        if (uid := field_text(value, "uid")) is not None:
            yield uid
        uids = value.get("uids")
        if isinstance(uids, list):
            yield from (text for item in uids if (text := field_text({"uid": item}, "uid")) is not None)
        for item in value.values():
            yield from _uids(item, depth + 1)
