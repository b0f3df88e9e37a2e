"""The records that pass between the stages, and their enums.

Dataclasses, written by orjson: their field order is the order in the JSON. Fields are only ever added. The enums are
closed for writers and open for readers: a consumer must bear a value it does not know. JSON Schemas made from these
types are in docs/schemas (`moderato schema`).
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar, dataclass_transform

from moderato.names import Name
from moderato.sources import Source

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True)
def record(cls: type[_T]) -> type[_T]:
    """A dataclass that is frozen for the type checker only, and has no slots.

    Records are made and written by the ten thousand a second: a frozen one takes three times as long to make, and
    orjson takes twice as long to write one with slots, since it reads `__dict__` where there is one."""
    return dataclass(cls)


class Severity(Name):
    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def level(self) -> int:
        """0 (none) to 4 (critical)."""
        return _LEVELS[self]


_LEVELS: dict[str, int] = {name: level for level, name in enumerate(Severity)}


class Decision(Name):
    PASS = "pass"  # noqa: S105 - a decision, no password
    REVIEW = "review"
    BLOCK = "block"


class Category(Name):
    NONE = "none"
    POLITICS = "politics"
    TERRORISM = "terrorism"
    PORN = "porn"
    SUGGESTIVE = "suggestive"
    ABUSE = "abuse"
    AD = "ad"
    CONTRABAND = "contraband"
    MINOR = "minor"
    SPAM = "spam"
    FRAUD = "fraud"
    VALUES = "values"
    COPYRIGHT = "copyright"
    DISTURBING = "disturbing"
    CUSTOM = "custom"
    QUALITY = "quality"
    OTHER = "other"


class Media(Name):
    AUDIO = "audio"
    IMAGE = "image"
    TEXT = "text"


class Judge(Name):
    """Who decided: the vendor's machine, the vendor's reviewers, or our customer's own reviewers."""

    MACHINE = "machine"
    VENDOR_HUMAN = "vendor_human"
    CUSTOMER_HUMAN = "customer_human"


class SignalKind(Name):
    TASK_STARTED = "task_started"
    TASK_ENDED = "task_ended"
    TASK_FAILED = "task_failed"
    STREAM_UNREACHABLE = "stream_unreachable"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a signal's name, no secret
    NO_SPEECH = "no_speech"
    TRANSCRIPT = "transcript"
    ROOM_CREATED = "room_created"
    ROOM_CLOSED = "room_closed"
    USER_JOINED = "user_joined"
    USER_LEFT = "user_left"
    USER_KICKED = "user_kicked"


class SessionState(Name):
    REQUESTED = "requested"
    STARTING = "starting"
    ACTIVE = "active"
    STOPPING = "stopping"
    ENDED = "ended"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing will happen any more."""
        return self in (SessionState.ENDED, SessionState.FAILED)


class ActionType(Name):
    NOTIFY = "notify"
    REVIEW = "review"
    WARN = "warn"
    MUTE = "mute"
    KICK = "kick"
    BAN = "ban"
    CLOSE_ROOM = "close_room"
    STOP_SESSION = "stop_session"
    LIFT = "lift"


class OutcomeState(Name):
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    BRAKED = "braked"
    DUPLICATE = "duplicate"
    SHADOW = "shadow"
    UNSUPPORTED = "unsupported"


@record
class RawRef:
    """Where the vendor's bytes are: a coordinate of a raw topic, and the raw record's id."""

    topic: str
    partition: int
    offset: int
    id: str


@record
class Label:
    """One label as the vendor sent it (`code`, `name`, `level`) and our category for it."""

    code: str
    category: Category
    name: str | None = None
    level: int | None = None
    confidence: float | None = None


@record
class Evidence:
    """A URL that shows what was judged. `kind`: audio, image or video."""

    url: str
    kind: str


@record
class Span:
    """Seconds: since the Unix epoch (`clock` epoch) or since the start of the file or stream (`clock` stream)."""

    start: float
    end: float
    clock: Literal["epoch", "stream"]


@record
class Mapping:
    """Which tables judged, and the names of the rules that changed something, in their order."""

    version: str
    rules: tuple[str, ...]


@record
class Verdict:
    """What a vendor's machine or a person decided about one piece of content, on Moderato's one scale."""

    id: str
    source: Source
    tenant: str
    session_id: str | None
    task_id: str | None
    segment_id: str | None
    room: str | None
    user: str | None
    account: str | None
    file: str | None
    media: Media
    decision: Decision
    severity: Severity
    severity_level: int
    category: Category
    labels: tuple[Label, ...]
    confidence: float | None
    judge: Judge
    text: str | None
    keywords: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    span: Span | None
    occurred_at: str
    received_at: str
    normalized_at: str
    final: bool
    unmapped: bool
    degraded: bool
    mapping: Mapping
    raw: RawRef


@record
class Signal:
    """What happened to a moderation task or a room: a fact, no judgement."""

    id: str
    source: Source
    tenant: str
    session_id: str | None
    kind: SignalKind
    task_id: str | None
    segment_id: str | None
    room: str | None
    user: str | None
    code: str | None
    message: str | None
    text: str | None
    span: Span | None
    occurred_at: str
    received_at: str
    normalized_at: str
    raw: RawRef


@record
class Target:
    """Whom an action hits: `user` in `room`, the whole `room`, an `account`, or a moderation `session`. A review or a
    notice about content of which none of these is known has the `task`, or else the verdict's id."""

    kind: Literal["user", "room", "account", "session", "task"]
    id: str


