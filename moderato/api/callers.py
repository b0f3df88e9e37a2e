"""Who calls the API: bearer tokens, with the tenants and scopes of each."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

from moderato.api.problem import Problem
from moderato.settings import ApiToken, Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """`tenants` empty: all."""

    name: str
    scopes: frozenset[str]
    tenants: frozenset[str]

    def may_see(self, tenant: str) -> bool:
        """Whether this tenant is the caller's."""
        return not self.tenants or tenant in self.tenants

    def require(self, scope: Scope) -> None:
        """Raises Problem for a caller without it."""
        if scope not in self.scopes:
            raise Problem(HTTPStatus.FORBIDDEN, "forbidden", f"the token does not have the scope {scope}")


class Callers:
    """Every caller by its token."""

    def __init__(self, tokens: Mapping[str, ApiToken]) -> None:
        self._callers = [
            (
                sha256(given.token.get_secret_value().encode()).digest(),
                Caller(name, frozenset(given.scopes), frozenset(given.tenants)),
            )
            for name, given in tokens.items()
        ]

    def identify(self, authorization: str | None) -> Caller:
        """The caller of an Authorization header, found in a time that does not tell how much of a token was right.
        Raises Problem."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("a bearer token is due: Authorization: Bearer …")
        given = sha256(token.strip().encode("utf-8", "surrogatepass")).digest()
        found: Caller | None = None
        for digest, caller in self._callers:
            if hmac.compare_digest(digest, given):
                found = caller
        if found is None:
            raise _unauthorized("the bearer token is not one of ours")
        return found


def _unauthorized(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
