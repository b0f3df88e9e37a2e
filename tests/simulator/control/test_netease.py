"""Yidun's signed forms, its codes and limits; Yunxin's token and rooms."""

import hashlib
import json
import time
import uuid
from typing import Any

import pytest

from simulator.control.accounts import Accounts, Limits
from simulator.control.world import World
from tests.simulator.control.support import Vendors, vendors

URL = "rtmp://pull.example.com/1"


def form(version: str, **fields: str) -> dict[str, str]:
    """A form signed as the document says, without the simulator's own code."""
    given = {
        "secretId": "simulated-secret-id",
        "businessId": "simulated-business-id",
        "version": version,
        "timestamp": str(round(time.time() * 1000)),
        "nonce": uuid.uuid4().hex,
    } | fields
    text = "".join(name + given[name] for name in sorted(given)) + "simulated-secret-key"
    digest = "sha256" if given.get("signatureMethod") == "SHA256" else "md5"
    return given | {"signature": hashlib.new(digest, text.encode()).hexdigest()}


async def ask(simulated: Vendors, path: str, fields: dict[str, str], **more: Any) -> Any:
    return (await simulated.call("POST", f"/yidun{path}", **({"data": fields} | more)))[1]


async def check(simulated: Vendors, **fields: str) -> Any:
    return await ask(simulated, "/v4/liveaudio/check", form(**({"version": "v4", "url": URL} | fields)))


async def feedback(simulated: Vendors, *items: Any) -> Any:
    return await ask(simulated, "/v1/liveaudio/feedback", form("v1.0", feedbacks=json.dumps(items)))


@pytest.mark.parametrize(("path", "version"), [("v3", "v3.1"), ("v4", "v4"), ("v4", "v4.1")])
async def test_a_task_is_started_once_and_stopped(simulated: Vendors, path: str, version: str) -> None:
    answer = await ask(
        simulated, f"/{path}/liveaudio/check", form(version, url=URL, signatureMethod="SHA256")
    )
    assert (answer["code"], answer["result"]["status"]) == (200, 0)
    task = answer["result"]["taskId"]
    again = await ask(simulated, f"/{path}/liveaudio/check", form(version, url=URL))
    assert again["result"]["status"] == 3
    stopped = await feedback(simulated, {"taskId": task, "status": 100}, {"taskId": "x", "status": 100})
    assert stopped["result"] == [{"taskId": task, "result": 0}, {"taskId": "x", "result": 2}]
    assert (await check(simulated))["result"]["status"] == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "0" * 32}, 410),
        ({"title": "not signed"}, 410),
        ({"secretId": ""}, 400),
        ({"businessId": "another"}, 401),
        ({"version": "v3.1"}, 410),
    ],
)
async def test_a_form_that_was_changed(simulated: Vendors, changes: dict[str, str], code: int) -> None:
    answer = await ask(simulated, "/v4/liveaudio/check", form("v4", url=URL) | changes)
    assert answer["code"] == code
    assert not simulated.world.book.tasks


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"version": "v3.1"}, 405),
        ({"timestamp": "1650000000000"}, 420),
        ({"timestamp": "now"}, 405),
        ({"signatureMethod": "CRC"}, 405),
        ({"url": ""}, 405),
        ({"url": "rtmp://" + "x" * 1024}, 405),
        ({"callback": "x" * 1025}, 405),
        ({"callbackUrl": "ftp://x"}, 405),
        ({"checkSpeakerIds": "1a,2b"}, 405),
        ({"checkSpeakerIds": "1000, 2000"}, 405),
        ({"noCheckSpeakerIds": ",".join(["1000"] * 21)}, 405),
    ],
)
async def test_a_signed_form_is_checked(simulated: Vendors, fields: dict[str, str], code: int) -> None:
    assert (await check(simulated, **fields))["code"] == code


async def test_a_form_comes_as_a_form_and_once(simulated: Vendors) -> None:
    fields = form("v4", url=URL)
    assert (await ask(simulated, "/v4/liveaudio/check", {}, data=None, json=fields))["code"] == 405
    assert (await ask(simulated, "/v4/liveaudio/check", fields))["code"] == 200
    assert (await ask(simulated, "/v4/liveaudio/check", fields))["code"] == 430


async def test_a_hundred_at_a_time(simulated: Vendors) -> None:
    assert (await feedback(simulated, *[{"taskId": "x", "status": 100}] * 101))["code"] == 405


async def test_no_more_than_may_run_at_once() -> None:
    async with vendors(World(limits=Limits(yidun_running=1))) as simulated:
        assert (await check(simulated))["result"]["status"] == 0
        assert (await check(simulated, url=URL + "2"))["result"]["status"] == 2


async def poll(simulated: Vendors, **fields: str) -> Any:
    return await ask(simulated, "/v4/liveaudio/callback/results", form("v4", **fields))


