"""What is due for a session, and what becomes of it by what happened: pure, on the record and the time alone.

    step = due(session, rules, now, heard_at)       # what to do next, and when
    session = settled(session, rules, step.do, outcome, now)

The record says all that is needed to go on after a crash between any two steps: a step is written down before it is
taken wherever it leaves something behind at the vendor. What is only remembered (when the vendor was heard last) may
be lost.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

from ingest.clients.contract import AlreadyRunning, NotYet, Prepared, Stale, Started, Status, TaskState
from moderato.records import (
    RawRef,
    Session,
    SessionFault,
    SessionRequest,
    SessionState,
    SignalKind,
    VendorTask,
)
from moderato.times import epoch, rfc3339
from moderato.vendor import Refused, VendorError

MOST_RESUBMITS = 5
_SETTLED_AFTER = 600.0  # seconds of a task's life after which earlier deaths no longer count
_BACKOFF = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)  # seconds; the last one repeats
_BLIND = 3.0  # times the rhythm, without a word of a vendor whose queries fail, until nobody knows of a task
_NOT_YET = 10.0  # seconds until a room that is not there yet is asked for again


class Do(Enum):
    """`NOTE` writes down that the start or the asking to follow may reach the vendor. `ASK` starts a task that has been
    silent once more: the vendor says that it runs, or starts another. `FORGET` removes the record."""

    PREPARE = auto()
    NOTE = auto()
    START = auto()
    QUERY = auto()
    ASK = auto()
    RETIRE = auto()
    STOP = auto()
    GIVE_UP = auto()
    FORGET = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """`at`: epoch seconds; 0 is now."""

    do: Do
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every session of a source, and for all. Times in seconds: `rhythm` between two queries, `silence`
    after which a vendor that cannot be queried is asked."""

    rhythm: float | None
    silence: float
    lasting: bool
    start_timeout: float
    keep_ended: float


Outcome: TypeAlias = Prepared | Started | Status | VendorError | None

_NEVER = float("inf")


def requested(request: SessionRequest, at: RawRef) -> Session:
    """A session as it begins; `at` is where its request is."""
    return Session(
        id=request.id,
        tenant=request.tenant,
        source=request.source,
        state=SessionState.REQUESTED,
        wanted="active",
        watched=False,
        room=request.room,
        user=request.user,
        reason=None,
        fault=None,
        task=None,
        retiring=None,
        submitted=False,
        attempt=0,
        tries=0,
        resubmits=0,
        retry_at=None,
        renew_at=None,
        parameters=request.parameters or {},
        digest=request.digest,
        requested_by=request.requested_by,
        created_at=request.created_at,
        state_at=request.created_at,
        active_at=None,
        ended_at=None,
        updated_at=request.created_at,
        request=at,
    )


def due(session: Session, rules: Rules, now: float, heard_at: float = 0.0) -> Step:
    """The next step. `heard_at`: when the vendor was asked last, or has spoken by itself where it cannot be queried."""
    if session.state.over and not session.retiring:
        return Step(Do.FORGET, (epoch(session.ended_at or "") or now) + rules.keep_ended)
    step = _due(session, rules, now, heard_at)
    retry = epoch(session.retry_at) if session.retry_at else None
    if retry is not None and step.do not in (Do.QUERY, Do.ASK) and retry > max(now, step.at):
        return replace(step, at=retry)
    return step


def _due(session: Session, rules: Rules, now: float, heard_at: float) -> Step:
    if session.state.over:
        return Step(Do.RETIRE)
    if session.state is SessionState.STOPPING:
        return _due_to_stop(session, rules)
    if session.state is SessionState.ACTIVE:
        return _due_while_active(session, rules, now, heard_at)
    if _patience_is_over(session, rules, now):
        return Step(Do.GIVE_UP)
    task = session.task
    if task is None or (task.expires_at and (epoch(task.expires_at) or 0.0) <= now and not session.submitted):
        return Step(Do.PREPARE)
    if session.retiring:
        return Step(Do.RETIRE)
    return Step(Do.START if session.submitted else Do.NOTE)


def _due_to_stop(session: Session, rules: Rules) -> Step:
    if session.retiring:
        return Step(Do.RETIRE)
    # What may have been started has to be known before it can be stopped.
    if session.submitted and rules.lasting:
        return Step(Do.START if session.task else Do.PREPARE)
    return Step(Do.STOP)


def _due_while_active(session: Session, rules: Rules, now: float, heard_at: float) -> Step:
    if session.retiring:
        return Step(Do.RETIRE)
    renewal = (epoch(session.renew_at) or now) if session.renew_at else _NEVER
    if rules.rhythm is not None:
        look = Step(Do.QUERY, heard_at + rules.rhythm)
    else:
        # Asking may start a task: that is written down first, like every start.
        look = Step(Do.ASK if session.submitted else Do.NOTE, heard_at + rules.silence)
    return look if look.at <= renewal else Step(Do.PREPARE, renewal)


