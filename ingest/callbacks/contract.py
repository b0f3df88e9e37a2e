"""What the receiver asks of a source, and what it gives it: one callback as it was delivered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from ingest.callbacks.fields import looks_like_json
from ingest.refusals import Refused

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_MAX_FORM_FIELDS = 200


class Family(Enum):
    """What a Content-Type header says about a body, as far as it matters here."""

    NONE = auto()
    JSON = auto()
    FORM = auto()
    PLAIN = auto()
    OTHER = auto()


JSON_ONLY = frozenset({Family.NONE, Family.JSON})
FORM_ONLY = frozenset({Family.NONE, Family.FORM})
# For vendors who do not say which one they send.
ANY_TEXT = frozenset({Family.NONE, Family.JSON, Family.FORM, Family.PLAIN})

_FAMILIES = {
    "": Family.NONE,
    JSON: Family.JSON,
    "text/json": Family.JSON,
    FORM: Family.FORM,
    "text/plain": Family.PLAIN,
    "application/octet-stream": Family.PLAIN,
}


@lru_cache(maxsize=256)
def family(content_type: str) -> Family:
    """The family of a Content-Type header, "" for a missing one; parameters do not count."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("application/") and media_type.endswith("+json"):
        return Family.JSON
    return _FAMILIES.get(media_type, Family.OTHER)


class Delivery:
    """One callback: its decoded body, and its headers under names without case."""

    __slots__ = ("_form", "body", "content_type", "headers")

    def __init__(self, body: bytes, content_type: str, headers: Mapping[str, str]) -> None:
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self._form: dict[str, str] | None = None

    @property
    def is_json(self) -> bool:
        """Whether a body that is due as a form is JSON all the same: a polled item has no form around it."""
        return family(self.content_type) is Family.JSON or looks_like_json(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The form in UTF-8; of a repeated field the first counts, as vendors' own servers do. Raises Refused."""
        if self._form is None:
            self._form = _parse_form(self.body)
        return self._form


def _parse_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FORM_FIELDS
        )
    except UnicodeDecodeError:
        raise Refused("bad_form", "the form is not UTF-8") from None
    except ValueError:
        raise Refused("bad_form", f"the form has more than {_MAX_FORM_FIELDS} fields") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        form.setdefault(name, value)
    return form


class Found(NamedTuple):
    """The id and the moderation task that a body names; None for what it does not name."""

    id: str | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """A registry entry: what one source's callbacks are like.

    `verify` raises Refused for a signature that is missing or wrong; with `enforced` False it is only counted.
    `needs` are the secrets that it cannot do without, each by its alternative names; `may` are those that are checked
    when they are set."""

    accepts: frozenset[Family]
    acknowledgement: bytes
    identify: Callable[[Delivery], Found]
    verify: Callable[[Delivery, Mapping[str, str]], None] | None = None
    needs: tuple[tuple[str, ...], ...] = ()
    may: tuple[str, ...] = ()
    enforced: bool = True
    content_type: str = JSON


def missing(what: str) -> Refused:
    """The refusal of a callback whose signature, or what it is made of, is not there."""
    return Refused("missing_signature", f"{what} is missing")


def wrong(what: str) -> Refused:
    """The refusal of a callback whose signature does not match."""
    return Refused("bad_signature", f"{what} does not match")
