"""What a call to a vendor may end in besides its answer. What to do next is in the class.

Messages name the vendor, the operation and the vendor's own code; never an address, a secret or a body.
"""

from moderato.errors import ModeratoError

MESSAGE_LIMIT = 200  # characters of a vendor's own words that are kept


class VendorError(ModeratoError):
    """`code` is the vendor's own code, or `http-<status>`, or None when nothing was answered.

    `unknown_outcome` is True when the vendor may have carried out the call although we hold no answer that says so:
    whoever starts something has to look before a second try.
    """

    unknown_outcome = False

    def __init__(self, vendor: str, operation: str, message: str, *, code: str | None = None) -> None:
        self.vendor = vendor
        self.operation = operation
        self.code = code
        self.message = message[:MESSAGE_LIMIT]
        super().__init__(f"{vendor} {operation}: {f'{code}: ' if code else ''}{self.message}")


class Refused(VendorError):
    """The vendor says no, or would: the same call is never right at a second try."""


class Throttled(VendorError):
    """Too many calls. After `retry_after` seconds another may pass."""

    def __init__(
        self, vendor: str, operation: str, message: str, *, code: str | None = None, retry_after: float = 0.0
    ) -> None:
        super().__init__(vendor, operation, message, code=code)
        self.retry_after = retry_after


class Unavailable(VendorError):
    """No usable answer: 50x, no connection, or none in time. `sent`: True when the vendor had the call (it answered
    50x), False when it surely had not, None when nobody knows."""

    def __init__(
        self, vendor: str, operation: str, message: str, *, code: str | None = None, sent: bool | None = None
    ) -> None:
        super().__init__(vendor, operation, message, code=code)
        self.sent = sent
        self.unknown_outcome = sent is not False


class Unreadable(VendorError):
    """A success by its status, but not the JSON that is due: empty, HTML, truncated, or longer than MAX_ANSWER."""

    unknown_outcome = True
