import asyncio

from hypothesis import given
from hypothesis import strategies as st

from moderato.bus.progress import Progress, stacks

EVENTS = st.lists(
    st.tuples(st.integers(0, 10), st.sampled_from(["due", "idle", "made", "nothing"])), max_size=30
)


@given(EVENTS)
def test_the_time_runs_from_when_work_became_due_or_was_last_finished(events: list[tuple[int, str]]) -> None:
    at = 0.0
    progress = Progress(lambda: at)
    since: float | None = None
    for seconds, event in events:
        at += seconds
        match event:
            case "due":
                progress.due(True)
                since = at if since is None else since
            case "idle":
                progress.due(False)
                since = None
            case "made":
                progress.made()
                since = None if since is None else at
        assert progress.still() == (0 if since is None else at - since)


async def test_the_stacks_of_all_tasks_tell_where_each_waits() -> None:
    async def waits_here() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(waits_here())
    await asyncio.sleep(0)
    assert "waits_here" in stacks()
    task.cancel()
