"""Why a callback is refused: the closed set of error codes, each with its one HTTP status."""

from collections.abc import Sequence
from http import HTTPStatus

from moderato.errors import ModeratoError

STATUS: dict[str, HTTPStatus] = {
    "bad_request": HTTPStatus.BAD_REQUEST,
    "empty_body": HTTPStatus.BAD_REQUEST,
    "bad_encoding": HTTPStatus.BAD_REQUEST,
    "bad_form": HTTPStatus.BAD_REQUEST,
    "bad_token": HTTPStatus.UNAUTHORIZED,
    "missing_signature": HTTPStatus.UNAUTHORIZED,
    "bad_signature": HTTPStatus.UNAUTHORIZED,
    "unknown_path": HTTPStatus.NOT_FOUND,
    "unknown_source": HTTPStatus.NOT_FOUND,
    "unknown_tenant": HTTPStatus.NOT_FOUND,
    "source_not_configured": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "body_timeout": HTTPStatus.REQUEST_TIMEOUT,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported_encoding": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "kafka_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "internal_error": HTTPStatus.SERVICE_UNAVAILABLE,
    "client_gone": HTTPStatus.BAD_REQUEST,
}
"""`client_gone` is counted only: nobody is left to read its answer."""

_NOWHERE = ("unknown_path", "unknown_source")
OF_SOURCE = tuple(code for code in STATUS if code not in _NOWHERE)
"""What can be said to a request for a source that some tenant has."""
OF_NO_SOURCE = (
    *_NOWHERE,
    "bad_request",
    "unknown_tenant",
    "source_not_configured",
    "method_not_allowed",
    "internal_error",
)
"""What can be said to all others."""

# After these the rest of the body is unread, or the connection cannot be trusted to be in step.
CLOSING = frozenset({"bad_request", "body_timeout", "body_too_large"})

Header = tuple[str, str]


class Refused(ModeratoError):
    """A callback that is answered with an error. `detail` is for the caller: no secret, and nothing echoed."""

    def __init__(self, code: str, detail: str, headers: Sequence[Header] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.headers = headers
