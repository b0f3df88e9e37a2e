"""What the simulated vendors share, and what each of them is to the server."""

import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from simulator.control.accounts import Accounts, Limits
from simulator.control.book import Book, State, Task
from simulator.control.clock import Clock
from simulator.control.faults import Fault, Faults, Kind
from simulator.control.rates import Rates


@dataclass(slots=True)
class World:
    """Accounts, time, the book, the faults to come, and who is in which Yunxin room."""

    accounts: Accounts = field(default_factory=Accounts)
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=Clock)
    book: Book = field(default_factory=Book)
    faults: Faults = field(default_factory=Faults)
    rates: Rates = field(default_factory=Rates)
    ending: list[tuple[Task, str]] = field(default_factory=list)
    """Tasks whose end is to be reported, with why: `stopped`, `finished`, `failed` or `token_expired`."""
    to_poll: deque[dict[str, Any]] = field(default_factory=deque)
    """Yidun's results that wait to be fetched: v4 objects, or `antispam` and `asr` items of v3."""
    judged: dict[str, deque[dict[str, Any]]] = field(default_factory=dict)
    """By Yidun task: the latest judgements, as its query tells them."""
    listening: dict[str, float] = field(default_factory=dict)
    """Yunxin's listening tokens, and until when each is good."""
    show: dict[str, Callable[[], object]] = field(default_factory=dict)
    """Further pages of the book, by name."""

    def start(self, task: Task, fault: Fault | None) -> Task:
        """Enters the task; with a fault it dies at once, or ends for want of a valid token."""
        self.book.start(task)
        if fault and fault.kind is Kind.DIES:
            task.silent = True
            self.book.end(task, State.DIED, self.clock.now())
        elif fault and fault.kind is Kind.TOKEN_EXPIRES:
            self.end(task, State.DIED, "token_expired")
        return task

    def end(self, task: Task, state: State, why: str) -> None:
        """Ends a task, and has its end reported."""
        self.book.end(task, state, self.clock.now())
        self.ending.append((task, why))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its body is read already; `fault` is one that changes what becomes of a start."""

    http: web.Request
    body: bytes
    fault: Fault | None = None

    @property
    def duplicate(self) -> bool:
        """Whether this start shall find one running already."""
        return self.fault is not None and self.fault.kind is Kind.DUPLICATE


@dataclass(frozen=True, slots=True)
class Reply:
    """A JSON answer; None as content is an empty body."""

    content: Any
    status: int = 200

    def encoded(self) -> bytes:
        """The body."""
        return b"" if self.content is None else orjson.dumps(self.content)


class Refusal(Exception):
    """The vendor says no: with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.content)
        self.reply = reply


Handler = Callable[[Asked], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path under the vendor's prefix; `throttled` is its answer to too many calls."""

    operation: str
    method: str
    path: str
    handler: Handler
    throttled: Reply


def new_id() -> str:
    """32 hexadecimal digits."""
    return secrets.token_hex(16)


def media_type(request: web.Request) -> tuple[str, str]:
    """The Content-Type as it came, lower case: the type, and its charset or ""."""
    kind, _, parameters = request.headers.get("Content-Type", "").lower().partition(";")
    name, _, charset = parameters.strip().partition("=")
    return kind.strip(), charset.strip('" ') if name == "charset" else ""


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body; None when there is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def is_int(value: object, low: int, high: int) -> bool:
    """A JSON integer (no boolean, no string, no float) from `low` to `high`."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_address(value: object) -> bool:
    """A text that begins as an http address does."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def is_text(value: object, longest: int = 1_000_000) -> bool:
    """A text that is not empty."""
    return isinstance(value, str) and 0 < len(value) <= longest


def section(given: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The object of this name; {} when absent, None when it is something else."""
    value = given.get(name, {})
    return value if isinstance(value, dict) else None
