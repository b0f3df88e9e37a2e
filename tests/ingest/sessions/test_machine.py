"""The machine against a vendor that may lose answers, and a process that may die between any two steps."""

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from ingest.clients.contract import AlreadyRunning, NotYet, Prepared, Stale, Started, Status, TaskState
from ingest.sessions.machine import (
    MOST_RESUBMITS,
    Do,
    News,
    Outcome,
    Rules,
    due,
    requested,
    resumed,
    settled,
    signalled,
    stop_asked,
)
from moderato.records import RawRef, Session, SessionRequest, SessionState, SignalKind
from moderato.sources import Source
from moderato.times import epoch, rfc3339
from moderato.vendor import Refused, Throttled, Unavailable

T = 1_800_000_000.0
ASKED = Rules(rhythm=120.0, silence=600.0, lasting=True, start_timeout=600.0, keep_ended=604_800.0)
HEARD = replace(ASKED, rhythm=None)
FILES = replace(ASKED, rhythm=10.0, lasting=False)


def session() -> Session:
    request = SessionRequest(
        "s-1", "start", "acme", Source.SHUMEI_AUDIO, "r", None, {}, None, "me", rfc3339(T) or ""
    )
    return requested(request, RawRef("moderation.session-requests", 0, 7, "s-1"))


def away(operation: str = "start") -> Unavailable:
    return Unavailable("v", operation, "no answer")


@dataclass
class Vendor:
    """Knows a task by what was prepared for it, as a resource id or an address."""

    running: dict[str, str] = field(default_factory=dict)
    prepared: int = 0
    started: int = 0
    most: int = 0

    def call(self, do: Do, session: Session, answer: str) -> Outcome:
        """`answer`: well, lost (carried out, and nobody is told), away, throttled, refused or stale."""
        if answer in ("well", "lost"):
            outcome = self._carry_out(do, session)
            return outcome if answer == "well" else away()
        if answer == "refused":
            return Refused("v", "x", "no", code="9")
        if answer == "throttled":
            return Throttled("v", "x", "later")
        if answer == "stale" and do is Do.START:
            return Stale("v", "start", "too old")
        return away()

    def _carry_out(self, do: Do, session: Session) -> Outcome:
        if do is Do.PREPARE:
            self.prepared += 1
            return Prepared({"key": str(self.prepared)})
        if do in (Do.START, Do.ASK):
            assert session.task
            key = session.task.values["key"]
            adopted = key in self.running
            if not adopted:
                self.started += 1
                self.running[key] = f"t-{self.started}"
                self.most = max(self.most, len(self.running))
            return Started(self.running[key], adopted)
        if do is Do.QUERY:
            assert session.task
            alive = session.task.id in self.running.values()
            return Status(TaskState.RUNNING if alive else TaskState.FAILED)
        stopped = session.retiring if do is Do.RETIRE else session.task if do is Do.STOP else None
        if stopped and stopped.id:
            self.running = {key: id for key, id in self.running.items() if id != stopped.id}
        return None

    def kill(self) -> None:
        self.running.clear()


events = st.lists(
    st.one_of(
        st.tuples(
            st.just("step"),
            st.sampled_from(["well", "well", "well", "lost", "away", "throttled", "refused", "stale"]),
        ),
        st.tuples(st.just("crash"), st.sampled_from(["well", "lost"])),
        st.tuples(st.just("signal"), st.sampled_from(sorted(SignalKind))),
        st.tuples(st.just("die"), st.just("")),
        st.tuples(st.just("stop"), st.just("")),
    ),
    max_size=40,
)


@given(events, st.sampled_from([ASKED, HEARD]))
def test_whatever_happens_nothing_is_left_running_in_the_end(
    happening: list[tuple[str, str]], rules: Rules
) -> None:
    vendor, now, kept, heard = Vendor(), T, session(), T
    for kind, detail in happening:
        step = due(kept, rules, now, heard)
        now = max(now, step.at)
        if step.do is Do.FORGET:
            break
        if kind in ("step", "crash"):
            outcome = vendor.call(step.do, kept, detail)
            heard = now
            crashed = kind == "crash"
            kept = resumed(kept, rules, now) if crashed else settled(kept, rules, step.do, outcome, now)
        elif kind == "signal":
            kept = signalled(kept, rules, News(SignalKind(detail), "1"), now)
        elif kind == "stop":
            kept = stop_asked(kept, "asked", now)
        else:
            vendor.kill()
    kept = stop_asked(kept, "asked", now)
    for _ in range(20):
        step = due(kept, rules, now, heard)
        if step.do is Do.FORGET:
            break
        now = max(now, step.at)
        kept = settled(kept, rules, step.do, vendor.call(step.do, kept, "well"), now)
    assert kept.state.over
    assert not kept.watched
    # A refusal leaves us without a means: what was refused to be started or stopped is not ours to end.
    if ("step", "refused") not in happening and ("step", "stale") not in happening:
        assert vendor.running == {}
        assert vendor.most <= 1


