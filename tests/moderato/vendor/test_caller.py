"""One call to a vendor: what is retried and when, what is an error of which kind, and that nothing leaks or hangs."""

import asyncio
import itertools
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from moderato import metrics
from moderato.vendor import (
    MAX_ANSWER,
    Answer,
    Caller,
    Rate,
    Rates,
    Refused,
    Request,
    Rule,
    Throttled,
    Unavailable,
    Unreadable,
    VendorError,
    by_status,
    http,
    open_session,
)
from tests.moderato.vendor.support import Handler, Time, vendor

RULE = Rule(waits=(1, 3, 6))


def judge(answer: Answer) -> dict[str, Any]:
    by_status("agora", "start", answer)
    return answer.body


def answers(*given: web.Response | Callable[[], web.Response]) -> tuple[Handler, list[web.Request]]:
    """A handler that gives these in turn, the last one for ever."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        make = given[min(len(seen), len(given)) - 1]
        assert callable(make)
        return make()

    return handler, seen


def reply(status: int = 200, body: bytes = b'{"ok":1}', **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(
        status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


async def call(
    handler: Handler, rule: Rule = RULE, time: Time | None = None, **kwargs: Any
) -> dict[str, Any]:
    async with vendor(handler, time, **kwargs) as (caller, url):
        return await caller.call("start", rule, lambda attempt: Request("GET", f"{url}/{attempt}"), judge)


async def test_a_good_answer_is_the_result_and_is_counted() -> None:
    before = metrics.VENDOR_CALLS.labels("agora", "start", "ok")._value.get()
    handler, seen = answers(reply())
    assert await call(handler) == {"ok": 1}
    assert len(seen) == 1
    assert metrics.VENDOR_CALLS.labels("agora", "start", "ok")._value.get() == before + 1


async def test_50x_is_tried_again_with_a_request_of_its_own_after_the_rules_waits() -> None:
    time = Time()
    handler, seen = answers(reply(502, b"<html>bad gateway</html>"), reply(500, b'{"code":1}'), reply())
    assert await call(handler, time=time) == {"ok": 1}
    assert [request.path for request in seen] == ["/0", "/1", "/2"]
    assert time.slept == [1, 3]


async def test_after_the_last_wait_the_error_of_the_last_attempt_comes_out() -> None:
    handler, seen = answers(reply(503, b""))
    with pytest.raises(Unavailable, match=r"^agora start: http-503: its answer is empty$") as caught:
        await call(handler)
    assert len(seen) == 4
    assert caught.value.sent is True


async def test_a_refusal_is_never_tried_again() -> None:
    handler, seen = answers(reply(401, b'{"message":"Invalid authentication credentials"}'))
    with pytest.raises(Refused):
        await call(handler)
    assert len(seen) == 1


async def test_429_is_tried_again_when_the_vendor_says_so() -> None:
    time = Time()
    handler, _ = answers(reply(429, b"", retry_after="7"), reply())
    assert await call(handler, time=time) == {"ok": 1}
    assert time.slept == [7]


async def test_a_retry_after_beyond_all_reason_is_not_believed() -> None:
    time = Time()
    handler, _ = answers(reply(429, b"{}", retry_after="99999999999999"), reply())
    await call(handler, time=time)
    assert time.slept == [60]


async def test_a_retry_after_is_read_on_the_vendors_own_clock() -> None:
    time = Time()
    handler, _ = answers(
        reply(429, b"", retry_after="Wed, 21 Oct 2015 07:28:10 GMT", date="Wed, 21 Oct 2015 07:28:00 GMT"),
        reply(),
    )
    await call(handler, time=time)
    assert time.slept == [10]


@pytest.mark.parametrize("broken", ["soon", "-5", "٣", "Wed, 99 Oct 2015 07:28:10 GMT", "1.5"])
async def test_a_retry_after_that_says_nothing_leaves_the_rules_wait(broken: str) -> None:
    time = Time()
    headers = {"retry_after": broken} if broken.isascii() else {}
    handler, _ = answers(reply(429, b"", **headers), reply())
    await call(handler, time=time)
    assert time.slept == [1]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "empty"),
        (b"<html><body>Welcome</body></html>", "not JSON"),
        (b'{"code": 200, "resu', "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b'{"a":"' + b"x" * (5 * 1024 * 1024) + b'"}', f"longer than {MAX_ANSWER} bytes"),
    ],
    ids=["empty", "html", "truncated", "array", "null", "binary", "deep", "5 MiB"],
)
async def test_a_success_that_is_no_json_object_is_unreadable_and_tried_again(
    body: bytes, fault: str
) -> None:
    handler, seen = answers(reply(200, body))
    with pytest.raises(Unreadable, match=fault) as caught:
        await call(handler)
    assert len(seen) == 4
    assert len(str(caught.value)) < 300
    handler, seen = answers(reply(200, body), reply())
    assert await call(handler) == {"ok": 1}


async def test_what_must_not_happen_twice_is_not_tried_again_when_it_may_have_happened() -> None:
    once = Rule(waits=(1, 3), repeatable=False)
    for first in (reply(200, b"<html>"), reply(504, b"{}"), reply(500, b"")):
        handler, seen = answers(first, reply())
        with pytest.raises(VendorError) as caught:
            await call(handler, once)
        assert caught.value.unknown_outcome
        assert len(seen) == 1


async def test_what_must_not_happen_twice_is_tried_again_when_it_surely_did_not() -> None:
    handler, seen = answers(reply(429, b"{}"), reply())
    assert await call(handler, Rule(waits=(1,), repeatable=False)) == {"ok": 1}
    assert len(seen) == 2


async def test_nobody_who_listens_is_a_call_that_was_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        time = Time()
        async with AsyncExitStack() as stack:
            caller = Caller("agora", "a", await open_session(stack), Rates(time.clock, time.sleep))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/?secret=hush"
            with pytest.raises(Unavailable) as caught:
                await caller.call("start", RULE, lambda _: Request("GET", url), judge)
    assert caught.value.sent is False
    assert not caught.value.unknown_outcome
    assert time.slept == [1, 3, 6]
    assert "hush" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


async def test_an_answer_that_does_not_come_is_of_unknown_outcome() -> None:
    released = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    try:
        with pytest.raises(Unavailable, match=r"no answer within 0\.2 s") as caught:
            await call(handler, Rule(timeout=0.2, waits=()))
    finally:
        released.set()
    assert caught.value.sent is None
    assert caught.value.unknown_outcome


async def test_a_connection_that_breaks_in_the_answer_is_of_unknown_outcome() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "100"})
        await response.prepare(request)
        await response.write(b'{"code":')
        assert request.transport is not None
        request.transport.close()
        return response

    with pytest.raises(Unavailable, match="the connection broke") as caught:
        await call(handler, Rule(waits=()))
    assert caught.value.unknown_outcome


async def test_an_answer_that_drips_for_ever_ends_at_the_deadline() -> None:
    ended = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not ended.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    try:
        with pytest.raises(Unavailable, match="no answer within"):
            await call(handler, Rule(timeout=0.5, waits=()))
    finally:
        ended.set()


async def test_a_redirect_is_not_followed() -> None:
    handler, seen = answers(reply(302, b"", location="http://127.0.0.1:1/"))
    with pytest.raises(Refused, match="redirects are not followed"):
        await call(handler)
    assert len(seen) == 1


async def test_what_a_vendor_repeats_of_our_secrets_is_not_passed_on() -> None:
    handler, _ = answers(reply(400, b"{}"))

    def echo(answer: Answer) -> None:
        raise Refused("agora", "start", "the key s3cr3t-s3cr3t is wrong", code="2")

    async with vendor(handler, secrets=("s3cr3t-s3cr3t",)) as (caller, url):
        with pytest.raises(Refused) as caught:
            await caller.call("start", RULE, lambda _: Request("GET", url), echo)
    assert str(caught.value) == "agora start: 2: the key *** is wrong"
    assert caught.value.message == "the key *** is wrong"


async def test_a_vendors_long_message_is_cut() -> None:
    assert len(Refused("agora", "start", "x" * 10_000).message) == 200


async def test_a_call_ends_before_its_patience_rather_than_wait_beyond_it() -> None:
    time = Time()
    handler, seen = answers(reply(503, b""))
    with pytest.raises(Unavailable):
        await call(handler, Rule(waits=(1, 3, 600), patience=10), time)
    assert len(seen) == 3
    assert time.slept == [1, 3]


async def test_calls_of_one_account_are_spaced_by_its_rate() -> None:
    time = Time()
    handler, seen = answers(reply())
    rule = Rule(rate=Rate(10))
    async with vendor(handler, time) as (caller, url):
        for _ in range(21):
            await caller.call("start", rule, lambda _: Request("GET", url), judge)
    assert len(seen) == 21
    assert 2.0 <= time.now - 1000.0 <= 2.2


async def test_no_slot_within_the_patience_is_throttled_before_anything_is_sent() -> None:
    handler, seen = answers(reply())
    rule = Rule(rate=Rate(1, 100.0), patience=5)
    async with vendor(handler) as (caller, url):
        await caller.call("start", rule, lambda _: Request("GET", url), judge)
        with pytest.raises(Throttled, match="our own rate limit"):
            await caller.call("start", rule, lambda _: Request("GET", url), judge)
    assert len(seen) == 1


async def test_a_throttled_account_is_left_alone_by_its_other_calls_too() -> None:
    time = Time()
    handler, _ = answers(reply(429, b"", retry_after="30"), reply())
    rule = Rule(rate=Rate(10), waits=())
    async with vendor(handler, time) as (caller, url):
        with pytest.raises(Throttled):
            await caller.call(
                "start", Rule(rate=Rate(10), waits=(90,), patience=50), lambda _: Request("GET", url), judge
            )
        await caller.call("query", rule, lambda _: Request("GET", url), judge)
    assert sum(time.slept) >= 30


@given(
    calls=st.integers(1, 50),
    seconds=st.floats(0.1, 60),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=120),
)
async def test_no_window_holds_more_calls_than_the_rate_allows(
    calls: int, seconds: float, gaps: list[float]
) -> None:
    time = Time(now=0.0)
    bucket = Rates(time.clock, time.sleep).bucket("v", "a", "all", Rate(calls, seconds))
    passed: list[float] = []
    for gap in gaps:
        time.now += gap
        assert await bucket.take(float("inf"))
        passed.append(time.now)
    for first in range(len(passed) - calls):
        assert passed[first + calls] - passed[first] >= seconds


async def test_what_a_busy_machine_held_up_is_not_made_good_by_a_burst() -> None:
    time = Time(now=0.0)

    async def late(wait: float) -> None:
        await time.sleep(wait + 3.0)

    bucket = Rates(time.clock, late).bucket("v", "a", "all", Rate(10))
    passed = []
    for _ in range(3):
        await bucket.take(60)
        passed.append(time.now)
    assert all(later - earlier >= 0.1 for earlier, later in itertools.pairwise(passed))


async def test_those_who_wait_for_their_turn_pass_in_order_and_one_who_gives_up_takes_none() -> None:
    rates = Rates()
    bucket = rates.bucket("v", "a", "all", Rate(100))
    order: list[int] = []

    async def take(number: int) -> None:
        assert await bucket.take(60)
        order.append(number)

    tasks = [asyncio.create_task(take(number)) for number in range(10)]
    await asyncio.sleep(0)
    tasks[5].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 2, 3, 4, 6, 7, 8, 9]


async def test_a_turn_is_refused_at_once_when_too_many_wait_before_it() -> None:
    rates = Rates()
    bucket = rates.bucket("v", "a", "all", Rate(1, 30.0))
    assert await bucket.take(1)
    waiting = asyncio.create_task(bucket.take(60))
    await asyncio.sleep(0)
    assert not await bucket.take(40)
    waiting.cancel()


@given(st.binary(max_size=300), st.integers(200, 599), st.text(max_size=30))
def test_any_answer_is_a_json_object_or_a_vendor_error(body: bytes, status: int, retry_after: str) -> None:
    seconds = http._seconds(retry_after, None)
    assert 0 <= seconds <= 60
    try:
        answer = http._answer("agora", "start", status, body, seconds, orjson.loads)
    except VendorError as error:
        code = error.code
    else:
        assert isinstance(answer.body, dict)
        code = f"http-{answer.status}"
    assert code == f"http-{status}"