async def test_results_come_again_until_they_are_handled(simulated: Vendors) -> None:
    simulated.world.to_poll.append({"antispam": {"taskId": "t"}})
    for _ in range(2):
        assert (await poll(simulated, yidunRequestId="one"))["result"] == [{"antispam": {"taskId": "t"}}]
    assert (await poll(simulated, yidunRequestId="two"))["result"] == []


async def test_twenty_polls_in_ten_seconds(simulated: Vendors) -> None:
    codes = [(await poll(simulated))["code"] for _ in range(21)]
    assert codes == [200] * 20 + [411]
    simulated.world.clock.move(11)
    assert (await poll(simulated))["code"] == 200


async def test_a_query_spans_ten_minutes(simulated: Vendors) -> None:
    task = (await check(simulated))["result"]["taskId"]
    span = {"taskId": task, "startTime": "0", "endTime": "600000"}
    assert (await ask(simulated, "/v1/liveaudio/query/task", form("v1.0", **span)))["code"] == 200
    span["endTime"] = "600001"
    assert (await ask(simulated, "/v1/liveaudio/query/task", form("v1.0", **span)))["code"] == 405


def headers(**changes: str) -> dict[str, str]:
    given = {
        "AppKey": "simulated-app-key",
        "Nonce": uuid.uuid4().hex,
        "CurTime": str(int(time.time())),
    } | changes
    text = f"simulated-app-secret{given['Nonce']}{given['CurTime']}"
    return {"CheckSum": hashlib.sha1(text.encode()).hexdigest()} | given


async def room(simulated: Vendors, *members: int) -> int:
    body = {"name": "room1001", "members": members}
    return int((await simulated.call("POST", "/yunxin/_rooms", json=body))[1]["cid"])


async def token(simulated: Vendors, **fields: str) -> Any:
    path = "/yunxin/nimserver/nrtc/getRecordSdkUserChecksum.action"
    data = {
        "channelName": "room1001",
        "type": "1",
        "uid": "900000000001",
        "expireSeconds": "2592000",
    } | fields
    return (await simulated.call("POST", path, data=data, headers=headers()))[1]


async def test_a_token_needs_a_room_with_somebody_in_it(simulated: Vendors) -> None:
    assert (await token(simulated))["code"] == 414
    cid = await room(simulated, 11, 12)
    answer = await token(simulated)
    assert (answer["code"], answer["cid"]) == (200, cid)
    assert (await token(simulated, uid="11"))["code"] == 414
    assert (await token(simulated, type="0"))["code"] == 414
    listen = f"yunxin://900000000001:{answer['checksum']}@simulated-app-key/room1001"
    await check(simulated, url=listen)
    [task] = simulated.world.book.all_running()
    assert task.room == "room1001"


async def test_a_token_that_nobody_gave_out_ends_the_task(simulated: Vendors) -> None:
    await check(simulated, url="yunxin://900000000001:forged@simulated-app-key/room1001")
    assert not simulated.world.book.all_running()


async def test_a_member_is_kicked_and_a_room_closed(simulated: Vendors) -> None:
    cid = await room(simulated, 11, 12)
    kick = f"/yunxin/v2/api/kicklist/{cid}/members/11/60"
    assert await simulated.call("POST", kick, headers=headers()) == (200, None)
    assert (await simulated.call("GET", f"/yunxin/v2/api/kicklist/{cid}", headers=headers()))[1]["uids"] == [
        11
    ]
    by_name = "/yunxin/v3/api/rooms/members?cname=room1001"
    assert (await simulated.call("GET", by_name, headers=headers()))[1]["members"] == [{"uid": 12}]
    undo = "/yunxin/v3/api/kicklist/members?cname=room1001&uid=11"
    assert (await simulated.call("DELETE", undo, headers=headers()))[0] == 200
    close = "/yunxin/v3/api/rooms?cname=room1001"
    assert (await simulated.call("DELETE", close, headers=headers()))[0] == 200
    assert (await simulated.call("DELETE", close, headers=headers()))[0] == 404


@pytest.mark.parametrize(
    "changes",
    [{"CheckSum": "0" * 40}, {"AppKey": "another"}, {"CurTime": "1443592222"}, {"Nonce": "x" * 129}],
)
async def test_a_wrong_checksum(simulated: Vendors, changes: dict[str, str]) -> None:
    await room(simulated, 11)
    path = "/yunxin/v3/api/rooms?cname=room1001"
    status, answer = await simulated.call("GET", path, headers=headers(**changes))
    assert (status, answer["code"]) == (414, 414)


async def test_the_documents_checksum() -> None:
    world = World(accounts=Accounts(yunxin_app_secret="app-secret-1"))
    world.clock.move(1443592222 - time.time())
    vector = {
        "AppKey": "simulated-app-key",
        "Nonce": "4tgggergigwow323t23t",
        "CurTime": "1443592222",
        "CheckSum": "aea776b7965fe73d31148f54848954d24b1a0553",
    }
    async with vendors(world) as simulated:
        await room(simulated, 11)
        path = "/yunxin/v3/api/rooms?cname=room1001"
        assert (await simulated.call("GET", path, headers=vector))[0] == 200