@given(st.lists(st.sampled_from(["well", "lost", "away", "throttled"]), max_size=12))
def test_files_are_submitted_once_at_the_most(answers: list[str]) -> None:
    vendor, now, kept = Vendor(), T, session()
    for answer in answers:
        step = due(kept, FILES, now, now)
        now = max(now, step.at)
        kept = settled(kept, FILES, step.do, vendor.call(step.do, kept, answer), now)
    assert vendor.started <= 1


def active(rules: Rules = ASKED, **changes: object) -> Session:
    kept = session()
    kept = settled(kept, rules, Do.PREPARE, Prepared({"key": "1"}), T)
    kept = settled(kept, rules, Do.NOTE, None, T)
    return settled(kept, rules, Do.START, Started("t-1", **changes), T)  # type: ignore[arg-type]


def test_the_steps_of_a_start() -> None:
    kept = session()
    taken = []
    for outcome in (Prepared({"key": "1"}), None, Started("t-1")):
        step = due(kept, ASKED, T)
        taken.append(step.do)
        kept = settled(kept, ASKED, step.do, outcome, T)
    assert taken == [Do.PREPARE, Do.NOTE, Do.START]
    assert (kept.state, kept.watched) == (SessionState.ACTIVE, True)
    assert due(kept, ASKED, T, T).at == T + 120
    assert (due(kept, HEARD, T, T).do, due(kept, HEARD, T, T).at) == (Do.NOTE, T + 600)
    assert due(settled(kept, HEARD, Do.NOTE, None, T), HEARD, T, T).do is Do.ASK


def test_a_token_is_renewed_before_the_old_task_is_stopped() -> None:
    kept = active(renew_at=T + 60)
    step = due(kept, ASKED, T, T)
    assert (step.do, step.at) == (Do.PREPARE, T + 60)
    kept = settled(kept, ASKED, step.do, Prepared({"key": "2"}), T + 60)
    assert kept.watched
    assert kept.retiring
    assert [kept.retiring.id, due(kept, ASKED, T + 60).do] == ["t-1", Do.RETIRE]
    kept = settled(kept, ASKED, Do.RETIRE, None, T + 60)
    assert due(kept, ASKED, T + 60).do is Do.NOTE


def test_a_renewal_that_is_refused_leaves_the_task_at_work() -> None:
    kept = settled(active(renew_at=T + 60), ASKED, Do.PREPARE, Refused("v", "prepare", "no"), T + 60)
    assert (kept.state, kept.watched, kept.renew_at) == (SessionState.ACTIVE, True, None)
    assert kept.fault


def test_a_task_that_dies_again_and_again_fails_in_the_end() -> None:
    kept, now = active(HEARD), T
    for _ in range(MOST_RESUBMITS):
        kept = signalled(kept, HEARD, News(SignalKind.TASK_FAILED, "5"), now)
        assert kept.state is SessionState.STARTING
        while kept.state is SessionState.STARTING:
            step = due(kept, HEARD, now)
            now = max(now, step.at)
            outcomes: dict[Do, Outcome] = {Do.PREPARE: Prepared({"key": "k"}), Do.START: Started("t-9")}
            kept = settled(kept, HEARD, step.do, outcomes.get(step.do), now)
    kept = signalled(kept, HEARD, News(SignalKind.TASK_FAILED, "5"), now)
    assert (kept.state, kept.reason, kept.fault and kept.fault.code) == (
        SessionState.FAILED,
        "task_failed",
        "5",
    )


def test_signals_of_another_task_change_nothing() -> None:
    kept = active(HEARD)
    assert signalled(kept, HEARD, News(SignalKind.TASK_ENDED, None, "t-0"), T) is kept
    assert signalled(kept, HEARD, News(SignalKind.TASK_ENDED, None, "t-1"), T).state is SessionState.ENDED
    assert signalled(kept, HEARD, News(SignalKind.ROOM_CLOSED), T).reason == "room_closed"


def test_a_room_that_is_not_there_is_waited_for_and_given_up_in_time() -> None:
    kept, now, tries = session(), T, 0
    while not kept.state.over:
        step = due(kept, ASKED, now)
        now = max(now, step.at)
        outcome = NotYet("v", "token", "no member") if step.do is Do.PREPARE else None
        kept = settled(kept, ASKED, step.do, outcome, now)
        tries += 1
    assert (kept.state, kept.reason) == (SessionState.FAILED, "not_started")
    assert 600 < now - T < 640
    assert tries < 70


def test_a_room_that_is_taken_is_tried_with_the_next_uid() -> None:
    kept = settled(session(), ASKED, Do.PREPARE, Prepared({"uid": "1"}), T)
    kept = settled(
        settled(kept, ASKED, Do.NOTE, None, T), ASKED, Do.START, AlreadyRunning("v", "start", "busy"), T
    )
    assert (kept.attempt, kept.task, kept.submitted) == (1, None, False)
    assert due(kept, ASKED, T).do is Do.PREPARE


def test_a_vendor_that_cannot_be_asked_says_so_once() -> None:
    kept = settled(active(), ASKED, Do.QUERY, away("query"), T + 120)
    assert kept.watched
    assert settled(kept, ASKED, Do.QUERY, away("query"), T + 240) is kept
    well = settled(kept, ASKED, Do.QUERY, Status(TaskState.RUNNING), T + 360)
    assert well.fault is None


