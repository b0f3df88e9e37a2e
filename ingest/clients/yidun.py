"""Yidun's signed forms and its codes, which every call shares (Yidun's SDKs and demos)."""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ingest.clients.contract import Opening
from ingest.signatures import yidun_signature
from moderato.vendor import Answer, Caller, Refused, Request, Rule, Throttled, Unavailable, Unreadable
from moderato.vendor import by_status as by_http_status
from moderato.vendor.answers import seen_code, seen_message

T = TypeVar("T")

# Every attempt has a fresh time and nonce: a replay (430) can only be somebody else's nonce.
_LATER = frozenset({"411", "429", "430"})
_REFUSED = {
    "400": "secretId or businessId is missing",
    "401": "secretId or businessId is wrong or has expired",
    "402": "the business is offline",
    "404": "the business is not configured",
    "405": "wrong parameter",
    "410": "the signature is wrong",
    "414": "a parameter is too long",
    "415": "the plan does not allow it",
    "420": "the timestamp is out of the window: see the clock",
}


class YidunApi:
    """Signed calls for one tenant's business."""

    def __init__(self, opening: Opening, now: Callable[[], float] = time.time) -> None:
        credentials = opening.tenant.credentials.yidun
        assert credentials is not None, "Kind.missing comes first"
        self._credentials = credentials
        self._secret_key = credentials.secret_key.get_secret_value()
        self._now = now
        self.version = credentials.version
        account = f"{credentials.secret_id}/{credentials.business_id}"
        self._caller = Caller("yidun", account, opening.session, opening.rates, (self._secret_key,))

    async def call(
        self,
        operation: str,
        rule: Rule,
        path: str,
        version: str,
        fields: Mapping[str, str],
        judge: Callable[[Any], T],
    ) -> T:
        """One POST; `judge` takes the envelope's `result` of an answer with code 200."""

        def request(attempt: int) -> Request:
            return Request.form(f"{self._credentials.base_url}{path}", self._signed(version, fields))

        return await self._caller.call(
            operation, rule, request, lambda answer: judge(result_of(operation, answer))
        )

    def _signed(self, version: str, fields: Mapping[str, str]) -> dict[str, str]:
        form = {
            "secretId": self._credentials.secret_id,
            "businessId": self._credentials.business_id,
            "version": version,
            "timestamp": str(int(self._now() * 1000)),
            "nonce": secrets.token_hex(16),
            **fields,
        }
        if self._credentials.signature_method is not None:
            form["signatureMethod"] = self._credentials.signature_method
        form["signature"] = yidun_signature(form, self._secret_key)
        return form


def result_of(operation: str, answer: Answer) -> Any:
    """The envelope's `result`. Raises what its code calls for; 503 is the one that another attempt may mend."""
    code, message = seen_code(answer.body, "code"), seen_message(answer.body, "msg", "message")
    if code == "200":
        return answer.body.get("result")
    if code in _LATER:
        raise Throttled("yidun", operation, message or "too many", code=code, retry_after=answer.retry_after)
    if code == "503":
        raise Unavailable("yidun", operation, message or "service unavailable", code=code, sent=True)
    if code in _REFUSED:
        raise Refused("yidun", operation, message or _REFUSED[code], code=code)
    by_http_status("yidun", operation, answer, code, message)
    if code is None:
        raise Unreadable("yidun", operation, "its answer has no code", code=f"http-{answer.status}")
    raise Refused("yidun", operation, message or "an unknown code", code=code)