def _patience_is_over(session: Session, rules: Rules, now: float) -> bool:
    """Whether starting has taken too long. What may run at the vendor is never given up: it is started (adopted) and
    then stopped."""
    return (
        now - (epoch(session.state_at) or now) > rules.start_timeout
        and session.tries > 0
        and not session.submitted
    )


def settled(
    session: Session, rules: Rules, do: Do, outcome: Outcome, now: float, silent: float = 0.0
) -> Session:
    """The session after a step; the same object when nothing changed. `silent`: for how many seconds the vendor has
    said nothing of it, called back or asked."""
    if session.state.over and do is not Do.RETIRE:
        # It ended meanwhile; what was started all the same has to be stopped.
        if not isinstance(outcome, Started):
            return session
        task = VendorTask(outcome.task_id, session.task.values if session.task else {}, None)
        return replace(session, state=SessionState.STOPPING, task=task, updated_at=_text(now))
    if isinstance(outcome, VendorError):
        after = _failed(session, rules, do, outcome, now, silent)
    else:
        after = _done(session, rules, do, outcome, now)
    return after if after is session else replace(after, updated_at=_text(now))


def _done(session: Session, rules: Rules, do: Do, outcome: Outcome, now: float) -> Session:
    if do is Do.PREPARE:
        assert isinstance(outcome, Prepared)
        reserved = VendorTask(
            None, dict(outcome.values), rfc3339(outcome.expires_at) if outcome.expires_at else None
        )
        old = session.task if session.task and session.task.id else session.retiring
        renewing = session.state is SessionState.ACTIVE
        return replace(
            session,
            state=session.state if session.state is SessionState.STOPPING else SessionState.STARTING,
            state_at=_text(now) if renewing else session.state_at,
            task=reserved,
            retiring=old,
            # While it is to stop, a start that may have reached the vendor is still to be looked up.
            submitted=session.submitted and session.state is SessionState.STOPPING,
            renew_at=None,
            retry_at=None,
        )
    if do is Do.NOTE:
        return session if session.state is SessionState.STOPPING else replace(session, submitted=True)
    if do is Do.START:
        assert isinstance(outcome, Started)
        assert session.task is not None
        return _started(session, outcome, now)
    if do is Do.RETIRE:
        return replace(session, retiring=None, retry_at=None)
    if do is Do.STOP:
        return _over(session, SessionState.ENDED, session.reason or "stopped", now)
    if do is Do.GIVE_UP:
        return _over(session, SessionState.FAILED, "not_started", now)
    if do is Do.ASK:
        assert isinstance(outcome, Started)
        if session.state is SessionState.ACTIVE and session.task and session.task.id == outcome.task_id:
            return replace(session, watched=True, fault=None, submitted=False)
        return _started(session, outcome, now)
    if do is Do.QUERY:
        assert isinstance(outcome, Status)
        return _queried(session, rules, outcome, now)
    return session


def _started(session: Session, outcome: Started, now: float) -> Session:
    assert session.task is not None
    stopping = session.state is SessionState.STOPPING
    return replace(
        session,
        state=SessionState.STOPPING if stopping else SessionState.ACTIVE,
        state_at=session.state_at if stopping else _text(now),
        watched=True,
        fault=None,
        task=replace(session.task, id=outcome.task_id),
        submitted=False,
        tries=0,
        retry_at=None,
        renew_at=rfc3339(outcome.renew_at) if outcome.renew_at else None,
        active_at=_text(now),
    )


def _queried(session: Session, rules: Rules, status: Status, now: float) -> Session:
    if session.state is not SessionState.ACTIVE:
        return session
    if status.state is TaskState.ENDED:
        if status.code is not None and rules.lasting and not session.resubmits:
            # The vendor does not know it (any more): an empty room, or a task that died. Another one tells which.
            return died(
                session, rules, status.code, status.message or "the vendor does not know the task", now
            )
        return _over(session, SessionState.ENDED, "task_ended", now)
    if status.state is TaskState.FAILED:
        return died(
            session, rules, status.code, status.message or "the vendor says that the task has failed", now
        )
    if status.state is TaskState.UNKNOWN or (session.watched and session.fault is None):
        return session
    return replace(session, watched=True, fault=None, tries=0)