def test_one_that_cannot_be_queried_for_long_and_says_nothing_is_unwatched_until_it_is_heard() -> None:
    assert ASKED.rhythm is not None
    blind = 3 * ASKED.rhythm
    kept = settled(active(), ASKED, Do.QUERY, away("query"), T + 120, 120.0)
    kept = settled(kept, ASKED, Do.QUERY, away("query"), T + blind - 1, blind - 1)
    assert kept.watched
    kept = settled(kept, ASKED, Do.QUERY, away("query"), T + blind, blind)
    assert not kept.watched
    assert kept.state is SessionState.ACTIVE
    assert settled(kept, ASKED, Do.QUERY, away("query"), T + 2 * blind, 2 * blind) is kept
    # A callback has come meanwhile, though the queries still fail.
    assert settled(kept, ASKED, Do.QUERY, away("query"), T + 2 * blind, 5.0).watched
    assert settled(kept, ASKED, Do.QUERY, Status(TaskState.RUNNING), T + 2 * blind, 0.0).watched


def test_one_that_is_silent_and_cannot_be_asked_is_unwatched() -> None:
    kept = settled(active(HEARD), HEARD, Do.ASK, away(), T + 600)
    assert not kept.watched
    assert settled(kept, HEARD, Do.ASK, Started("t-1", adopted=True), T + 1200).watched


def test_a_record_is_forgotten_when_its_time_is_over() -> None:
    kept = settled(stop_asked(active(), "me", T), ASKED, Do.STOP, None, T)
    assert kept.state is SessionState.ENDED
    assert due(kept, ASKED, T) == due(kept, ASKED, T + 1)
    assert due(kept, ASKED, T).at == (epoch(kept.ended_at or "") or 0) + 604_800


def ended(kept: Session, vendor: Vendor, rules: Rules, now: float) -> Session:
    """After it was asked to end, with a vendor that answers well."""
    kept = stop_asked(kept, "asked", now)
    while not kept.state.over:
        step = due(kept, rules, now, now)
        now = max(now, step.at)
        kept = settled(kept, rules, step.do, vendor.call(step.do, kept, "well"), now)
    return kept


def test_what_a_lost_asking_started_is_stopped_as_well() -> None:
    for answer in ("lost", "crash"):
        vendor, kept = Vendor({"1": "t-1"}, 1, 1), active(HEARD)
        kept = settled(kept, HEARD, Do.NOTE, None, T + 600)
        vendor.kill()
        outcome = vendor.call(Do.ASK, kept, "lost")
        if answer == "lost":
            kept = settled(kept, HEARD, Do.ASK, outcome, T + 600)
        assert vendor.running
        assert ended(kept, vendor, HEARD, T + 601).state is SessionState.ENDED
        assert vendor.running == {}


def test_a_task_that_died_while_it_was_asked_for_is_looked_up_by_the_same_start() -> None:
    vendor, kept = Vendor({"1": "t-1"}, 1, 1), settled(active(HEARD), HEARD, Do.NOTE, None, T + 600)
    vendor.kill()
    vendor.call(Do.ASK, kept, "lost")
    kept = signalled(kept, HEARD, News(SignalKind.TASK_FAILED, "5", "t-1"), T + 601)
    now = T + 601
    while kept.state is not SessionState.ACTIVE:
        step = due(kept, HEARD, now, now)
        now = max(now, step.at)
        kept = settled(kept, HEARD, step.do, vendor.call(step.do, kept, "well"), now)
    assert vendor.running == {"1": "t-2"}
    assert vendor.most == 1


def test_a_start_that_became_stale_is_looked_up_before_the_session_ends() -> None:
    kept = settled(session(), ASKED, Do.PREPARE, Prepared({"key": "1"}, T + 290), T)
    kept = settled(kept, ASKED, Do.NOTE, None, T)
    kept = settled(kept, ASKED, Do.START, away(), T)
    kept = settled(stop_asked(kept, "asked", T + 300), ASKED, Do.START, Stale("v", "start", "old"), T + 300)
    taken = []
    for outcome in (Prepared({"key": "2"}), Started("t-1", adopted=True), None):
        step = due(kept, ASKED, T + 301)
        taken.append(step.do)
        kept = settled(kept, ASKED, step.do, outcome, T + 301)
    assert taken == [Do.PREPARE, Do.START, Do.STOP]
    assert kept.state is SessionState.ENDED


def test_a_task_that_its_vendor_does_not_know_is_started_anew_once() -> None:
    gone = Status(TaskState.ENDED, "404", "no such task")
    kept = settled(active(), ASKED, Do.QUERY, gone, T + 120)
    assert (kept.state, kept.watched, kept.resubmits) == (SessionState.STARTING, False, 1)
    kept = replace(active(), resubmits=1)
    assert settled(kept, ASKED, Do.QUERY, gone, T + 240).state is SessionState.ENDED
    assert settled(active(), ASKED, Do.QUERY, Status(TaskState.ENDED), T + 120).state is SessionState.ENDED
