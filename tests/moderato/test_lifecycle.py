import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from moderato import lifecycle
from moderato.admin import AdminServer
from moderato.errors import Fatal, Unserved
from moderato.settings import Admin, Settings


class Part:
    """A role that notes what happens to it."""

    def __init__(self, name: str, story: list[str]) -> None:
        self.name = name
        self.story = story
        self.fault: str | None = None
        self.halted: str | None = None
        self.remark: str | None = None

    async def start(self) -> None:
        self.story.append(f"start {self.name}")

    def unready(self) -> str | None:
        return self.fault

    def note(self) -> str | None:
        return self.remark

    def stuck(self) -> str | None:
        return self.halted

    async def stop(self) -> None:
        self.story.append(f"stop {self.name}")


def parts(*made: Part) -> tuple[list[str], lifecycle.Make]:
    """Their names, and what gives one by its name."""
    by_name: dict[str, lifecycle.Role] = {part.name: part for part in made}
    return list(by_name), by_name.__getitem__


SETTINGS = Settings(admin={"host": "127.0.0.1", "port": 0})


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def answer(client: aiohttp.ClientSession, port: int, path: str) -> tuple[int, Any]:
    async with client.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.json()


async def test_roles_start_and_stop_in_the_order_of_the_pipeline() -> None:
    story: list[str] = []
    ended = asyncio.Event()
    ended.set()
    await lifecycle.serve(*parts(Part("one", story), Part("two", story)), SETTINGS, ended)
    assert story == ["start one", "start two", "stop one", "stop two"]


async def test_what_has_started_is_stopped_when_another_cannot_start() -> None:
    story: list[str] = []

    class Failing(Part):
        async def start(self) -> None:
            raise Fatal("no")

    with pytest.raises(Fatal, match="no"):
        await lifecycle.serve(*parts(Part("one", story), Failing("two", story)), SETTINGS, asyncio.Event())
    assert story == ["start one", "stop two", "stop one"]


async def test_a_role_that_fails_or_hangs_at_its_end_does_not_keep_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "STOP_BUDGET", 0.05)
    story: list[str] = []

    class Hanging(Part):
        async def stop(self) -> None:
            await asyncio.Event().wait()

    class Failing(Part):
        async def stop(self) -> None:
            raise RuntimeError("broken")

    ended = asyncio.Event()
    ended.set()
    with capture_logs() as logs:
        await lifecycle.serve(
            *parts(Hanging("a", story), Failing("b", story), Part("c", story)), SETTINGS, ended
        )
    assert story[-1] == "stop c"
    events = [entry["event"] for entry in logs]
    assert "role_stop_timed_out" in events
    assert "role_stop_failed" in events


async def test_a_role_waits_until_kafka_serves_us_and_says_why(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_AWAIT", 0.01)
    story: list[str] = []
    refusals = ["no broker", "no broker", "no such topic"]
    admins: list[AdminServer] = []
    answers: list[Any] = []

    class Noted(AdminServer):
        async def start(self) -> None:
            await super().start()
            admins.append(self)

    class Waiting(Part):
        async def start(self) -> None:
            if admins[0].waiting:
                answers.append(await answer(client, admins[0].port, "/readyz"))
                assert (await answer(client, admins[0].port, "/livez"))[0] == 200
            if refusals:
                raise Unserved(refusals.pop(0))
            story.append("start two")
            ended.set()

    monkeypatch.setattr(lifecycle, "AdminServer", Noted)
    ended = asyncio.Event()
    with capture_logs() as logs:
        await lifecycle.serve(*parts(Part("one", story), Waiting("two", story)), SETTINGS, ended)
    assert story == ["start one", *["stop two"] * 3, "start two", "stop one", "stop two"]
    said = [entry["error"] for entry in logs if entry["event"] == "kafka_awaited"]
    assert said == ["no broker", "no such topic"]
    assert [(status, body["reasons"]["process"]) for status, body in answers] == [
        (503, "no broker"),
        (503, "no broker"),
        (503, "no such topic"),
    ]


async def test_a_role_that_waits_ends_when_it_is_told_to() -> None:
    story: list[str] = []
    ended = asyncio.Event()

    class Waiting(Part):
        async def start(self) -> None:
            ended.set()
            raise Unserved("no broker")

    async with asyncio.timeout(5):
        await lifecycle.serve(*parts(Part("one", story), Waiting("two", story)), SETTINGS, ended)
    assert story == ["start one", "stop two", "stop one"]


async def test_a_signal_ends_the_process_in_order() -> None:
    ended = lifecycle.until_signal()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5):
        await ended.wait()


def test_the_exit_code_is_that_of_the_main_coroutine() -> None:
    async def main() -> int:
        return 7

    assert lifecycle.run(main()) == 7


async def test_probes_say_which_role_is_wrong_and_why(client: aiohttp.ClientSession) -> None:
    part = Part("normalizer", [])
    admin = AdminServer(SETTINGS.admin, [part])
    await admin.start()
    try:
        assert await answer(client, admin.port, "/livez") == (200, {"status": "ok"})
        status, body = await answer(client, admin.port, "/readyz")
        assert (status, body["reasons"]) == (503, {"process": "starting or stopping"})
        admin.ready = True
        assert await answer(client, admin.port, "/readyz") == (200, {"status": "ok"})
        part.remark = "spooling"
        assert await answer(client, admin.port, "/readyz") == (
            200,
            {"status": "ok", "notes": {"normalizer": "spooling"}},
        )
        part.fault, part.halted = "no Kafka", "no progress"
        assert await answer(client, admin.port, "/readyz") == (
            503,
            {"status": "unavailable", "reasons": {"normalizer": "no Kafka"}},
        )
        assert (await answer(client, admin.port, "/livez"))[1]["reasons"] == {"normalizer": "no progress"}
        async with client.get(f"http://127.0.0.1:{admin.port}/metrics") as response:
            assert response.status == 200
            assert "moderato_callbacks_received_total" in await response.text()
    finally:
        await admin.stop()


async def test_an_address_in_use_is_a_clear_configuration_error() -> None:
    first = AdminServer(SETTINGS.admin, [])
    await first.start()
    second = AdminServer(Admin(host="127.0.0.1", port=first.port), [])
    with pytest.raises(Fatal, match=r"admin\.host, admin\.port: cannot listen there"):
        await second.start()
    await second.stop()
    await first.stop()
