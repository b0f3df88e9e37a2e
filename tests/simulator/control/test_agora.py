"""Agora's acquire, start, query, stop, and kicking rules, with the documents' own mistakes and their codes."""

from copy import deepcopy
from typing import Any

import pytest
from aiohttp import encode_basic_auth

from tests.simulator.control.support import Vendors

AUTH = {"Authorization": encode_basic_auth("simulated-customer", "simulated-customer-secret")}
BASE = "/agora/v1/apps/simulatedappid/cloud_recording"
JSON = {"Content-Type": "application/json;charset=utf-8"}
HEADERS = AUTH | JSON
ACQUIRE: dict[str, Any] = {
    "cname": "httpClient463224",
    "uid": "527841",
    "clientRequest": {"resourceExpiredHour": 24},
}
# The vendor document's own body.
VOICE: dict[str, Any] = {
    "uid": "527841",
    "cname": "httpClient463224",
    "clientRequest": {
        "token": "t",
        "recordingConfig": {"streamTypes": 0, "maxIdleTime": 30, "channelType": 1},
        "extensionServiceConfig": {
            "extensionServices": [
                {
                    "serviceParam": {
                        "apiData": {"secretKey": "s", "callbackSeed": "test", "accessKey": "a"},
                        "callbackAddr": "http://127.0.0.1:1/x",
                    },
                    "streamTypes": 0,
                    "serviceName": "aliyun_voice_async_scan",
                }
            ]
        },
    },
}
VIDEO: dict[str, Any] = {
    "uid": "527841",
    "cname": "httpClient463224",
    "clientRequest": {
        "appsCollection": {"combinationPolicy": "default"},
        "recordingConfig": {
            "subscribeUidGroup": 1,
            "captureInterval": 20,
            "streamTypes": 1,
            "channelType": 1,
        },
        "moderationConfig": {
            "moderationStreamType": 1,
            "agoraApiParams": {
                "apiData": {"callbackParam": {"cname": "httpClient463224"}, "type": "PORN"},
                "apiVersion": "v1",
            },
            "vendor": "agora",
            "callbackAddr": "http://127.0.0.1:1/x",
        },
    },
}
STOP = {"cname": "httpClient463224", "uid": "527841", "clientRequest": {}}


async def call(simulated: Vendors, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    more = {"headers": HEADERS} | more
    return await simulated.call(method, path, json=body, **more)


async def acquire(simulated: Vendors) -> str:
    status, answer = await call(simulated, "POST", f"{BASE}/acquire", ACQUIRE)
    assert status == 200
    return str(answer["resourceId"])


async def start(simulated: Vendors, resource: str, mode: str = "mix", body: Any = VOICE) -> tuple[int, Any]:
    return await call(simulated, "POST", f"{BASE}/resourceid/{resource}/mode/{mode}/start", body)


@pytest.mark.parametrize(("mode", "body"), [("mix", VOICE), ("individual", VIDEO)])
async def test_a_task_lives_from_start_to_stop(simulated: Vendors, mode: str, body: Any) -> None:
    resource = await acquire(simulated)
    status, started = await start(simulated, resource, mode, body)
    assert (status, started["resourceId"]) == (200, resource)
    task = f"{BASE}/resourceid/{resource}/sid/{started['sid']}/mode/{mode}"
    status, answer = await call(simulated, "GET", f"{task}/query")
    assert (status, answer["sid"]) == (200, started["sid"])
    status, _ = await call(simulated, "POST", f"{task}/stop", STOP)
    assert status == 200
    # And then it is gone, as the document says.
    status, answer = await call(simulated, "GET", f"{task}/query")
    assert (status, answer["code"]) == (404, 404)
    status, answer = await call(simulated, "POST", f"{task}/stop", STOP)
    assert (status, answer["code"]) == (400, 49)
    _, book = await simulated.call("GET", "/_book")
    assert [(kept["id"], kept["state"]) for kept in book["tasks"]] == [(started["sid"], "stopped")]


async def test_the_documents_mistakes_have_its_codes(simulated: Vendors) -> None:
    resource = await acquire(simulated)
    await start(simulated, resource)
    status, answer = await start(simulated, resource)
    assert (status, answer["code"]) == (201, 7)
    status, answer = await start(simulated, await acquire(simulated))
    assert (status, answer["code"]) == (400, 53)
    status, answer = await start(simulated, "unheard-of")
    assert (status, answer["code"]) == (400, 1001)
    status, answer = await call(simulated, "GET", f"{BASE}/resourceid/{resource}/sid/other/mode/mix/query")
    assert (status, answer["code"]) == (400, 1003)


async def test_a_resource_id_lives_five_minutes(simulated: Vendors) -> None:
    resource = await acquire(simulated)
    await simulated.call("POST", "/_clock", json={"move": 301})
    status, answer = await start(simulated, resource)
    assert (status, answer["code"]) == (400, 433)


async def test_who_is_not_the_customer_is_refused(simulated: Vendors) -> None:
    status, answer = await call(simulated, "POST", f"{BASE}/acquire", ACQUIRE, headers=JSON)
    assert (status, answer["message"]) == (401, "Unauthorized")
    wrong = JSON | {"Authorization": encode_basic_auth("simulated-customer", "wrong")}
    status, answer = await call(simulated, "POST", f"{BASE}/acquire", ACQUIRE, headers=wrong)
    assert (status, answer["message"]) == (401, "Invalid authentication credentials")
    path = "/agora/v1/apps/another/cloud_recording/acquire"
    assert (await call(simulated, "POST", path, ACQUIRE))[0] == 400


async def test_the_content_type_and_the_method_count(simulated: Vendors) -> None:
    more = {"data": b"{}", "headers": AUTH | {"Content-Type": "text/plain"}}
    status, answer = await simulated.call("POST", f"{BASE}/acquire", **more)
    assert (status, answer["code"]) == (400, 8)
    status, answer = await call(simulated, "PUT", f"{BASE}/acquire", ACQUIRE)
    assert (status, answer["code"]) == (400, 8)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"uid": 527841}, 2),
        ({"uid": "0"}, 2),
        ({"uid": "4294967296"}, 2),
        ({"cname": "房间"}, 1013),
        ({"cname": "x" * 65}, 1013),
        ({"clientRequest": {"resourceExpiredHour": "24"}}, 2),
        ({"clientRequest": {"resourceExpiredHour": 721}}, 2),
    ],
)
async def test_acquire_checks_what_arrives(simulated: Vendors, change: dict[str, Any], code: int) -> None:
    status, answer = await call(simulated, "POST", f"{BASE}/acquire", ACQUIRE | change)
    assert (status, answer["code"]) == (400, code)


