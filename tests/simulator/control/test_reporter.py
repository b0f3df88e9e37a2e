"""Started tasks call back to where they were told to, until they are stopped."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from moderato.sources import Source
from simulator.control.accounts import Accounts
from simulator.control.reports import Reports
from simulator.control.world import World
from tests.simulator.control.support import Vendors, vendors
from tests.simulator.control.test_agora import BASE, STOP, VOICE, acquire, call
from tests.simulator.control.test_iflytek import FILES
from tests.simulator.control.test_iflytek import ask as ask_iflytek
from tests.simulator.control.test_netease import check, feedback, poll
from tests.simulator.control.test_shumei import DATA, finish
from tests.simulator.control.test_shumei import start as start_shumei
from tests.simulator.support import form


@dataclass
class Receiver:
    url: str = ""
    bodies: list[tuple[str, bytes]] = field(default_factory=list)

    def at(self, path: str) -> list[bytes]:
        return [body for arrived, body in self.bodies if arrived == path]

    async def wait(self, found: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not found():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()

    async def receive(request: web.Request) -> web.Response:
        receiver.bodies.append((request.path, await request.read()))
        return web.json_response({"code": 200})

    application = web.Application()
    application.router.add_post("/{name}", receive)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def speaking() -> AsyncIterator[tuple[Vendors, Receiver]]:
    async with receiving() as receiver:
        world = World(accounts=Accounts(ncs_url=f"{receiver.url}/ncs"))
        async with vendors(world, report_seconds=0.05) as simulated:
            yield simulated, receiver


async def test_agora_voice_speaks_with_its_checksum_and_tells_of_its_end() -> None:
    async with speaking() as (simulated, receiver):
        resource = await acquire(simulated)
        body = json.loads(json.dumps(VOICE).replace("http://127.0.0.1:1/x", f"{receiver.url}/voice"))
        started = (await call(simulated, "POST", f"{BASE}/resourceid/{resource}/mode/mix/start", body))[1]
        await receiver.wait(lambda: len(receiver.at("/voice")) > 2)
        given = form(receiver.at("/voice")[0])
        due = hashlib.sha256(f"{simulated.world.accounts.aliyun_uid}test{given['content']}".encode())
        assert given["checksum"] == due.hexdigest()
        data = json.loads(json.loads(given["content"])["dataId"])
        assert data["uid"] == "527841"
        assert "httpClient463224" in data.values()
        path = f"{BASE}/resourceid/{resource}/sid/{started['sid']}/mode/mix/stop"
        assert (await call(simulated, "POST", path, STOP))[0] == 200
        await receiver.wait(lambda: len(receiver.at("/ncs")) == 2)
        notices = [json.loads(notice) for notice in receiver.at("/ncs")]
        assert [notice["eventType"] for notice in notices] == [202, 203]
        assert {notice["payload"]["sid"] for notice in notices} == {started["sid"]}


async def test_shumei_speaks_until_the_end_of_the_stream() -> None:
    async with speaking() as (simulated, receiver):
        data = DATA | {"returnFinishInfo": 1, "extra": {"passThrough": {"nonce": "n"}}}
        started = await start_shumei(simulated, callback=f"{receiver.url}/shumei", data=data)
        await receiver.wait(lambda: len(receiver.at("/shumei")) > 2)
        await finish(simulated, started["requestId"])

        def ends() -> list[Any]:
            read = [json.loads(body) for body in receiver.at("/shumei")]
            return [body for body in read if body["statCode"] == 1]

        await receiver.wait(ends)
        first = json.loads(receiver.at("/shumei")[0])
        assert first["requestId"] == f"{started['requestId']}_0"
        assert first["audioDetail"]["auxInfo"]["passThrough"] == {"nonce": "n"}
        assert first["audioDetail"]["auxInfo"]["room"] == "room2"
        assert [end["requestId"] for end in ends()] == [started["requestId"]]


async def test_yidun_pushes_what_it_was_given_to_echo() -> None:
    async with speaking() as (simulated, receiver):
        task = (await check(simulated, callback="mine", callbackUrl=f"{receiver.url}/yidun"))["result"][
            "taskId"
        ]
        await receiver.wait(lambda: receiver.at("/yidun"))
        antispam = json.loads(form(receiver.at("/yidun")[0])["callbackData"])["antispam"]
        assert (antispam["taskId"], antispam["callback"]) == (task, "mine")
        await feedback(simulated, {"taskId": task, "status": 100})
        assert not simulated.world.to_poll

        def finished() -> bool:
            read = [json.loads(form(body)["callbackData"])["antispam"] for body in receiver.at("/yidun")]
            return any(item.get("finishType") == 1 for item in read)

        await receiver.wait(finished)


async def test_yidun_without_an_address_is_polled() -> None:
    async with speaking() as (simulated, receiver):
        task = (await check(simulated))["result"]["taskId"]
        await receiver.wait(lambda: simulated.world.to_poll)
        assert (await poll(simulated))["result"][0]["antispam"]["taskId"] == task
        assert not receiver.bodies
        assert simulated.world.judged[task][0]["taskId"] == task


async def test_iflytek_notifies_when_it_is_done() -> None:
    async with speaking() as (simulated, receiver):
        answer = await ask_iflytek(simulated, "audio", FILES | {"notify_url": f"{receiver.url}/iflytek"})
        simulated.world.clock.move(60)
        await receiver.wait(lambda: receiver.at("/iflytek"))
        data = json.loads(receiver.at("/iflytek")[0])["data"]
        assert (data["request_id"], data["audit_status"]) == (answer["data"]["request_id"], 2)
        assert data["result_list"][0]["name"] == "xxx%2F1.mp3"


@pytest.mark.parametrize(("how", "code"), [("token_expired", 3005), ("failed", 3003)])
async def test_a_stream_that_breaks_says_why(how: str, code: int) -> None:
    async with speaking() as (simulated, receiver):
        data = DATA | {"returnAllText": 0, "returnFinishInfo": 1}
        started = await start_shumei(simulated, callback=f"{receiver.url}/shumei", data=data)
        assert (await simulated.call("POST", f"/_tasks/{started['requestId']}/die", json={"how": how}))[
            0
        ] == 200
        await receiver.wait(lambda: any(b'"statCode":1' in body for body in receiver.at("/shumei")))
        assert json.loads(receiver.at("/shumei")[-1])["auxInfo"]["errorCode"] == code


async def test_a_silent_death_leaves_nothing_to_report(simulated: Vendors) -> None:
    started = await start_shumei(simulated, data=DATA | {"returnFinishInfo": 1})
    path = f"/_tasks/{started['requestId']}/die"
    assert (await simulated.call("POST", path, json={"how": "silent"}))[0] == 200
    assert not simulated.world.ending
    assert (await simulated.call("POST", path, json={}))[0] == 404


async def test_passes_are_told_when_asked_for(simulated: Vendors) -> None:
    await start_shumei(simulated, data=DATA | {"returnAllText": 0})
    [task] = simulated.world.book.all_running()
    reports = Reports(simulated.world)
    told = [callback for _ in range(200) for callback in reports.next(task)]
    assert task.source is Source.SHUMEI_AUDIO
    assert 0 < len(told) < 100
    levels = {json.loads(callback.body)["audioDetail"]["riskLevel"] for callback in told}
    assert levels == {"REVIEW", "REJECT"}


async def test_an_address_beyond_this_machine_is_left_out() -> None:
    async with vendors(report_seconds=0.05) as simulated:
        await start_shumei(simulated, callback="http://192.0.2.1/x")
        [task] = simulated.world.book.all_running()
        await Receiver().wait(lambda: task.reports > 2)
        assert not simulated.counters.by_source
