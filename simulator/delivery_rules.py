"""How vendors deliver: how long they wait for an answer, what answer contents them, and when they try again."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

Accepts = Callable[[int, bytes], bool]
"""(HTTP status, body) of an answer -> whether the vendor takes the callback as delivered."""


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """`timeout`: seconds for one attempt. `waits`: seconds before each further attempt, so len + 1 attempts in all."""

    timeout: float
    waits: tuple[float, ...]
    accepts: Accepts


def status_200(status: int, body: bytes) -> bool:
    """Only the status counts."""
    return status == 200


def status_2xx(status: int, body: bytes) -> bool:
    """Any success counts: for vendors that document nothing."""
    return 200 <= status < 300


def json_answer(status: int, body: bytes) -> bool:
    """200 with a JSON body, whatever it says."""
    return status == 200 and _json(body) is not None


def json_code(code: int) -> Accepts:
    """200 with a JSON object whose `code` is this one."""

    def accepts(status: int, body: bytes) -> bool:
        answer = _json(body)
        return status == 200 and isinstance(answer, dict) and answer.get("code") == code

    return accepts


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
