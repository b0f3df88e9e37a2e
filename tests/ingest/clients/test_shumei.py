"""Shumei's audio and video streams: what is sent, what every code of the documents leads to."""

import base64
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.clients import KINDS
from ingest.clients.contract import AlreadyRunning, Client, Opening, Prepared, Start, Task, TaskState
from ingest.clients.shumei import encrypted, lenient_json
from ingest.clients.shumei_audio import ShumeiAudio
from ingest.clients.shumei_video import ShumeiVideo
from moderato.settings import Tenant
from moderato.sources import Source
from moderato.vendor import Refused, Throttled, Unavailable, Unreadable, VendorError
from tests.ingest.clients.support import BROKEN, vendor

CALLBACK = "https://recv.example.com/v1/callbacks/shumei_audio/acme/t"
NORMAL = {"type": "NORMAL", "url": "rtmp://live.example.com/app/room1"}
AUDIO: dict[str, Any] = {"stream": NORMAL, "token_id": "user-1", "type": "POLITY_EROTIC_MOAN"}
VIDEO: dict[str, Any] = {"stream": NORMAL, "token_id": "user-1", "img_type": "POLITY_EROTIC"}
STARTED = (200, {"code": 1100, "message": "成功", "requestId": "b639042cbfe229359e672074762c5583"})


def start_of(**changes: Any) -> Start:
    return Start("s-1", CALLBACK, ShumeiAudio.model_validate(AUDIO | changes))


def client(opening: Opening, source: Source = Source.SHUMEI_AUDIO) -> Client:
    return KINDS[source].open(opening)


def task_of(request_id: str = "b639") -> Task:
    return Task(start_of(), Prepared(), request_id)


async def test_shumei_audio_start_sends_the_body_of_the_document() -> None:
    async with vendor(STARTED) as (shumei, opening):
        started = await client(opening).start(start_of(), Prepared())
    assert (started.task_id, started.adopted) == ("b639042cbfe229359e672074762c5583", False)
    [seen] = shumei.seen
    assert (seen.method, seen.path) == ("POST", "/audiostream/v4")
    assert seen.headers["content-type"].startswith("application/json")
    assert seen.json == {
        "accessKey": "shumei-s3cr3t",
        "appId": "default",
        "eventId": "default",
        "type": "POLITY_EROTIC_MOAN",
        "callback": CALLBACK,
        "data": {
            "tokenId": "user-1",
            "btId": "s-1",
            "streamType": "NORMAL",
            "url": "rtmp://live.example.com/app/room1",
            "returnAllText": 1,
            "returnPreText": 0,
            "returnPreAudio": 0,
            "returnFinishInfo": 1,
        },
    }


async def test_shumei_audio_start_sends_every_parameter_that_is_given() -> None:
    everything = start_of(
        bt_id="bt-1",
        event_id="live",
        business_type="GENDER_TIMBRE_SING_LANGUAGE",
        lang="en",
        accept_lang="en",
        init_domain=2,
        room="room-9",
        role="HOST",
        return_all_text=False,
        return_pre_text=True,
        return_pre_audio=True,
        return_finish_info=False,
        pass_through={"nonce": "n"},
        live_title="t",
        anchor_name="a",
        audio_detect_step=36,
        receive_token_id="r",
        device_id="d",
        ip="203.0.113.7",
        level=4,
        gender="female",
    )
    async with vendor(STARTED) as (shumei, opening):
        await client(opening).start(everything, Prepared())
    body = shumei.seen[0].json
    assert (body["eventId"], body["acceptLang"]) == ("live", "en")
    assert body["businessType"] == "GENDER_TIMBRE_SING_LANGUAGE"
    assert body["data"] == {
        "tokenId": "user-1",
        "btId": "bt-1",
        "streamType": "NORMAL",
        "url": "rtmp://live.example.com/app/room1",
        "lang": "en",
        "initDomain": 2,
        "room": "room-9",
        "role": "HOST",
        "returnAllText": 0,
        "returnPreText": 1,
        "returnPreAudio": 1,
        "returnFinishInfo": 0,
        "extra": {"passThrough": {"nonce": "n"}},
        "liveTitle": "t",
        "anchorName": "a",
        "audioDetectStep": 36,
        "receiveTokenId": "r",
        "deviceId": "d",
        "ip": "203.0.113.7",
        "level": 4,
        "gender": "female",
    }