def _failed(session: Session, rules: Rules, do: Do, error: VendorError, now: float, silent: float) -> Session:
    fault = SessionFault(error.code, error.message, _text(now))
    if do in (Do.QUERY, Do.ASK):
        if do is Do.ASK and isinstance(error, Refused) and session.state is SessionState.ACTIVE:
            return died(session, rules, error.code, error.message, now)
        # Nobody knows. One that was silent besides counts as unwatched. Written down once, not every two minutes.
        watched = do is Do.QUERY and silent < _BLIND * (rules.rhythm or 0.0)
        if session.fault is not None and session.fault.code == error.code and session.watched == watched:
            return session
        return replace(session, fault=fault, watched=watched)
    later = replace(
        session, fault=fault, tries=session.tries + 1, retry_at=_text(now + backoff(session.tries))
    )
    if do in (Do.STOP, Do.RETIRE):
        if not isinstance(error, Refused):
            return later
        # No second try is right, and there is nothing else to be done about it.
        if do is Do.RETIRE:
            return replace(session, fault=fault, retiring=None)
        return _over(replace(session, fault=fault), SessionState.FAILED, "not_stopped", now)
    if isinstance(error, NotYet):
        return replace(later, task=_unreserved(session), retry_at=_text(now + _NOT_YET))
    if isinstance(error, Stale):
        # At once the first time: it only took too long.
        at = later.retry_at if session.tries else _text(now)
        stopping = session.state is SessionState.STOPPING
        return replace(later, task=None, submitted=session.submitted and stopping, retry_at=at)
    if isinstance(error, AlreadyRunning):
        return replace(later, task=None, submitted=False, attempt=session.attempt + 1)
    if isinstance(error, Refused):
        if do is Do.PREPARE and session.task is not None and session.task.id is not None:
            # The renewal is refused; what runs goes on to its end.
            return replace(session, fault=fault, renew_at=None)
        return _over(replace(session, fault=fault), SessionState.FAILED, "refused", now)
    if do is Do.START and not rules.lasting and error.unknown_outcome:
        return _over(replace(session, fault=fault), SessionState.FAILED, "unknown_outcome", now)
    return later


def _unreserved(session: Session) -> VendorTask | None:
    return session.task if session.task and session.task.id else None


def died(session: Session, rules: Rules, code: str | None, message: str, now: float) -> Session:
    """The task is dead: it is started anew, a few times."""
    fault = SessionFault(code, message, _text(now))
    session = replace(session, fault=fault, watched=False, updated_at=_text(now))
    lived = now - (epoch(session.active_at or "") or now)
    resubmits = 0 if lived > _SETTLED_AFTER else session.resubmits
    if not rules.lasting or resubmits >= MOST_RESUBMITS:
        return _over(session, SessionState.FAILED, "task_failed", now)
    # A start that was sent meanwhile may have made another one, which the same start finds.
    asked = replace(session.task, id=None) if session.submitted and session.task else None
    return replace(
        session,
        state=SessionState.STARTING,
        state_at=_text(now),
        task=asked,
        # It may be there still, ailing, and in the way of the next one.
        retiring=session.task or session.retiring,
        submitted=asked is not None,
        renew_at=None,
        resubmits=resubmits + 1,
        retry_at=_text(now + backoff(resubmits)),
    )


def stop_asked(session: Session, reason: str, now: float) -> Session:
    """Somebody wants it to end. The same object when that is so already."""
    if session.state.over or session.wanted == "ended":
        return session
    return replace(
        session,
        wanted="ended",
        state=SessionState.STOPPING,
        state_at=_text(now),
        reason=reason,
        retry_at=None,
        tries=0,
        updated_at=_text(now),
    )


def resumed(session: Session, rules: Rules, now: float) -> Session:
    """A session that another process, or this one before, left behind: a submit whose answer nobody has and that must
    not be sent twice has failed. Everything else goes on where it stood."""
    if session.submitted and not rules.lasting and not session.state.over:
        message = "the process ended before the vendor had answered; results may still come"
        fault = SessionFault(None, message, _text(now))
        return _over(replace(session, fault=fault), SessionState.FAILED, "unknown_outcome", now)
    return session


DOUBTS = frozenset({SignalKind.TASK_FAILED, SignalKind.STREAM_UNREACHABLE, SignalKind.TASK_ENDED})
"""Signals after which a vendor that can be queried is queried, before anything is believed."""


@dataclass(frozen=True, slots=True)
class News:
    """What a signal says of a session's task; `task_id` None when it does not say of which."""

    kind: SignalKind
    code: str | None = None
    task_id: str | None = None


def signalled(session: Session, rules: Rules, news: News, now: float) -> Session:
    """What a signal changes by itself. The same object when nothing, as for another task's."""
    if session.state is not SessionState.ACTIVE:
        return session
    if news.kind is SignalKind.ROOM_CLOSED:
        return stop_asked(session, "room_closed", now)
    if news.task_id and session.task and news.task_id != session.task.id:
        return session
    if news.kind is SignalKind.TOKEN_EXPIRED:
        return died(session, rules, news.code, "the token has expired", now)
    if rules.rhythm is not None:
        return session
    if news.kind in (SignalKind.TASK_FAILED, SignalKind.STREAM_UNREACHABLE):
        return died(session, rules, news.code, f"the vendor says {news.kind}", now)
    if news.kind is SignalKind.TASK_ENDED:
        return replace(_over(session, SessionState.ENDED, "task_ended", now), updated_at=_text(now))
    return session


def backoff(tries: int) -> float:
    """Seconds before the next try, after so many."""
    return _BACKOFF[min(tries, len(_BACKOFF) - 1)]


def _over(session: Session, state: SessionState, reason: str, now: float) -> Session:
    return replace(
        session,
        state=state,
        state_at=_text(now),
        wanted="ended",
        watched=False,
        reason=reason,
        submitted=False,
        retry_at=None,
        renew_at=None,
        ended_at=_text(now),
    )


def _text(now: float) -> str:
    text = rfc3339(now)
    assert text is not None
    return text
