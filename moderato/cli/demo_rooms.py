"""The demo's rooms that are watched on request: started through the Sessions API, at simulated vendors whose tasks then
call back."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from moderato.errors import Fatal
from moderato.sources import Source
from simulator.control.accounts import Accounts
from simulator.control.server import ControlServer
from simulator.control.world import World
from simulator.counters import Tally
from simulator.targets import Target

_EACH = 2  # rooms of every source that can be started
_REPORT = 1.0  # seconds between two callbacks of a task; vendors have 10
_WAIT = 10  # seconds until a session has to have started, or ended
_DEADLINE = aiohttp.ClientTimeout(total=30.0)

_STREAM = {"type": "ZEGO", "token_id": "t", "room_id": "{room}"}
_PARAMETERS: Mapping[Source, dict[str, Any]] = {
    Source.AGORA_VOICE: {"channel": "{room}", "uid": "1"},
    Source.AGORA_VIDEO: {"channel": "{room}", "uid": "2"},
    Source.SHUMEI_AUDIO: {"stream": _STREAM, "token_id": "host", "type": "POLITY_EROTIC_ABUSE_AD"},
    Source.SHUMEI_VIDEO: {"stream": _STREAM, "token_id": "host", "img_type": "POLITY_EROTIC_AD"},
    Source.IFLYTEK_AUDIO: {
        "files": [{"file_url": "https://cdn.example.com/{room}.mp3", "name": "{room}"}],
        "room": "{room}",
    },
    Source.YIDUN_AUDIO: {"url": "rtmp://live.example.com/yidun/{room}", "room": "{room}"},
}


class Rooms:
    """Simulated vendors with their control APIs, and the sessions that watch rooms there."""

    def __init__(self, targets: Sequence[Target]) -> None:
        given = {target.source: target.secrets for target in targets}
        yidun = given[Source.YIDUN_AUDIO]
        self._accounts = Accounts(
            aliyun_uid=given[Source.AGORA_VOICE]["uid"],
            yidun_secret_id=yidun["secret_id"],
            yidun_business_id=yidun["business_id"],
            yidun_secret_key=yidun["secret_key"],
        )
        self._server = ControlServer(World(accounts=self._accounts), report_seconds=_REPORT)
        self._token = secrets.token_urlsafe(24)
        self._api = ""
        self._ids: list[str] = []

    async def start(self) -> None:
        """The vendors listen."""
        await self._server.start()

    async def stop(self) -> None:
        """The vendors end."""
        await self._server.stop()

    @property
    def told(self) -> Tally:
        """What tasks have called back, and what answers that got."""
        return self._server.counters.total

    @property
    def running(self) -> int:
        """Tasks that run at the vendors."""
        return len(self._server.world.book.all_running())

    def sections(self, receiver: str) -> dict[str, Any]:
        """The settings that starting sessions needs; `receiver` is the address that vendors call."""
        scopes = ["sessions:read", "sessions:write"]
        return {
            "sessions": {"callback_base_url": receiver},
            "capability_keys": [secrets.token_urlsafe(32)],
            "api": {
                "host": "127.0.0.1",
                "port": 0,
                "tokens": {"demo": {"token": self._token, "scopes": scopes}},
            },
        }

    def credentials(self) -> dict[str, Any]:
        """A tenant's, for these vendors."""
        accounts, url = self._accounts, self._server.url
        return {
            "agora": {
                "app_id": accounts.agora_app_id,
                "customer_id": accounts.agora_customer_id,
                "customer_secret": accounts.agora_customer_secret,
                "base_urls": [f"{url}/agora"],
            },
            "aliyun": {"access_key": "AK", "secret_key": secrets.token_hex(16)},
            "shumei": {"access_key": accounts.shumei_access_key, "base_url": f"{url}/shumei"},
            "iflytek": {
                "app_id": accounts.iflytek_app_id,
                "access_key_id": accounts.iflytek_access_key_id,
                "access_key_secret": accounts.iflytek_access_key_secret,
                "base_url": f"{url}/iflytek",
            },
            "yidun": {
                "secret_id": accounts.yidun_secret_id,
                "secret_key": accounts.yidun_secret_key,
                "business_id": accounts.yidun_business_id,
                "base_url": f"{url}/yidun",
            },
        }

    async def open(self, api_port: int) -> None:
        """Starts a session for every room. Raises Fatal when one does not become active."""
        self._api = f"http://127.0.0.1:{api_port}/v1/sessions"
        wishes = [
            {"source": source, "parameters": _filled(parameters, f"{source.replace('_', '-')}-{number}")}
            for source, parameters in _PARAMETERS.items()
            for number in range(1, _EACH + 1)
        ]
        async with aiohttp.ClientSession(timeout=_DEADLINE) as http:
            sessions = await asyncio.gather(*(self._call(http, "POST", "", wish) for wish in wishes))
        self._ids = [session["id"] for session in sessions]
        if failed := [session for session in sessions if session["state"] != "active"]:
            states = Counter(session["state"] for session in failed)
            raise Fatal(f"{len(failed)} sessions did not become active: {dict(states)}, {failed[0]['fault']}")

    async def close(self) -> None:
        """Stops every session: their tasks end at the vendors."""
        ids, self._ids = self._ids, []
        async with aiohttp.ClientSession(timeout=_DEADLINE) as http:
            await asyncio.gather(*(self._call(http, "DELETE", f"/{id}") for id in ids))

    async def _call(self, http: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        address = f"{self._api}{path}?wait={_WAIT}s"
        async with http.request(method, address, json=body, headers=headers) as response:
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise Fatal(f"the API answered {response.status}: {answer}")
            return answer


def _filled(value: Any, room: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, room) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, room) for each in value]
    return value.replace("{room}", room) if isinstance(value, str) else value
