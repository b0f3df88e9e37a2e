"""Faults come when asked for, and only then."""

import aiohttp
import pytest

from tests.simulator.control.support import Vendors
from tests.simulator.control.test_agora import ACQUIRE, BASE, HEADERS, acquire, call, start


async def fault(simulated: Vendors, **given: object) -> None:
    assert (await simulated.call("POST", "/_faults", json={"vendor": "agora", **given}))[0] == 200


async def raw(simulated: Vendors) -> tuple[int, bytes]:
    path = f"{simulated.url}{BASE}/acquire"
    async with simulated.http.post(path, json=ACQUIRE, headers=HEADERS) as response:
        return response.status, await response.read()


async def test_an_error_comes_as_often_as_asked(simulated: Vendors) -> None:
    await fault(simulated, operation="acquire", kind="error", status=504, times=2)
    assert [(await raw(simulated))[0] for _ in range(3)] == [504, 504, 200]


async def test_unreadable_answers(simulated: Vendors) -> None:
    for kind in ("html", "empty", "truncated", "huge"):
        await fault(simulated, kind=kind)
    assert (await raw(simulated))[1].startswith(b"<html>")
    assert (await raw(simulated))[1] == b""
    assert not (await raw(simulated))[1].endswith(b"}")
    assert len((await raw(simulated))[1]) > 5 * 1024 * 1024


async def test_a_lost_answer_leaves_a_task_behind(simulated: Vendors) -> None:
    resource = await acquire(simulated)
    await fault(simulated, operation="start", kind="lost")
    with pytest.raises(aiohttp.ClientError):
        await start(simulated, resource)
    assert len(simulated.world.book.all_running()) == 1
    assert simulated.world.book.calls[-1].status == 0


async def test_a_time_out_does_nothing(simulated: Vendors) -> None:
    resource = await acquire(simulated)
    await fault(simulated, operation="start", kind="timeout", seconds=0)
    with pytest.raises(aiohttp.ClientError):
        await start(simulated, resource)
    assert not simulated.world.book.tasks


async def test_the_vendors_own_throttling_and_any_answer(simulated: Vendors) -> None:
    await fault(simulated, kind="rate_limit")
    await fault(
        simulated, kind="answer", status=500, body={"code": 501, "reason": "no_worker_manager_available"}
    )
    assert (await raw(simulated))[0] == 429
    assert await call(simulated, "POST", f"{BASE}/acquire", ACQUIRE) == (
        500,
        {"code": 501, "reason": "no_worker_manager_available"},
    )


async def test_a_task_dies_without_a_word(simulated: Vendors) -> None:
    resource = await acquire(simulated)
    await fault(simulated, operation="start", kind="dies")
    status, started = await start(simulated, resource)
    assert status == 200
    path = f"{BASE}/resourceid/{resource}/sid/{started['sid']}/mode/mix/query"
    assert (await call(simulated, "GET", path))[0] == 404


async def test_a_start_that_was_already(simulated: Vendors) -> None:
    resource = await acquire(simulated)
    await fault(simulated, operation="start", kind="duplicate")
    status, answer = await start(simulated, resource)
    assert (status, answer["code"]) == (201, 7)


async def test_faults_are_checked_and_cleared(simulated: Vendors) -> None:
    status, answer = await simulated.call(
        "POST", "/_faults", json={"vendor": "agora", "kind": "magic", "x": 1}
    )
    assert status == 422
    assert {fault.partition(":")[0] for fault in answer["faults"]} == {"kind", "x"}
    await fault(simulated, kind="error", times=None)
    assert len((await simulated.call("GET", "/_faults"))[1]) == 1
    await simulated.call("DELETE", "/_faults")
    assert (await raw(simulated))[0] == 200
