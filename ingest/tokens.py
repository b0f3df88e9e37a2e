"""Tokens of callback URLs: static ones from the settings, and signed capabilities made for one session.

A capability carries its session, so that a result finds it with no look-up. It is told from a static token by its dot.
"""

import hmac
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256

from itsdangerous import BadData, URLSafeSerializer

from ingest.refusals import Refused
from moderato.errors import Fatal
from moderato.sources import Source

_REMEMBERED = (
    4096  # sessions at work at one time, about; verifying one that is not remembered costs some 15 µs
)


class StaticTokens:
    """The static tokens of one source of one tenant, several at once for rotation."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._digests = tuple(sha256(token.encode()).digest() for token in tokens)

    def match(self, token: str) -> bool:
        """Whether `token` is one of them, in a time that does not tell how much of it was right."""
        given = sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(digest, given)
        return found


@dataclass(frozen=True, slots=True)
class Capability:
    """What a signed token allows: callbacks of one source to one tenant, for one session, until `expires` (epoch
    seconds)."""

    source: Source
    tenant: str
    session_id: str
    room: str | None
    user: str | None
    expires: int


class Capabilities:
    """Signs with the first key and verifies with all of them: a new key is put first, the old one goes when the last
    session that it signed for has ended."""

    def __init__(self, keys: Sequence[str]) -> None:
        # itsdangerous signs with the last key of its list.
        self._serializer = (
            URLSafeSerializer(
                list(reversed(keys)),
                salt="moderato.capability.v1",
                signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
            )
            if keys
            else None
        )
        self._verified = lru_cache(maxsize=_REMEMBERED)(self._load)

    def sign(self, capability: Capability) -> str:
        """The token for a callback URL. Raises Fatal without keys."""
        if self._serializer is None:
            raise Fatal("capability_keys: at least one key is needed to sign callback URLs")
        token = self._serializer.dumps(asdict(capability))
        return token if isinstance(token, str) else token.decode()

    def verify(self, token: str, source: Source, tenant: str, now: float) -> Capability:
        """The capability that we signed into `token`. Raises Refused when it is not ours, not for this source and
        tenant, or expired at `now` (epoch seconds)."""
        capability = self._verified(token)
        if (capability.source, capability.tenant) != (source, tenant):
            raise Refused("bad_token", "the capability in the URL is for another source or tenant")
        if capability.expires <= now:
            raise Refused("bad_token", "the capability in the URL has expired")
        return capability

    def _load(self, token: str) -> Capability:
        if self._serializer is None:
            raise Refused("bad_token", "this installation has no capability keys")
        try:
            return _capability(self._serializer.loads(token.encode("utf-8", "surrogatepass")))
        except (BadData, TypeError, KeyError, ValueError):
            raise Refused("bad_token", "the capability in the URL is not signed by us") from None


def _capability(signed: dict[str, object]) -> Capability:
    """Signed by us, but maybe by another version of us: the types are checked all the same."""
    room, user, expires = signed["room"], signed["user"], signed["expires"]
    if not isinstance(expires, int) or not isinstance(room, str | None) or not isinstance(user, str | None):
        raise TypeError("a capability of another shape")
    return Capability(
        Source(str(signed["source"])), str(signed["tenant"]), str(signed["session_id"]), room, user, expires
    )
