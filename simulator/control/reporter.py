"""Running tasks speak: their callbacks are made in time and delivered as each vendor delivers."""

import asyncio
import time

from moderato.sources import Source
from simulator.addresses import is_loopback
from simulator.callbacks.contract import Callback
from simulator.control.book import State, Task
from simulator.control.reports import Reports
from simulator.control.world import World
from simulator.counters import Counters
from simulator.delivery import Courier, http_post
from simulator.traffic import Dispatch, Kind

_TICK = 0.05  # seconds between two looks at what is due
_MAX_OPEN = 10_000  # deliveries in flight or waiting for a retry; beyond it reports are left out


class Reporter:
    """A report of each running task every `seconds`; addresses beyond this machine only when `allow_remote`."""

    def __init__(
        self, world: World, seconds: float, *, time_scale: float = 1.0, allow_remote: bool = False
    ) -> None:
        self.counters = Counters()
        self.left_out = 0
        self._world = world
        self._seconds = seconds
        self._time_scale = time_scale
        self._allow_remote = allow_remote
        self._reports = Reports(world)
        self._due: dict[tuple[Source, str], float] = {}
        self._open: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled; what is in flight then is cut off."""
        async with http_post() as post:
            courier = Courier(post, self.counters, self._time_scale)
            try:
                while True:
                    for callback in self._made():
                        self._send(courier, callback)
                    await asyncio.sleep(_TICK)
            finally:
                for delivery in self._open:
                    delivery.cancel()
                await asyncio.gather(*self._open, return_exceptions=True)

    def _made(self) -> list[Callback]:
        made: list[Callback] = []
        now, clock = time.monotonic(), self._world.clock.now()
        for task in self._world.book.all_running():
            made += self._of(task, now, clock)
        ending, self._world.ending[:] = list(self._world.ending), []
        for task, why in ending:
            self._due.pop((task.source, task.id), None)
            made += self._reports.ended(task, why)
        return made

    def _of(self, task: Task, now: float, clock: float) -> list[Callback]:
        if task.source is Source.IFLYTEK_AUDIO:
            if clock >= task.details["due"]:
                self._world.end(task, State.FINISHED, "finished")
            return []
        key = (task.source, task.id)
        if key not in self._due:
            self._due[key] = now + self._seconds
            return self._reports.started(task)
        if now < self._due[key]:
            return []
        self._due[key] += self._seconds
        return self._reports.next(task)

    def _send(self, courier: Courier, callback: Callback) -> None:
        if len(self._open) >= _MAX_OPEN or not (self._allow_remote or is_loopback(callback.url)):
            self.left_out += 1
            return
        delivery = asyncio.create_task(courier.deliver(Dispatch(callback, Kind.FRESH)))
        self._open.add(delivery)
        delivery.add_done_callback(self._open.discard)
