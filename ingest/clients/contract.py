"""What the client of a source is, for whoever drives a session: the controller, a poller, the API that validates.

    kind = KINDS[Source.AGORA_VOICE]                     # ingest.clients; no entry: the source cannot be started
    parameters = kind.parameters.model_validate(given)   # ValidationError.errors(include_input=False): every fault
    faults = kind.missing(tenant)                        # settings that this tenant lacks, as `credentials.aliyun`
    client = kind.open(Opening(tenant, session, rates))  # one a tenant and source; no I/O, nothing to close

    start = Start(session_id, callback_url, parameters)
    prepared = await client.prepare(start, attempt=0)    # keep it in the record before the next step
    started = await client.start(start, prepared)        # keep it: from here on a task runs
    task = Task(start, prepared, started.task_id)
    status = await client.query(task)                    # `raw` is what a poller publishes
    await client.stop(task)                              # also right for a task that is gone already

`prepare` only reserves (Agora's resource id, a listening token): nobody watches anything yet, and nothing is left
running when it is forgotten. `start` with the same `prepared` again, after a crash or a time-out, never makes a second
task where the vendor lets us tell: it adopts the one that runs (`Started.adopted`). iFlytek is the exception: there a
lost answer to `start` cannot be looked up, hence is not repeated.

All raise moderato.vendor's errors: Refused (the parameters, credentials or state are wrong), Throttled, Unavailable,
Unreadable, after their own retries by the vendor's rules. Three kinds of Refused say what to do next: Stale,
AlreadyRunning and NotYet. Yidun's results are polled by business and not by task: ingest.clients.yidun_results.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import aiohttp
from pydantic import BaseModel, ConfigDict

from moderato.settings import Tenant
from moderato.vendor import Rates, Refused


class Stale(Refused):
    """What was prepared no longer counts (expired, used up): `prepare` again, then `start`."""


class AlreadyRunning(Refused):
    """A task for this room runs already, and the vendor does not say which: `prepare` with the next `attempt`, which
    takes another uid where the parameters name one."""


class NotYet(Refused):
    """The room is not there yet, as far as the vendor can tell it from a fault of ours: `prepare` again later, and
    give up after a while."""


class Parameters(BaseModel):
    """What one source's `start` wants, as the Sessions API takes it. Numbers are numbers and text is text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @property
    def room_name(self) -> str | None:
        """The room, where the parameters say it."""
        return None


@dataclass(frozen=True, slots=True)
class Start:
    """A wish to watch a room. `parameters` are of the kind's own type."""

    session_id: str
    callback_url: str
    parameters: Any


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` reserved, as texts that fit into a record. After `expires_at` (epoch seconds) it counts no more.
    `values` may hold a short-lived token of the vendor."""

    values: Mapping[str, str] = field(default_factory=dict)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """`task_id` is the one that the vendor's callbacks carry or can be joined by. `adopted`: it ran already.
    `renew_at` (epoch seconds): when the task has to be prepared and started anew, since its token ends soon after."""

    task_id: str
    adopted: bool = False
    renew_at: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A task that was started."""

    start: Start
    prepared: Prepared
    task_id: str


class TaskState(Enum):
    """`UNKNOWN` where the vendor has no way to ask, or gives an answer that says neither."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Status:
    """`code` and `message` are the vendor's. `raw` is the answer as it came, when it has something to tell downstream:
    a result, a failure, an end."""

    state: TaskState
    code: str | None = None
    message: str | None = None
    raw: bytes | None = None


class Client(Protocol):
    """One vendor product for one tenant."""

    async def prepare(self, start: Start, attempt: int = 0) -> Prepared:
        """Reserves what `start` needs. `attempt` counts the earlier ones whose outcome was AlreadyRunning."""

    async def start(self, start: Start, prepared: Prepared) -> Started:
        """Starts the task, or adopts the one that runs already."""

    async def query(self, task: Task) -> Status:
        """How the task fares. A task that the vendor does not know is ENDED."""

    async def stop(self, task: Task) -> None:
        """Ends the task. Returns as well when it has ended already."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a client is made from. One session and one Rates a process."""

    tenant: Tenant
    session: aiohttp.ClientSession
    rates: Rates


@dataclass(frozen=True, slots=True)
class Kind:
    """A source that can be started: one line in ingest.clients.KINDS. `rhythm` is how many seconds apart `query` is
    due; None where the vendor has nothing to ask. Then `silence` is how many seconds without a callback make one ask
    by starting again, which the vendor answers with the task that runs. `lasting` is False for a job that ends by
    itself: it is never submitted again, not after a lost answer either."""

    parameters: type[Parameters]
    missing: Callable[[Tenant], list[str]]
    open: Callable[[Opening], Client]
    rhythm: float | None
    lasting: bool = True
    silence: float = 600.0
