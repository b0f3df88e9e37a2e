"""What a driver writes down, and since when it has not heard of its vendor."""

import asyncio
from dataclasses import replace
from typing import Any

from ingest.clients.contract import Start, Status, TaskState
from ingest.sessions.driver import Driver
from ingest.sessions.machine import News, Rules
from moderato.records import Session, SessionState, SignalKind
from tests.ingest.sessions.test_machine import ASKED, FILES, T, active, away, session


class Asked:
    """A vendor that answers a query, or does not."""

    def __init__(self) -> None:
        self.well = False
        self.queries = 0

    async def query(self, task: object) -> Status:
        self.queries += 1
        if not self.well:
            raise away("query")
        return Status(TaskState.RUNNING)


async def run_until(driver: Driver, met: Any) -> None:
    running = asyncio.create_task(driver.run())
    for _ in range(6000):
        if met():
            break
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert met()


def driver(kept: Session, rules: Rules, client: Any, now: list[float], written: list[Session]) -> Driver:
    async def write(session: Session) -> None:
        written.append(session)

    async def polled(session: Session, body: bytes) -> None:
        raise AssertionError(body)

    start = Start("s-1", "", None)
    return Driver(
        kept, rules, client, start, write=write, polled=polled, heard_at=now[0], clock=lambda: now[0]
    )


async def test_a_submit_that_a_crash_left_without_an_answer_is_written_down_as_failed() -> None:
    written: list[Session] = []
    left = replace(session(), state=SessionState.STARTING, submitted=True)
    await run_until(driver(left, FILES, None, [T], written), lambda: written)
    assert [(each.state, each.reason) for each in written] == [(SessionState.FAILED, "unknown_outcome")]


async def test_a_query_without_an_answer_is_no_word_of_the_vendor() -> None:
    vendor, now = Asked(), [T]
    made = driver(active(), ASKED, vendor, now, [])
    now[0] = T + 120
    await run_until(made, lambda: vendor.queries)
    assert made.answered_at == T
    vendor.well, now[0] = True, T + 240
    await run_until(made, lambda: vendor.queries == 2)
    assert made.answered_at == T + 240


async def test_a_doubt_does_not_make_a_session_look_silent() -> None:
    made = driver(active(), ASKED, Asked(), [T], [])
    await made.signalled(News(SignalKind.TASK_FAILED, "1"))
    assert made.answered_at == T
