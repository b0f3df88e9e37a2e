"""The vendors at work against a receiver, for a while."""

import asyncio
import time
from collections.abc import Sequence
from random import Random

from moderato.errors import Fatal
from simulator.counters import Counters
from simulator.delivery import Courier, http_post
from simulator.targets import Target
from simulator.traffic import DEFAULT_MIX, DEFAULT_SHARES, Mix, Shares, Traffic, make_feeds

_TICK = 0.02  # seconds between two looks at how many callbacks are due
_MAX_OPEN = 10_000  # deliveries in flight or waiting for a retry; beyond it nothing new is made
_DRAIN_SECONDS = 3.0


class Simulation:
    """Callbacks to `<base_url>/v1/callbacks/…` of every target, from `rooms` rooms, `rate` of them a second (retries
    and duplicates come on top).

    `duplicates`, `late`, `out_of_order` and `malformed` are shares as in `Shares`; `time_scale` 0.01 makes a retry
    after ten minutes one after six seconds. `counters` may be read at any time. Raises Fatal when that cannot be."""

    def __init__(
        self,
        base_url: str,
        targets: Sequence[Target],
        *,
        rooms: int = 8,
        rate: float = 50.0,
        mix: Mix = DEFAULT_MIX,
        seed: int = 0,
        duplicates: float = DEFAULT_SHARES.duplicates,
        late: float = DEFAULT_SHARES.late,
        out_of_order: float = DEFAULT_SHARES.out_of_order,
        malformed: float = DEFAULT_SHARES.malformed,
        time_scale: float = 1.0,
    ) -> None:
        if rate <= 0:
            raise Fatal("rate: must be more than 0 callbacks a second")
        if time_scale < 0:
            raise Fatal("time_scale: must be 0 or more")
        self.counters = Counters()
        self._rate = rate
        self._time_scale = time_scale
        shares = Shares(duplicates, late, out_of_order, malformed)
        self._traffic = Traffic(make_feeds(base_url, targets, rooms, seed), mix, shares, Random(seed))
        self._open: set[asyncio.Task[None]] = set()
        self._stopped = False

    def stop(self) -> None:
        """Nothing new is called; `run` then ends as it would after its time."""
        self._stopped = True

    async def run(self, seconds: float) -> Counters:
        """Calls for `seconds`, lets what is in flight end, and cuts off what still waits for a retry."""
        async with http_post() as post, asyncio.TaskGroup() as group:
            courier = Courier(post, self.counters, self._time_scale)
            await self._call(group, courier, seconds)
            if self._open:
                await asyncio.wait(self._open, timeout=_DRAIN_SECONDS)
            for task in self._open:
                task.cancel()
        return self.counters

    async def _call(self, group: asyncio.TaskGroup, courier: Courier, seconds: float) -> None:
        made = 0
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds and not self._stopped:
            while made < elapsed * self._rate and len(self._open) < _MAX_OPEN:
                made += self._start_next(group, courier)
            await asyncio.sleep(_TICK)

    def _start_next(self, group: asyncio.TaskGroup, courier: Courier) -> int:
        """Starts the deliveries of one turn; returns how many callbacks it was worth."""
        dispatches = self._traffic.next(time.time())
        for dispatch in dispatches:
            task = group.create_task(courier.deliver(dispatch))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        return len({dispatch.callback.sequence for dispatch in dispatches})
