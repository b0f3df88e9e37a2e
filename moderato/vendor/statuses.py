"""What an HTTP status alone says, for vendors that use them."""

from http import HTTPStatus

from moderato.vendor.errors import Refused, Throttled, Unavailable
from moderato.vendor.http import Answer


def by_status(
    vendor: str, operation: str, answer: Answer, code: str | None = None, message: str = ""
) -> None:
    """Returns for 2xx. Raises Throttled for 429, Unavailable for 408 and 5xx, Refused for the rest. `code` and
    `message` are the vendor's own, where it gave any."""
    status = answer.status
    if 200 <= status < 300:
        return
    code = code or f"http-{status}"
    message = message or f"HTTP {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Throttled(vendor, operation, message, code=code, retry_after=answer.retry_after)
    if status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT:
        raise Unavailable(vendor, operation, message, code=code, sent=True)
    raise Refused(vendor, operation, message, code=code)
