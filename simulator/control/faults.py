"""What goes wrong on request: a queue of faults, each for some calls of one vendor and operation."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """`error`, `timeout`, `slow`, `rate_limit` and `answer` come before the vendor does anything; `lost`, `truncated`,
    `html`, `empty` and `huge` after it did; the others change what becomes of a start."""

    ERROR = "error"
    TIMEOUT = "timeout"
    SLOW = "slow"
    RATE_LIMIT = "rate_limit"
    ANSWER = "answer"
    LOST = "lost"
    TRUNCATED = "truncated"
    HTML = "html"
    EMPTY = "empty"
    HUGE = "huge"
    DUPLICATE = "duplicate"
    DIES = "dies"
    TOKEN_EXPIRES = "token_expires"  # noqa: S105


BEFORE = {Kind.ERROR, Kind.TIMEOUT, Kind.ANSWER}
OF_A_START = {Kind.DUPLICATE, Kind.DIES, Kind.TOKEN_EXPIRES}


class Fault(BaseModel):
    """For the next `times` calls (None: for all) that match; `operation` None matches all of the vendor. `status` is
    that of `error` and `answer`, `body` the JSON of `answer`, `seconds` how long `slow` and `timeout` wait."""

    model_config = ConfigDict(extra="forbid")

    vendor: str
    operation: str | None = None
    kind: Kind
    times: Annotated[int, Field(ge=1)] | None = 1
    status: Annotated[int, Field(ge=200, le=599)] = 503
    body: Any = None
    seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0


@dataclass(slots=True)
class _Left:
    fault: Fault
    times: int | None


class Faults:
    """The faults that are still to come, first come first served."""

    def __init__(self) -> None:
        self._left: list[_Left] = []

    def add(self, fault: Fault) -> None:
        """Behind those that wait already."""
        self._left.append(_Left(fault, fault.times))

    def clear(self) -> None:
        """All is well from now on."""
        self._left.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """What is still to come, `times` being what is left."""
        return [left.fault.model_dump() | {"times": left.times} for left in self._left]

    def take(self, vendor: str, operation: str) -> Fault | None:
        """The fault of this call."""
        for left in self._left:
            if left.fault.vendor == vendor and left.fault.operation in (None, operation):
                if left.times is not None:
                    left.times -= 1
                    if not left.times:
                        self._left.remove(left)
                return left.fault
        return None
