"""The endpoint of the demo's customer: takes the enforcer's webhooks on loopback and believes none without a signature.

Written from the Standard Webhooks specification and not from our sender, so that it would notice a fault of ours.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping

from aiohttp import web

_TOLERANCE = 300.0  # seconds
_EPOCH = re.compile("[0-9]{1,12}")


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether the sender of a webhook knows `secret` (`whsec_…`) and sent it about `now`, epoch seconds."""
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _EPOCH.fullmatch(timestamp) or abs(now - int(timestamp)) > _TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, _bytes(f"{id}.{timestamp}.") + body, hashlib.sha256)
    due = f"v1,{base64.b64encode(digest).decode()}".encode()
    given = _bytes(headers.get("webhook-signature", "")).split()
    return any(hmac.compare_digest(due, signature) for signature in given)


def _bytes(header: str) -> bytes:
    # aiohttp hands over what is not UTF-8 as surrogates.
    return header.encode("utf-8", "surrogateescape")


class Endpoint:
    """`accepted`: how many different messages came with a good signature; `repeated` and `refused`: the others."""

    def __init__(self) -> None:
        self.secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self.repeated = 0
        self.refused = 0
        self._ids: set[str] = set()
        application = web.Application()
        application.router.add_post("/moderation", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)

    @property
    def accepted(self) -> int:
        return len(self._ids)

    @property
    def url(self) -> str:
        """Known once started."""
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/moderation"

    async def start(self) -> None:
        """Listens on a port of its own."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def stop(self) -> None:
        """Stops listening."""
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not verify(self.secret, request.headers, body, time.time()):
            self.refused += 1
            return web.Response(status=401)
        id = request.headers["webhook-id"]
        if id in self._ids:
            self.repeated += 1
        self._ids.add(id)
        return web.Response(status=204)
