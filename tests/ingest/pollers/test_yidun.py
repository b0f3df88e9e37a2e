"""Yidun's results by poll: nothing is lost on the way, and a result is the same by push and by poll."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from ingest.callbacks import identify
from ingest.pollers.polled import polled
from ingest.pollers.yidun import YidunPoller, _session_id
from moderato.bus.publisher import Message
from moderato.errors import Poison
from moderato.sources import Source
from moderato.vendor import Unavailable

ITEM = orjson.dumps(
    {
        "antispam": {
            "taskId": "t",
            "callback": '{"room": "r", "session": "s-1"}',
            "segmentId": "7",
            "result": 0,
        }
    }
)


class Results:
    """Gives what it was given, and errors where there are such; then nothing."""

    def __init__(self, *answers: list[bytes] | Exception) -> None:
        self.answers = list(answers)
        self.handled_after: list[int] = []
        self.published: list[Message] = []

    async def fetch(self) -> list[bytes]:
        if not self.answers:
            await asyncio.sleep(3600)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def handled(self) -> None:
        self.handled_after.append(len(self.published))


async def publishing(results: Results, messages: Sequence[Message]) -> None:
    await asyncio.sleep(0.05)
    results.published += messages


async def until(met: Any) -> None:
    for _ in range(1000):
        if met():
            return
        await asyncio.sleep(0.01)
    assert met()


def poller(results: Results) -> YidunPoller:
    return YidunPoller("acme", results, lambda messages: publishing(results, messages), lambda id: None)  # type: ignore[arg-type]


async def test_the_next_fetch_waits_until_the_last_is_in_kafka() -> None:
    results = Results([ITEM, ITEM], [ITEM])
    running = asyncio.create_task(poller(results).run())
    await until(lambda: len(results.published) == 3)
    running.cancel()
    assert results.handled_after[0] == 2


async def test_what_was_fetched_is_published_when_the_partition_goes() -> None:
    results = Results([ITEM])
    made = poller(results)
    running = asyncio.create_task(made.run())
    await until(lambda: not results.answers)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await made.settled()
    assert len(results.published) == 1


async def test_whoever_waits_no_longer_does_not_end_the_publishing() -> None:
    results, kafka = Results([ITEM]), asyncio.Event()

    async def publish(messages: Sequence[Message]) -> None:
        await kafka.wait()
        results.published += messages

    made = YidunPoller("acme", results, publish, lambda id: None)  # type: ignore[arg-type]
    running = asyncio.create_task(made.run())
    await until(lambda: not results.answers)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    waiting = asyncio.create_task(made.settled())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    kafka.set()
    await until(lambda: results.published)


async def test_a_result_that_kafka_never_takes_keeps_none_of_the_others_back() -> None:
    large = orjson.dumps({"antispam": {"taskId": "large"}})
    results = Results([large, ITEM], [ITEM])

    async def publish(messages: Sequence[Message]) -> None:
        if any(message.value == large for message in messages):
            raise Poison("too large")
        results.published += messages

    running = asyncio.create_task(YidunPoller("acme", results, publish, lambda id: None).run())  # type: ignore[arg-type]
    await until(lambda: len(results.published) == 2)
    running.cancel()


async def test_an_error_of_the_vendor_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.pollers.yidun._TROUBLE", 0.01)
    results = Results(Unavailable("yidun", "results", "no answer"), [ITEM])
    running = asyncio.create_task(poller(results).run())
    await until(lambda: results.published)
    running.cancel()


def test_a_result_has_the_same_id_by_push_and_by_poll() -> None:
    push = f"callbackData={quote(ITEM.decode())}&secretId=x"
    pushed = identify(Source.YIDUN_AUDIO, push.encode(), "application/x-www-form-urlencoded")
    message = polled(Source.YIDUN_AUDIO, "acme", ITEM)
    assert dict(message.headers)["ce_id"] == pushed.id.encode()
    assert message.key == f"acme/{pushed.task}".encode()


@pytest.mark.parametrize(
    ("item", "session"),
    [
        (orjson.loads(ITEM), "s-1"),
        ({"antispam": [{"callback": '{"session": "s-2"}'}]}, "s-2"),
        ({"callback": "not JSON"}, None),
        ({"callback": "[1]"}, None),
        ({"callback": 7}, None),
        ([], None),
        ({"a": {"b": {"c": {"d": {"e": {"callback": '{"session": "s"}'}}}}}}, None),
    ],
)
def test_the_session_is_what_the_submit_named(item: Any, session: str | None) -> None:
    assert _session_id(item) == session
