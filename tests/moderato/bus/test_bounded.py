import asyncio

import pytest

from moderato.bus.bounded import bounded


async def stubborn() -> None:
    """What aiokafka does: the cancellation of a time-out is taken for that of a task it waits for."""
    for _ in range(10):
        try:
            await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            continue


async def result(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def failing() -> None:
    await asyncio.sleep(0)
    raise ValueError("mine")


async def test_what_cannot_be_cancelled_is_given_up() -> None:
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await bounded(stubborn(), 0.05)


async def test_results_and_errors_come_through() -> None:
    assert await bounded(result(7), 5) == 7
    with pytest.raises(ValueError, match="mine"):
        await bounded(failing(), 5)


async def test_work_that_ends_as_cancelled_does_not_cancel_the_one_who_waits() -> None:
    async def of_a_task_that_was_cancelled() -> None:
        task = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(TimeoutError):
        await bounded(of_a_task_that_was_cancelled(), 5)


async def test_the_work_ends_with_the_one_who_waits() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    waiting = asyncio.create_task(bounded(work(), 3600))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    async with asyncio.timeout(10):
        await ended.wait()
