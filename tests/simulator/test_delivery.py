"""Retry schedules on a clock of their own, and delivery over real sockets to receivers good and bad."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from moderato.sources import Source
from simulator.callbacks import SOURCES, make
from simulator.callbacks.contract import Callback
from simulator.counters import Counters, Tally
from simulator.delivery import Answer, Courier, http_post
from simulator.traffic import Dispatch, Kind
from tests.simulator.support import NOW, moment

GOOD = Answer(200, b'{"code":200}')


def callback(source: Source, url: str = "http://127.0.0.1:1/") -> Callback:
    # Seed 3 is an ordinary result: Shumei's reviewers want another answer.
    made, _ = make(source, url, moment(source, 3))
    return made


@dataclass
class Receiver:
    """Gives the scripted answers, then `otherwise`; remembers when it was called, on a clock that only sleeps move."""

    script: list[Answer] = field(default_factory=list)
    otherwise: Answer = GOOD
    now: float = NOW
    calls: list[tuple[float, Callback, float]] = field(default_factory=list)

    async def post(self, callback: Callback, timeout: float) -> Answer:
        self.calls.append((self.now - NOW, callback, timeout))
        return self.script.pop(0) if self.script else self.otherwise

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def courier(self, counters: Counters, time_scale: float = 1.0) -> Courier:
        return Courier(self.post, counters, time_scale, sleep=self.sleep, clock=lambda: self.now)


async def delivered(
    receiver: Receiver, source: Source, kind: Kind = Kind.FRESH, delay: float = 0.0, time_scale: float = 1.0
) -> Tally:
    counters = Counters()
    await receiver.courier(counters, time_scale).deliver(Dispatch(callback(source), kind, delay))
    return counters.of(source)


@pytest.mark.parametrize("source", list(Source))
async def test_a_content_vendor_posts_once(source: Source) -> None:
    receiver = Receiver()
    tally = await delivered(receiver, source)
    assert (tally.callbacks, tally.sent, tally.acknowledged, tally.retried) == (1, 1, 1, 0)
    assert receiver.calls[0][2] == SOURCES[source].delivery.timeout


@pytest.mark.parametrize("source", list(Source))
async def test_a_vendor_gives_up_after_its_own_number_of_attempts(source: Source) -> None:
    receiver = Receiver(otherwise=Answer(503))
    tally = await delivered(receiver, source)
    attempts = len(SOURCES[source].delivery.waits) + 1
    assert (tally.sent, tally.retried, tally.given_up) == (attempts, attempts - 1, 1)
    assert tally.acknowledged == 0
    assert tally.refused == {"503": attempts}


async def test_yidun_comes_every_ten_minutes_for_a_day() -> None:
    receiver = Receiver(otherwise=Answer(500))
    await delivered(receiver, Source.YIDUN_AUDIO)
    assert [called for called, _, _ in receiver.calls] == [600.0 * attempt for attempt in range(144)]


async def test_shumei_waits_longer_each_time() -> None:
    receiver = Receiver([Answer(503)] * 3)
    await delivered(receiver, Source.SHUMEI_AUDIO)
    assert [called for called, _, _ in receiver.calls] == [0, 5, 15, 30]


async def test_agora_video_tries_three_times_at_once() -> None:
    receiver = Receiver(otherwise=Answer(failure="timeout"))
    tally = await delivered(receiver, Source.AGORA_VIDEO)
    assert [called for called, _, _ in receiver.calls] == [0, 0, 0]
    assert tally.refused == {"timeout": 3}


async def test_time_can_be_compressed() -> None:
    receiver = Receiver([Answer(503)] * 2)
    await delivered(receiver, Source.YIDUN_AUDIO, time_scale=0.01)
    assert [called for called, _, _ in receiver.calls] == [0, 6, 12]


async def test_ncs_retries_carry_a_new_time_and_a_signature_over_it() -> None:
    receiver = Receiver([Answer(503)] * 3)
    await delivered(receiver, Source.AGORA_NCS)
    stamps = [json.loads(posted.body)["notifyMs"] for _, posted, _ in receiver.calls]
    assert [stamp - round(NOW * 1000) for stamp in stamps] == [0, 0, 5_000, 20_000]
    notices = {json.loads(posted.body)["noticeId"] for _, posted, _ in receiver.calls}
    assert len(notices) == 1
    assert len({posted.headers["Agora-Signature"] for _, posted, _ in receiver.calls}) == 3


async def test_other_vendors_repeat_the_same_bytes() -> None:
    receiver = Receiver([Answer(503)] * 3)
    await delivered(receiver, Source.YUNXIN_RTC)
    assert len({(posted.body, str(posted.headers)) for _, posted, _ in receiver.calls}) == 1


async def test_duplicates_are_counted_apart_and_posted_after_their_delay() -> None:
    receiver = Receiver()
    tally = await delivered(receiver, Source.AGORA_NCS, Kind.DUPLICATE, delay=1.5)
    assert (tally.callbacks, tally.duplicates, tally.sent) == (0, 1, 1)
    called, posted, _ = receiver.calls[0]
    assert called == 1.5
    assert json.loads(posted.body)["notifyMs"] == round(NOW * 1000) + 1500


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Kind.LATE, "late"), (Kind.OUT_OF_ORDER, "out_of_order"), (Kind.MALFORMED, "malformed")],
)
async def test_what_is_special_about_a_callback_is_counted(kind: Kind, name: str) -> None:
    tally = await delivered(Receiver(), Source.SHUMEI_AUDIO, kind)
    assert tally.callbacks == 1
    assert [getattr(tally, other) for other in ("late", "out_of_order", "malformed")].count(1) == 1
    assert getattr(tally, name) == 1


async def test_a_success_without_the_right_body_contents_nobody_who_reads_it() -> None:
    receiver = Receiver([Answer(200, b"ok")])
    tally = await delivered(receiver, Source.YUNXIN_RTC)
    assert tally.refused == {"200 answer": 1}
    assert tally.acknowledged == 1


async def test_reviewers_of_shumei_want_code_1100() -> None:
    reviews = [
        made
        for seed in range(100)
        for made, _ in [
            make(Source.SHUMEI_AUDIO, "http://x/", moment(Source.SHUMEI_AUDIO, seed, decision="block"))
        ]
        if b'"serviceId"' in made.body
    ]
    receiver = Receiver([GOOD, Answer(200, b'{"code":1100,"message":"ok"}')])
    counters = Counters()
    await receiver.courier(counters).deliver(Dispatch(reviews[0], Kind.FRESH))
    assert counters.of(Source.SHUMEI_AUDIO).refused == {"200 answer": 1}
    assert counters.of(Source.SHUMEI_AUDIO).acknowledged == 1


async def test_a_delivery_that_is_cut_off_is_counted() -> None:
    never = asyncio.Event()

    async def post(callback: Callback, timeout: float) -> Answer:
        await never.wait()
        return GOOD

    counters = Counters()
    task = asyncio.create_task(
        Courier(post, counters).deliver(Dispatch(callback(Source.SHUMEI_AUDIO), Kind.FRESH))
    )
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    tally = counters.of(Source.SHUMEI_AUDIO)
    assert (tally.sent, tally.refused, tally.cut_off) == (1, {"cut off": 1}, 1)


def test_totals_are_sums() -> None:
    counters = Counters()
    counters.of(Source.SHUMEI_AUDIO).sent = 2
    counters.of(Source.SHUMEI_AUDIO).refused["503"] += 1
    counters.of(Source.YIDUN_AUDIO).sent = 3
    counters.of(Source.YIDUN_AUDIO).refused["503"] += 2
    assert counters.total.sent == 5
    assert counters.total.refused == {"503": 3}
    assert Counters().total == Tally()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/{tail:.*}", handler)
    async with TestServer(application) as server:
        yield str(server.make_url("/"))


@pytest.mark.parametrize("source", list(Source))
async def test_what_arrives_is_what_was_made(source: Source) -> None:
    arrived: list[tuple[bytes, dict[str, str]]] = []

    async def handler(request: web.Request) -> web.Response:
        arrived.append((await request.read(), dict(request.headers)))
        return web.json_response({"code": 200})

    async with serving(handler) as url, http_post() as post:
        made = callback(source, url)
        answer = await post(made, 5.0)
    assert (answer.status, answer.failure) == (200, None)
    assert made.accepts(answer.status, answer.body)
    body, headers = arrived[0]
    assert body == made.body
    assert headers["Content-Type"] == made.content_type
    assert made.headers.items() <= headers.items()


async def test_a_receiver_that_hangs_is_a_timeout() -> None:
    release = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with serving(handler) as url, http_post() as post:
        assert await post(callback(Source.SHUMEI_AUDIO, url), 0.05) == Answer(failure="timeout")
        release.set()


async def test_a_receiver_that_is_not_there_is_a_failed_connection(unused_tcp_port: int) -> None:
    async with http_post() as post:
        url = f"http://127.0.0.1:{unused_tcp_port}/"
        assert await post(callback(Source.SHUMEI_AUDIO, url), 5.0) == Answer(failure="connection")


async def test_a_receiver_that_hangs_up_is_a_failed_connection() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async with serving(handler) as url, http_post() as post:
        assert await post(callback(Source.SHUMEI_AUDIO, url), 5.0) == Answer(failure="connection")


async def test_redirects_are_not_followed() -> None:
    async def handler(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with serving(handler) as url, http_post() as post:
        made = callback(Source.SHUMEI_AUDIO, url)
        assert (await post(made, 5.0)).status == 307
        assert not made.accepts(307, b"")


async def test_a_receiver_that_recovers_gets_everything() -> None:
    answers = [503, 401, 200]

    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"code": 200}, status=answers.pop(0))

    counters = Counters()
    async with serving(handler) as url, http_post() as post:
        made = replace(callback(Source.AGORA_VIDEO), url=url)
        await Courier(post, counters).deliver(Dispatch(made, Kind.FRESH))
    tally = counters.of(Source.AGORA_VIDEO)
    assert tally.refused == {"503": 1, "401": 1}
    assert (tally.sent, tally.acknowledged, tally.retried, tally.given_up) == (3, 1, 2, 0)
