"""What every call to Yunxin's server APIs has in common."""

import hashlib
import secrets
import time
from collections.abc import Callable

from moderato.credentials import YunxinCredentials
from moderato.vendor.answers import seen_code, seen_message
from moderato.vendor.errors import Refused
from moderato.vendor.http import Answer
from moderato.vendor.statuses import by_status

_GOOD = frozenset({"200", "0", None})
_OUTAGES = frozenset({"500", "503"})


def signed_headers(credentials: YunxinCredentials, now: Callable[[], float] = time.time) -> dict[str, str]:
    """The headers of one attempt: they count for 5 minutes."""
    secret = credentials.app_secret.get_secret_value()
    return auth_headers(credentials.app_key, secret, secrets.token_hex(16), str(int(now())))


def auth_headers(app_key: str, app_secret: str, nonce: str, cur_time: str) -> dict[str, str]:
    """The four headers of every call; `cur_time` is in epoch seconds."""
    checksum = hashlib.sha1(f"{app_secret}{nonce}{cur_time}".encode(), usedforsecurity=False).hexdigest()
    return {"AppKey": app_key, "Nonce": nonce, "CurTime": cur_time, "CheckSum": checksum}


def require_good(operation: str, answer: Answer) -> None:
    """HTTP's status and Yunxin's own code both have to be good. Raises VendorError."""
    code = seen_code(answer.body, "code")
    message = seen_message(answer.body, "errmsg", "desc", "msg")
    by_status("yunxin", operation, answer, code, message)
    if code in _OUTAGES:
        by_status("yunxin", operation, Answer(503, {}), code, message)
    if code not in _GOOD:
        raise Refused("yunxin", operation, message or "an unknown code", code=code)
