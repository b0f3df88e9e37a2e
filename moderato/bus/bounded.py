"""Waiting for aiokafka no longer than one means to.

Its `stop` and `start` await tasks of their own and take the CancelledError of a time-out for that of such a task: then
`asyncio.timeout` has no effect, and what was to end after five seconds has been seen to last for ever. It happens the
other way round, too: they await a task that was cancelled, and end as if whoever waits for them had been.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


async def bounded(work: Coroutine[Any, Any, _T], seconds: float) -> _T:
    """The result of `work`. Raises TimeoutError after `seconds`, whether `work` lets itself be cancelled or not, and
    when it ends as cancelled though nobody here has cancelled it."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_given_up)
    if not task.done() or task.cancelled():
        raise TimeoutError
    return task.result()


def _given_up(task: "asyncio.Task[Any]") -> None:
    # Nobody is left to take its error.
    if not task.cancelled():
        task.exception()