@record
class RuleRef:
    """The rule that demanded an action, and the content hash of the policy it stood in."""

    id: str
    version: str


@record
class Counted:
    """What a rule that counts has counted: how many strikes of whom, as the key of the strikes' topic has it."""

    number: int
    subject: str


@record
class Action:
    """What should be done. `duration` and `max_age` are seconds; `expires_at` = occurred_at + max_age.

    A person's action has `requested_by`, and no verdict; its rule is named `manual`. One of type `lift` takes back the
    action `undoes`, whose type is `lifts`. `braked`: why it must not be carried out, whatever the rule says."""

    id: str
    tenant: str
    type: ActionType
    target: Target
    mode: Literal["enforce", "shadow"]
    rule: RuleRef
    source: Source
    session_id: str | None
    task_id: str | None
    room: str | None
    user: str | None
    account: str | None
    duration: float | None
    message: str | None
    occurred_at: str
    created_at: str
    expires_at: str | None
    verdict: Verdict | None
    requested_by: str | None = None
    undoes: str | None = None
    lifts: ActionType | None = None
    counted: Counted | None = None
    braked: str | None = None


@record
class Outcome:
    """What became of one action. Every action ends in exactly one outcome state."""

    id: str
    action_id: str
    tenant: str
    type: ActionType
    state: OutcomeState
    executor: str
    target: Target
    attempts: int
    detail: str | None
    occurred_at: str
    created_at: str
    finished_at: str
    rule: RuleRef


@record
class Brake:
    """A rule that is kept from hitting anybody of a tenant until it is released. Each of both may be `*`: all."""

    tenant: str
    rule: str
    pulled: bool
    reason: str
    by: str
    at: str


@record
class Hit:
    """An action that the brakes let through."""

    action_id: str
    rule: str
    tenant: str
    type: str
    room: str | None
    user: str | None


@record
class Active:
    """How many rooms or users of a tenant a process has seen verdicts of, within so many seconds."""

    tenant: str
    of: Literal["rooms", "users"]
    within: float
    number: int


@record
class Tally:
    """What one process of the policy tells the others, so that all keep the brakes' limits together."""

    process: str
    at: str
    hits: tuple[Hit, ...]
    active: tuple[Active, ...]


@record
class SessionRequest:
    """What somebody wants of a session: that it is started, or that it is stopped. `parameters` are the source's own,
    and hold what the vendor needs to listen in, tokens too; null when the session is to stop."""

    id: str
    kind: Literal["start", "stop"]
    tenant: str
    source: Source
    room: str | None
    user: str | None
    parameters: dict[str, Any] | None
    digest: str | None
    requested_by: str
    created_at: str


@record
class VendorTask:
    """A task at the vendor, or what is reserved for one: `id` is null until it has started. `values` is what the
    vendor's answers gave and its next calls need."""

    id: str | None
    values: dict[str, str]
    expires_at: str | None


@record
class SessionFault:
    """What went wrong last, in the vendor's code and words or in ours."""

    code: str | None
    message: str
    at: str


@record
class Session:
    """One moderation session as the controller that owns it last wrote it down.

    `watched`: a task is known to run. `wanted`: what was asked for last. `task` is the one that runs or is being
    started, `retiring` one that is still to be stopped. `submitted`: its start may have reached the vendor. `attempt`,
    `tries` and `resubmits` count: tasks of the room that were in our way, failures in a row, tasks that died."""

    id: str
    tenant: str
    source: Source
    state: SessionState
    wanted: Literal["active", "ended"]
    watched: bool
    room: str | None
    user: str | None
    reason: str | None
    fault: SessionFault | None
    task: VendorTask | None
    retiring: VendorTask | None
    submitted: bool
    attempt: int
    tries: int
    resubmits: int
    retry_at: str | None
    renew_at: str | None
    parameters: dict[str, Any]
    digest: str | None
    requested_by: str
    created_at: str
    state_at: str
    active_at: str | None
    ended_at: str | None
    updated_at: str
    request: RawRef