@pytest.mark.parametrize(
    ("mode", "path", "value"),
    [
        ("mix", "recordingConfig.streamTypes", 2),
        ("mix", "recordingConfig.streamTypes", "0"),
        ("mix", "recordingConfig.streamTypes", False),
        ("mix", "recordingConfig.channelType", "1"),
        ("mix", "recordingConfig.maxIdleTime", 4),
        ("mix", "recordingConfig.subscribeAudioUids", ["1"] * 33),
        ("mix", "extensionServiceConfig.errorHandlePolicy", "ignore"),
        ("mix", "extensionServiceConfig.extensionServices", []),
        ("individual", "storageConfig", {"accessKey": ""}),
        ("individual", "appsCollection.combinationPolicy", "storage_and_moderation"),
        ("individual", "recordingConfig.streamTypes", 0),
        ("individual", "moderationConfig.vendor", "other"),
        ("individual", "moderationConfig.callbackAddr", "ftp://x"),
    ],
)
async def test_start_checks_what_arrives(simulated: Vendors, mode: str, path: str, value: Any) -> None:
    body = deepcopy(VOICE if mode == "mix" else VIDEO)
    place = body["clientRequest"]
    *parents, name = path.split(".")
    for parent in parents:
        place = place[parent]
    place[name] = value
    status, answer = await start(simulated, await acquire(simulated), mode, body)
    assert (status, answer["code"]) == (400, 2)
    assert not simulated.world.book.tasks


async def test_ten_calls_a_second(simulated: Vendors) -> None:
    simulated.world.clock.now = lambda: 1_763_712_000.0  # type: ignore[method-assign]
    statuses = [(await call(simulated, "POST", f"{BASE}/acquire", ACQUIRE))[0] for _ in range(11)]
    assert statuses == [200] * 10 + [429]


RULES = "/agora/dev/v1/kicking-rule"
RULE: dict[str, Any] = {
    "appid": "simulatedappid",
    "cname": "channel1",
    "uid": 589517928,
    "ip": "",
    "time": 60,
    "privileges": ["join_channel"],
}


async def test_a_rule_is_made_listed_changed_and_deleted(simulated: Vendors) -> None:
    status, made = await call(simulated, "POST", RULES, RULE)
    assert (status, made["status"]) == (200, "success")
    _, listed = await call(simulated, "GET", f"{RULES}?appid=simulatedappid")
    assert [rule["id"] for rule in listed["rules"]] == [made["id"]]
    named = {"appid": "simulatedappid", "id": made["id"]}
    assert (await call(simulated, "PUT", RULES, named | {"time": 5}))[1]["result"]["id"] == made["id"]
    assert (await call(simulated, "DELETE", RULES, named)) == (200, {"status": "success", "id": made["id"]})
    assert (await call(simulated, "DELETE", RULES, named))[0] == 404
    assert (await call(simulated, "GET", f"{RULES}?appid=simulatedappid"))[1]["rules"] == []


async def test_a_rule_ends_and_a_kick_of_the_moment_leaves_none(simulated: Vendors) -> None:
    await call(simulated, "POST", RULES, RULE | {"time": 1})
    await call(simulated, "POST", RULES, RULE | {"time": 0})
    assert len((await call(simulated, "GET", f"{RULES}?appid=simulatedappid"))[1]["rules"]) == 1
    simulated.world.clock.move(61)
    assert (await call(simulated, "GET", f"{RULES}?appid=simulatedappid"))[1]["rules"] == []
    _, book = await simulated.call("GET", "/_book")
    assert [rule["seconds"] for rule in book["kicking_rules"]] == [60, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"appid": "another"},
        {"uid": 0},
        {"uid": "589517928"},
        {"privileges": []},
        {"privileges": ["fly"]},
        {"time": "60"},
        {"ip": "192.168.0.1"},
    ],
)
async def test_a_rule_is_checked(simulated: Vendors, change: dict[str, Any]) -> None:
    assert (await call(simulated, "POST", RULES, RULE | change))[0] == 400


async def test_a_rule_comes_as_json(simulated: Vendors) -> None:
    more = {"data": b"{}", "headers": AUTH | {"Content-Type": "text/plain"}}
    assert (await simulated.call("POST", RULES, **more))[0] == 415
