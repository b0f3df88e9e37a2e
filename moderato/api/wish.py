"""Reading what a caller wishes: faults with their places, and the tenant that is meant."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from moderato.api.callers import Caller
from moderato.api.problem import Fault
from moderato.settings import Tenant


def tenant_of(given: Any, caller: Caller, tenants: Mapping[str, Tenant], faults: list[Fault]) -> str | None:
    """The tenant that is meant: one who has but one need not name it. A fault is added when there is none."""
    own = [name for name in tenants if caller.may_see(name)]
    if given is None:
        if len(own) == 1:
            return own[0]
        faults.append(
            Fault("/tenant", "is due: the token is for more than one tenant" if own else "there is none")
        )
        return None
    if given in own:
        return str(given)
    if isinstance(given, str):
        faults.append(Fault("/tenant", "no such tenant"))
    return None


def faults_of(error: ValidationError, given: Any, prefix: str) -> list[Fault]:
    """What pydantic found, each with a JSON pointer into `given`."""
    return [
        Fault(prefix + _pointer(fault["loc"], given), fault["msg"].removeprefix("Value error, "))
        for fault in error.errors(include_input=False, include_url=False, include_context=False)
    ]


def _pointer(place: tuple[int | str, ...], given: Any) -> str:
    """A JSON pointer. pydantic's places name the chosen member of a union besides, which is nowhere in the body."""
    parts: list[str] = []
    for number, part in enumerate(place):
        last = number == len(place) - 1
        if isinstance(given, dict) and isinstance(part, str) and (part in given or last):
            given = given.get(part)
        elif isinstance(given, list) and isinstance(part, int) and part < len(given):
            given = given[part]
        elif not (last and isinstance(part, int)):
            continue
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)
