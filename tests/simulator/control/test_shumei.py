"""Shumei's starts, duplicates and finishes, plain and encrypted."""

from typing import Any

import pytest

from simulator.control.shumei import _decrypted
from tests.simulator.control.support import Vendors

DATA: dict[str, Any] = {
    "btId": "test1",
    "lang": "zh",
    "room": "room2",
    "streamType": "NORMAL",
    "url": "rtmp://x/1",
    "returnAllText": 1,
    "tokenId": "2222",
}
START: dict[str, Any] = {
    "accessKey": "simulatedAccessKey",
    "appId": "default",
    "eventId": "default",
    "type": "POLITY_EROTIC_MOAN",
    "callback": "http://127.0.0.1:1/x",
    "data": DATA,
}
AGORA = {"appId": "a", "channel": "c", "uid": 5, "token": "t", "isMixingEnabled": True}
TRTC = {"sdkAppId": 1400498247, "demoSences": 4, "userId": "u", "userSig": "s", "roomId": 517067780}


async def start(simulated: Vendors, path: str = "audiostream", **changes: Any) -> Any:
    status, answer = await simulated.call("POST", f"/shumei/{path}/v4", json=START | changes)
    assert status == 200
    return answer


async def finish(simulated: Vendors, request_id: object) -> Any:
    body = {"accessKey": "simulatedAccessKey", "requestId": request_id}
    return (await simulated.call("POST", "/shumei/finish_audiostream/v4", json=body))[1]


async def test_a_stream_is_started_once_and_finished_once(simulated: Vendors) -> None:
    started = await start(simulated)
    assert started["code"] == 1100
    again = await start(simulated)
    assert again["detail"] == {"errorCode": 1001, "dupRequestId": started["requestId"]}
    assert (await finish(simulated, started["requestId"]))["code"] == 1100
    assert (await finish(simulated, started["requestId"]))["code"] == 1909
    assert "detail" not in await start(simulated)


@pytest.mark.parametrize(
    "data",
    [
        {"streamType": "AGORA", "agoraParam": AGORA},
        {"streamType": "TRTC", "trtcParam": TRTC},
        {"streamType": "ZEGO", "zegoParam": {"tokenId": "t", "roomId": "r"}},
    ],
)
async def test_rooms_of_other_vendors(simulated: Vendors, data: dict[str, Any]) -> None:
    assert (await start(simulated, data=DATA | data))["code"] == 1100
    assert (await start(simulated, data=DATA | data))["detail"]["errorCode"] == 1001


async def test_a_video_stream_has_two_addresses(simulated: Vendors) -> None:
    video = {"imgType": "POLITY_EROTIC", "imgCallback": "http://127.0.0.1:1/x", "audioType": "POLITY"}
    assert (await start(simulated, "videostream", **video))["code"] == 1902
    both = video | {"audioCallback": "http://127.0.0.1:1/y"}
    assert (await start(simulated, "videostream", **both))["code"] == 1100


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"accessKey": "wrong"}, 9101),
        ({"accessKey": 1}, 9101),
        ({"appId": None}, 1902),
        ({"type": ""}, 1902),
        ({"callback": "ftp://x"}, 1902),
        ({"data": "text"}, 1902),
        ({"data": DATA | {"returnAllText": True}}, 1902),
        ({"data": DATA | {"returnAllText": "1"}}, 1902),
        ({"data": DATA | {"btId": "x" * 129}}, 1902),
        ({"data": DATA | {"url": None}}, 1902),
        ({"data": DATA | {"streamType": "OTHER"}}, 1902),
        ({"data": DATA | {"streamType": "AGORA", "agoraParam": AGORA | {"uid": "5"}}}, 1902),
        ({"data": DATA | {"streamType": "AGORA", "agoraParam": {"appId": "a"}}}, 1902),
        ({"data": DATA | {"streamType": "TRTC", "trtcParam": TRTC | {"sdkAppId": "1400498247"}}}, 1902),
        ({"data": DATA | {"streamType": "TRTC", "trtcParam": TRTC | {"roomId": 0}}}, 1902),
        ({"data": DATA | {"streamType": "ZEGO", "zegoParam": {"tokenId": "t"}}}, 1902),
    ],
)
async def test_a_start_is_checked(simulated: Vendors, changes: dict[str, Any], code: int) -> None:
    answer = await start(simulated, **changes)
    assert answer["code"] == code
    assert answer["requestId"]
    assert not simulated.world.book.tasks


async def test_an_encrypted_body_that_is_none(simulated: Vendors) -> None:
    assert (await start(simulated, encryptType="sm4", data="bm90IGVuY3J5cHRlZA=="))["code"] == 1902
    assert (await start(simulated, encryptType="rsa", data="x"))["code"] == 1902


def test_the_documents_example_of_encryption() -> None:
    sealed = "MrxSrGA2dEo3MDOwYEXQjChHZu5WwVEm7sf9mDBOlU3SLFEQxqk/oVAC0TBu6/BnATtbhMj4UiamfDL1+0zjdg=="
    plain = '{"text":"待检测的文本", "tokenId": "userId-1"}'
    assert _decrypted(sealed, "secretKey1234567").decode() == plain