@pytest.mark.parametrize(
    ("stream", "name", "parameter"),
    [
        (
            {"type": "ZEGO", "token_id": "t", "stream_id": "s", "test_env": False},
            "zegoParam",
            {"tokenId": "t", "streamId": "s", "isMixingEnabled": True, "testEnv": False},
        ),
        (
            {"type": "AGORA", "app_id": "a", "channel": "c", "token": "t", "uid": 7, "channel_profile": 1},
            "agoraParam",
            {
                "appId": "a",
                "channel": "c",
                "token": "t",
                "uid": 7,
                "isMixingEnabled": True,
                "channelProfile": 1,
            },
        ),
        (
            {
                "type": "AGORA",
                "app_id": "a",
                "channel": "c",
                "is_mixing_enabled": False,
                "subscribe_mode": "TRUSTED",
                "trusted_user_id_list": ["1"],
            },
            "agoraParam",
            {
                "appId": "a",
                "channel": "c",
                "isMixingEnabled": False,
                "channelProfile": 0,
                "subscribeMode": "TRUSTED",
                "trustedUserIdList": ["1"],
            },
        ),
        (
            {
                "type": "TRTC",
                "sdk_app_id": 1,
                "demo_sences": 4,
                "user_id": "u",
                "user_sig": "g",
                "room_id": 9,
            },
            "trtcParam",
            {"sdkAppId": 1, "demoSences": 4, "userId": "u", "userSig": "g", "roomId": 9},
        ),
        (
            {
                "type": "TRTC",
                "sdk_app_id": 1,
                "demo_sences": 2,
                "user_id": "u",
                "user_sig": "g",
                "str_room_id": "r",
                "uid": "x",
            },
            "trtcParam",
            {"sdkAppId": 1, "demoSences": 2, "userId": "u", "userSig": "g", "strRoomId": "r", "uid": "x"},
        ),
        (
            {"type": "VOLC", "app_id": "a", "room_id": "r", "token": "t", "user_id": "u"},
            "volcParam",
            {"appId": "a", "roomId": "r", "token": "t", "userId": "u"},
        ),
        (
            {"type": "GIN", "token_id": "t", "room_id": "r", "ip": "203.0.113.7", "port": 1935},
            "ginParam",
            {"tokenId": "t", "roomId": "r", "ip": "203.0.113.7", "port": 1935},
        ),
        (
            {"type": "ALI", "token": "t", "room": "r", "user_id": "u", "is_mixing_enabled": True},
            "aliParam",
            {"token": "t", "room": "r", "userId": "u", "isMixingEnabled": True},
        ),
        (
            {"type": "YUNXIN", "token": "t", "cname": "c", "uid": 5, "app_key": "k"},
            "yunxinParam",
            {"token": "t", "cname": "c", "uid": 5, "appKey": "k"},
        ),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else None,
)
async def test_shumei_each_stream_type_sends_its_parameter_object(
    stream: dict[str, Any], name: str, parameter: dict[str, Any]
) -> None:
    async with vendor(STARTED) as (shumei, opening):
        await client(opening).start(start_of(stream=stream), Prepared())
    data = shumei.seen[0].json["data"]
    assert data["streamType"] == stream["type"]
    assert data[name] == parameter


async def test_shumei_video_start_sends_both_callbacks_and_its_own_parameters() -> None:
    given = ShumeiVideo.model_validate(
        VIDEO
        | {
            "img_business_type": "FACE",
            "audio_type": "EROTIC",
            "audio_business_type": "GENDER",
            "return_all_img": False,
            "detect_frequency": 10,
            "detect_step": 2,
            "img_business_detect_step": 3,
            "stream_name": "n",
        }
    )
    async with vendor(STARTED) as (shumei, opening):
        await client(opening, Source.SHUMEI_VIDEO).start(Start("s-1", CALLBACK, given), Prepared())
    [seen] = shumei.seen
    assert seen.path == "/videostream/v4"
    body = seen.json
    assert (body["imgCallback"], body["audioCallback"]) == (CALLBACK, CALLBACK)
    assert (body["imgType"], body["imgBusinessType"]) == ("POLITY_EROTIC", "FACE")
    assert (body["audioType"], body["audioBusinessType"]) == ("EROTIC", "GENDER")
    expected = {
        "returnAllImg": 0,
        "detectFrequency": 10,
        "detectStep": 2,
        "imgBusinessDetectStep": 3,
        "streamName": "n",
    }
    assert expected.items() <= body["data"].items()


async def test_shumei_video_without_sound_has_one_callback() -> None:
    for sound in ({}, {"audio_type": "NONE"}):
        given = ShumeiVideo.model_validate(VIDEO | sound)
        async with vendor(STARTED) as (shumei, opening):
            await client(opening, Source.SHUMEI_VIDEO).start(Start("s-1", CALLBACK, given), Prepared())
        assert "audioCallback" not in shumei.seen[0].json


@pytest.mark.parametrize("name", ["errorCode", "errorcode"])
async def test_shumei_a_duplicate_push_is_adopted(name: str) -> None:
    duplicate = {"code": 1100, "requestId": "new", "detail": {name: 1001, "dupRequestId": "running"}}
    async with vendor((200, duplicate)) as (_, opening):
        started = await client(opening).start(start_of(), Prepared())
    assert (started.task_id, started.adopted) == ("running", True)


async def test_shumei_a_duplicate_push_counts_whatever_code_comes_with_it() -> None:
    duplicate = {"code": 1902, "detail": {"errorCode": "1001", "dupRequestId": "running"}}
    async with vendor((200, duplicate)) as (_, opening):
        assert (await client(opening).start(start_of(), Prepared())).task_id == "running"
    async with vendor((200, {"code": 1902, "detail": {"errorCode": 1001}})) as (_, opening):
        with pytest.raises(AlreadyRunning):
            await client(opening).start(start_of(), Prepared())


@pytest.mark.parametrize(
    ("answer", "error", "calls"),
    [
        ((200, {"code": 1901, "message": "QPS超限"}), Throttled, 3),
        ((200, {"code": 1902, "message": "参数不合法"}), Refused, 1),
        ((200, {"code": 1903, "message": "服务失败"}), Unavailable, 3),
        ((200, {"code": 1904, "message": "拉流失败"}), Unavailable, 3),
        ((200, {"code": 9100, "message": "余额不足"}), Refused, 1),
        ((200, {"code": 9101, "message": "无权限操作"}), Refused, 1),
        ((200, {"code": 4711}), Refused, 1),
        ((200, {"code": 1100, "detail": {"errorCode": 1002}}), Refused, 1),
        ((200, {"code": 1100}), Unreadable, 3),
        ((500, {}), Unavailable, 3),
        ((502, b"<html>"), Unavailable, 3),
        ((429, b""), Throttled, 3),
        ((404, b"not here"), Refused, 1),
    ],
    ids=lambda value: f"{value[0]}-{value[1]}" if isinstance(value, tuple) else None,
)
async def test_shumei_codes_of_start(answer: Any, error: type[VendorError], calls: int) -> None:
    async with vendor(answer) as (shumei, opening):
        with pytest.raises(VendorError) as caught:
            await client(opening).start(start_of(), Prepared())
    assert type(caught.value) is error
    assert len(shumei.seen) == calls


async def test_shumei_video_code_1904_is_too_many_streams() -> None:
    given = ShumeiVideo.model_validate(VIDEO)
    async with vendor((200, {"code": 1904, "message": "流路数超限"})) as (_, opening):
        with pytest.raises(Throttled):
            await client(opening, Source.SHUMEI_VIDEO).start(Start("s-1", CALLBACK, given), Prepared())


async def test_shumei_finish_sends_the_key_and_the_request_id() -> None:
    async with vendor((200, {"code": 1100, "message": "成功"})) as (shumei, opening):
        await client(opening).stop(task_of())
        await client(opening, Source.SHUMEI_VIDEO).stop(task_of())
    assert [seen.path for seen in shumei.seen] == ["/finish_audiostream/v4", "/finish_videostream/v4"]
    assert shumei.seen[0].json == {"accessKey": "shumei-s3cr3t", "requestId": "b639"}


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 1909, "message": "该路流不存在"},
        {"code": 1100, "message": "该路流不存在"},
        b'{\n"code":1100,\n"message":"\xe6\x88\x90\xe5\x8a\x9f",\n"requestId":" a78eef377079acc6cdec24967ecde722",\n}',
    ],
    ids=["1909", "1100 without a stream", "the document's own sample, which is no JSON"],
)
async def test_shumei_finish_of_a_stream_that_is_gone_is_done(answer: Any) -> None:
    async with vendor((200, answer)) as (shumei, opening):
        await client(opening).stop(task_of())
    assert len(shumei.seen) == 1


