"""Whole simulations against a small receiver over real sockets."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from moderato.errors import Fatal
from moderato.sources import Source
from simulator.callbacks.contract import sequence_in
from simulator.run import Simulation
from simulator.targets import example_targets


@asynccontextmanager
async def receiver(
    status: int = 200, first: asyncio.Event | None = None
) -> AsyncIterator[tuple[str, list[tuple[str, int | None]]]]:
    arrived: list[tuple[str, int | None]] = []

    async def handler(request: web.Request) -> web.Response:
        arrived.append((request.match_info["source"], sequence_in(await request.read())))
        if first:
            first.set()
        # Shumei's reviewers want 1100, everybody else 200 or nothing in particular.
        code = 1100 if request.match_info["source"].startswith("shumei") else 200
        return web.json_response({"code": code}, status=status)

    application = web.Application()
    application.router.add_post("/v1/callbacks/{source}/default/simulated-vendor-token", handler)
    async with TestServer(application) as server:
        yield str(server.make_url("")), arrived


async def test_everything_sent_arrives_and_the_numbers_add_up() -> None:
    async with receiver() as (url, arrived):
        simulation = Simulation(
            url,
            example_targets(),
            rate=400,
            seed=2,
            duplicates=0.1,
            late=0.1,
            out_of_order=0.1,
            malformed=0.1,
        )
        counters = await simulation.run(0.4)
    total = counters.total
    assert total.callbacks >= 40
    assert total.sent == total.acknowledged == len(arrived) == total.callbacks + total.duplicates
    assert set(counters.by_source) == set(Source)
    assert Counter(source for source, _ in arrived) == {
        source: tally.sent for source, tally in counters.by_source.items()
    }
    assert min(total.duplicates, total.late, total.out_of_order, total.malformed) > 0
    assert {number for _, number in arrived} == set(range(total.callbacks))


async def test_the_rate_is_kept() -> None:
    async with receiver() as (url, _):
        counters = await Simulation(url, example_targets(), rate=100, out_of_order=0).run(0.5)
    assert 40 <= counters.total.callbacks <= 51


async def test_it_stops_by_itself_when_nobody_answers(unused_tcp_port: int) -> None:
    simulation = Simulation(f"http://127.0.0.1:{unused_tcp_port}", example_targets(), rate=100, duplicates=0)
    began = time.monotonic()
    total = (await simulation.run(0.1)).total
    assert time.monotonic() - began < 10
    assert total.acknowledged == 0
    assert total.sent == sum(total.refused.values()) > 0
    assert total.refused["connection"] > 0
    assert total.given_up + total.cut_off == total.callbacks


async def test_refusals_are_counted_by_status_and_retried_at_the_compressed_pace() -> None:
    async with receiver(status=503) as (url, arrived):
        simulation = Simulation(url, example_targets(), rate=100, duplicates=0, time_scale=0)
        total = (await simulation.run(0.1)).total
    assert total.refused["503"] == len(arrived)
    assert total.retried > 0
    assert total.given_up == total.callbacks
    assert total.cut_off == 0


async def test_a_simulation_can_be_interrupted() -> None:
    first = asyncio.Event()
    async with receiver(first=first) as (url, _):
        simulation = Simulation(url, example_targets(), rate=200)
        running = asyncio.create_task(simulation.run(60))
        await first.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    total = simulation.counters.total
    assert total.sent == total.acknowledged + sum(total.refused.values())


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(Fatal, match="rate"):
        Simulation("http://127.0.0.1:1", example_targets(), rate=0)
    with pytest.raises(Fatal, match="time_scale"):
        Simulation("http://127.0.0.1:1", example_targets(), time_scale=-1)
