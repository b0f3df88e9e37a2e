"""Shumei's stream API, which audio and video share: start, finish, codes, and the optional encryption of the body.

There is nothing to query: a stream tells of itself by its callbacks alone.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.padding import PKCS7

from ingest.clients.contract import (
    AlreadyRunning,
    Opening,
    Prepared,
    Start,
    Started,
    Status,
    Task,
    TaskState,
)
from moderato.settings import Tenant
from moderato.vendor import Answer, Caller, Rate, Refused, Request, Rule, Throttled, Unavailable, Unreadable
from moderato.vendor import by_status as by_http_status
from moderato.vendor.answers import field_text, seen_code, seen_message

MAX_DATA = 1024 * 1024  # bytes of `data`

# Shumei gives each company its own limit, which we are not told: 1901 is what says that it is reached.
_RATE = Rate(20)
_START = Rule(timeout=5, waits=(1, 3), limit="start", rate=_RATE)
_FINISH = Rule(timeout=5, waits=(1, 3, 6), limit="finish", rate=_RATE)

_DUPLICATE = "1001"
_NO_SUCH_STREAM = "1909"
_REFUSED = {"1902": "wrong parameter", "9100": "no balance", "9101": "not allowed"}


class ShumeiClient:
    """One stream product for one tenant: `path` is its start, `finish_<path>` its end. `body` makes the request from
    a start, but for the keys of the account."""

    def __init__(
        self,
        opening: Opening,
        path: str,
        base: str,
        body: Callable[[Start], dict[str, Any]],
        pull_failed: bool,
    ) -> None:
        credentials = opening.tenant.credentials.shumei
        assert credentials is not None, "Kind.missing comes first"
        self._access_key = credentials.access_key.get_secret_value()
        self._app_id = credentials.app_id
        secret = credentials.secret_key.get_secret_value() if credentials.secret_key else None
        self._secret_key = secret
        self._start_url = f"{base}/{path}/v4"
        self._finish_url = f"{base}/finish_{path}/v4"
        self._body = body
        self._pull_failed = pull_failed
        self._caller = Caller(
            "shumei",
            self._access_key,
            opening.session,
            opening.rates,
            (self._access_key, *([secret] if secret else [])),
        )

    async def prepare(self, start: Start, attempt: int = 0) -> Prepared:
        """Nothing to prepare."""
        return Prepared()

    async def start(self, start: Start, prepared: Prepared) -> Started:
        """Starts the stream, or adopts the one that Shumei calls a duplicate of."""
        body = {"accessKey": self._access_key, "appId": self._app_id, **self._body(start)}
        data = orjson.dumps(body["data"])
        if len(data) > MAX_DATA:
            raise Refused(
                "shumei", "start", f"data has {len(data)} bytes, {MAX_DATA} are allowed", code="1902"
            )
        if self._secret_key is not None:
            body |= {"encryptType": "sm4", "data": encrypted(self._secret_key, data)}
        request_id, adopted = await self._caller.call(
            "start",
            _START,
            lambda attempt: Request.json(self._start_url, body),
            self._judge_start,
            parse=lenient_json,
        )
        return Started(request_id, adopted)

    async def query(self, task: Task) -> Status:
        """Shumei cannot be asked."""
        return Status(TaskState.UNKNOWN)

    async def stop(self, task: Task) -> None:
        """Finishes the stream."""
        body = {"accessKey": self._access_key, "requestId": task.task_id}
        await self._caller.call(
            "finish",
            _FINISH,
            lambda attempt: Request.json(self._finish_url, body),
            self._judge_finish,
            parse=lenient_json,
        )

    def _judge_start(self, answer: Answer) -> tuple[str, bool]:
        detail = answer.body.get("detail")
        detail = detail if isinstance(detail, dict) else {}
        # The code that comes with a duplicate is not documented, so that the detail decides.
        if seen_code(detail, "errorCode", "errorcode") == _DUPLICATE:
            running = field_text(detail, "dupRequestId")
            if running:
                return running, True
            raise AlreadyRunning(
                "shumei", "start", "a duplicate push of a stream it does not name", code=_DUPLICATE
            )
        self._judge("start", answer)
        if (error := seen_code(detail, "errorCode", "errorcode")) not in (None, "0"):
            raise Refused("shumei", "start", seen_message(answer.body, "message"), code=error)
        request_id = field_text(answer.body, "requestId")
        if request_id is None:
            raise Unreadable("shumei", "start", "its answer has no requestId", code="1100")
        return request_id, False

    def _judge_finish(self, answer: Answer) -> None:
        if seen_code(answer.body, "code") != _NO_SUCH_STREAM:
            self._judge("finish", answer)

    def _judge(self, operation: str, answer: Answer) -> None:
        code, message = seen_code(answer.body, "code"), seen_message(answer.body, "message")
        if code == "1100":
            return
        if code == "1901" or (code == "1904" and not self._pull_failed):
            # For video 1904 means too many streams, for audio that the stream cannot be pulled.
            raise Throttled(
                "shumei", operation, message or "over the limit", code=code, retry_after=answer.retry_after
            )
        if code in ("1903", "1904"):
            raise Unavailable("shumei", operation, message or "service failure", code=code, sent=True)
        if code in _REFUSED:
            raise Refused("shumei", operation, message or _REFUSED[code], code=code)
        by_http_status("shumei", operation, answer, code, message)
        if code is None:
            raise Unreadable("shumei", operation, "its answer has no code", code=f"http-{answer.status}")
        raise Refused("shumei", operation, message or "an unknown code", code=code)


def missing(tenant: Tenant) -> list[str]:
    """Shumei's credentials."""
    return ["credentials.shumei: is missing"] if tenant.credentials.shumei is None else []


def encrypted(secret_key: str, data: bytes) -> str:
    """`data` by Shumei's guide: base64 of SM4-CBC with PKCS7, the key's first 16 bytes, and an IV of zeros."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(SM4(secret_key.encode()[:16]), modes.CBC(bytes(16))).encryptor()
    padded = padder.update(data) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def lenient_json(body: bytes) -> Any:
    """JSON, with the comma before a closing brace that Shumei's own sample of a finish has. Raises ValueError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.loads(re.sub(rb",(\s*\})", rb"\1", body))