async def test_shumei_codes_of_finish() -> None:
    async with vendor((200, {"code": 9101})) as (_, opening):
        with pytest.raises(Refused):
            await client(opening).stop(task_of())
    async with vendor((200, {"code": 1903}), (200, {"code": 1100})) as (shumei, opening):
        await client(opening).stop(task_of())
    assert len(shumei.seen) == 2


async def test_shumei_cannot_be_asked() -> None:
    async with vendor(STARTED) as (shumei, opening):
        assert (await client(opening).query(task_of())).state is TaskState.UNKNOWN
    assert shumei.seen == []


def test_shumei_sm4_vector_of_the_guide() -> None:
    plain = '{"text":"待检测的文本", "tokenId": "userId-1"}'.encode()
    assert encrypted("secretKey1234567", plain) == (
        "MrxSrGA2dEo3MDOwYEXQjChHZu5WwVEm7sf9mDBOlU3SLFEQxqk/oVAC0TBu6/BnATtbhMj4UiamfDL1+0zjdg=="
    )


@given(st.binary(max_size=200), st.text(min_size=16, max_size=40))
def test_shumei_what_is_encrypted_can_be_decrypted(data: bytes, key: str) -> None:
    decryptor = Cipher(SM4(key.encode()[:16]), modes.CBC(bytes(16))).decryptor()
    padded = decryptor.update(base64.b64decode(encrypted(key, data))) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    assert unpadder.update(padded) + unpadder.finalize() == data


async def test_shumei_start_encrypts_data_when_there_is_a_secret_key() -> None:
    async with vendor(STARTED, shumei={"secret_key": "secretKey1234567-and-more"}) as (shumei, opening):
        await client(opening).start(start_of(), Prepared())
    body = shumei.seen[0].json
    assert body["encryptType"] == "sm4"
    decryptor = Cipher(SM4(b"secretKey1234567"), modes.CBC(bytes(16))).decryptor()
    padded = decryptor.update(base64.b64decode(body["data"])) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    data = orjson.loads(unpadder.update(padded) + unpadder.finalize())
    assert data["streamType"] == "NORMAL"


async def test_shumei_too_much_data_is_refused_before_any_call() -> None:
    async with vendor(STARTED) as (shumei, opening):
        with pytest.raises(Refused, match="1048576 are allowed"):
            await client(opening).start(start_of(pass_through={"x": "y" * (1 << 20)}), Prepared())
    assert shumei.seen == []


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_shumei_answers_that_cannot_be_read_are_typed_and_repeated(body: bytes) -> None:
    async with vendor((200, body)) as (shumei, opening):
        with pytest.raises(Unreadable):
            await client(opening).start(start_of(), Prepared())
    assert len(shumei.seen) == 3
    async with vendor((200, body), STARTED) as (_, opening):
        await client(opening).start(start_of(), Prepared())


async def test_shumei_the_access_key_is_in_no_error() -> None:
    async with vendor((200, {"code": 9101, "message": "accessKey shumei-s3cr3t"})) as (_, opening):
        with pytest.raises(Refused) as caught:
            await client(opening).start(start_of(), Prepared())
    assert "s3cr3t" not in str(caught.value)


@given(st.binary(max_size=100))
def test_shumei_lenient_json_reads_what_json_reads(body: bytes) -> None:
    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    assert lenient_json(body) == expected


@given(st.dictionaries(st.text(max_size=5), st.integers(-9, 9) | st.booleans(), min_size=1))
def test_shumei_lenient_json_bears_a_comma_at_the_end(value: dict[str, Any]) -> None:
    assert lenient_json(orjson.dumps(value)[:-1] + b",\n}") == value


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"stream": {"type": "NORMAL"}}, ("stream", "NORMAL", "url")),
        ({"stream": {"type": "NORMAL", "url": "file:///etc/passwd"}}, ("stream", "NORMAL", "url")),
        ({"stream": {"type": "DEFAULT", "url": "http://x/y"}}, ("stream",)),
        ({"stream": {"type": "ZEGO", "token_id": "t"}}, ("stream", "ZEGO", "room_id")),
        (
            {"stream": {"type": "ZEGO", "token_id": "t", "stream_id": "s", "is_mixing_enabled": False}},
            ("stream", "ZEGO", "room_id"),
        ),
        ({"stream": {"type": "AGORA", "app_id": "a"}}, ("stream", "AGORA", "channel")),
        (
            {"stream": {"type": "AGORA", "app_id": "a", "channel": "c", "uid": 1 << 32}},
            ("stream", "AGORA", "uid"),
        ),
        (
            {"stream": {"type": "AGORA", "app_id": "a", "channel": "c", "subscribe_mode": "AUTO"}},
            ("stream", "AGORA", "subscribe_mode"),
        ),
        (
            {"stream": {"type": "TRTC", "sdk_app_id": 1, "demo_sences": 4, "user_id": "u", "user_sig": "s"}},
            ("stream", "TRTC", "str_room_id"),
        ),
        (
            {
                "stream": {
                    "type": "TRTC",
                    "sdk_app_id": 1,
                    "demo_sences": 3,
                    "user_id": "u",
                    "user_sig": "s",
                    "room_id": 1,
                }
            },
            ("stream", "TRTC", "demo_sences"),
        ),
        (
            {
                "stream": {
                    "type": "TRTC",
                    "sdk_app_id": 1,
                    "demo_sences": 4,
                    "user_id": "a b",
                    "user_sig": "s",
                    "room_id": 1,
                }
            },
            ("stream", "TRTC", "user_id"),
        ),
        (
            {"stream": {"type": "GIN", "token_id": "t", "room_id": "r", "port": 0}},
            ("stream", "GIN", "port"),
        ),
        (
            {"stream": {"type": "VOLC", "app_id": "a", "token": "t", "user_id": "u"}},
            ("stream", "VOLC", "room_id"),
        ),
        ({"stream": {"type": "ALI", "token": "t", "user_id": "u"}}, ("stream", "ALI", "room")),
        (
            {"stream": {"type": "YUNXIN", "token": "t", "cname": "c", "uid": 0, "app_key": "k"}},
            ("stream", "YUNXIN", "uid"),
        ),
        ({"type": None}, ("business_type",)),
        ({"type": "porn"}, ("type",)),
        ({"business_type": "SING"}, ("business_type",)),
        ({"bt_id": "x" * 129}, ("bt_id",)),
        ({"token_id": ""}, ("token_id",)),
        ({"audio_detect_step": 37}, ("audio_detect_step",)),
        ({"level": 5}, ("level",)),
        ({"init_domain": 7}, ("init_domain",)),
        ({"lang": "chinese"}, ("lang",)),
        ({"role": "OWNER"}, ("role",)),
        ({"return_all_text": 1}, ("return_all_text",)),
    ],
)
def test_shumei_parameters_that_break_a_rule_are_named(
    change: dict[str, Any], place: tuple[Any, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        ShumeiAudio.model_validate(AUDIO | change)
    assert [fault["loc"] for fault in caught.value.errors()] == [place]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"img_type": None}, ("img_business_type",)),
        ({"audio_business_type": "TIMBRE"}, ("audio_business_type",)),
        ({"detect_frequency": 61}, ("detect_frequency",)),
        ({"detect_step": 0}, ("detect_step",)),
    ],
)
def test_shumei_video_parameters_that_break_a_rule_are_named(
    change: dict[str, Any], place: tuple[Any, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        ShumeiVideo.model_validate(VIDEO | change)
    assert [fault["loc"] for fault in caught.value.errors()] == [place]


def test_shumei_the_room_is_the_one_given_or_the_streams_own() -> None:
    zego = {"type": "ZEGO", "token_id": "t", "room_id": "z"}
    assert ShumeiAudio.model_validate(AUDIO | {"stream": zego}).room_name == "z"
    assert ShumeiAudio.model_validate(AUDIO | {"stream": zego, "room": "mine"}).room_name == "mine"
    assert ShumeiAudio.model_validate(AUDIO).room_name is None


def test_shumei_what_a_tenant_lacks_is_listed() -> None:
    assert KINDS[Source.SHUMEI_AUDIO].missing(Tenant()) == ["credentials.shumei: is missing"]


async def test_shumei_lists_of_users_are_for_split_streams() -> None:
    agora: dict[str, Any] = {"type": "AGORA", "app_id": "a", "channel": "c", "untrusted_user_id_list": ["7"]}
    with pytest.raises(ValidationError):
        ShumeiAudio.model_validate(AUDIO | {"stream": agora})
    split = agora | {"is_mixing_enabled": False, "subscribe_mode": "UNTRUSTED"}
    async with vendor(STARTED) as (shumei, opening):
        await client(opening).start(start_of(stream=split), Prepared())
    assert shumei.seen[0].json["data"]["agoraParam"]["untrustedUserIdList"] == ["7"]
