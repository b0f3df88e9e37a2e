"""Agora's voice and video moderation: what is sent, what every answer of the documents leads to."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.clients import KINDS
from ingest.clients.agora import task_state
from ingest.clients.agora_video import AgoraVideo
from ingest.clients.agora_voice import AgoraVoice
from ingest.clients.contract import (
    AlreadyRunning,
    Client,
    Opening,
    Prepared,
    Stale,
    Start,
    Started,
    Status,
    Task,
    TaskState,
)
from ingest.signatures import room_seed
from moderato.settings import Tenant
from moderato.sources import Source
from moderato.vendor import Refused, Throttled, Unavailable, Unreadable, VendorError
from tests.ingest.clients.support import BROKEN, tenant, vendor

VOICE = AgoraVoice(channel="httpClient463224", uid="527841", spare_uids=["527842"], token="rtc-t0ken")
VIDEO = AgoraVideo(channel="httpClient463224", uid="527841")
CALLBACK = "http://recv.example.com/v1/callbacks/agora_voice/acme/t"
ACQUIRED = (200, {"resourceId": "JyvK/8nXH="})
SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"
STARTED = (200, {"sid": SID, "resourceId": "JyvK/8nXH="})
PREPARED = Prepared({"uid": "527841", "resource_id": "JyvK/8nXH="})
BASE = "/v1/apps/app1/cloud_recording"
QUERY_SAMPLE = {
    "resourceId": "r",
    "sid": SID,
    "serverResponse": {
        "subServiceStatus": {
            "recording_Service": "serviceInProgress",
            "mediaDistributeService": "serviceInProgress",
        },
        "extensionServiceState": [
            {
                "serviceName": "aliyun_voice_async_scan",
                "streamState": [{"status": "inProgress", "streamType": "audio", "uid": "0"}],
            }
        ],
    },
}


def start_of(parameters: Any = VOICE) -> Start:
    return Start("s-1", CALLBACK, parameters)


def task_of(parameters: Any = VOICE) -> Task:
    return Task(start_of(parameters), PREPARED, SID)


def client(opening: Opening, source: Source = Source.AGORA_VOICE) -> Client:
    return KINDS[source].open(opening)


async def test_agora_acquire_sends_the_channel_the_uid_and_basic_authentication() -> None:
    async with vendor(ACQUIRED) as (agora, opening):
        prepared = await client(opening).prepare(start_of())
    [seen] = agora.seen
    assert (seen.method, seen.path) == ("POST", f"{BASE}/acquire")
    assert seen.headers["authorization"] == "Basic " + base64.b64encode(b"customer:agora-s3cr3t").decode()
    assert seen.headers["content-type"] == "application/json;charset=utf-8"
    assert seen.json == {
        "cname": "httpClient463224",
        "uid": "527841",
        "clientRequest": {"resourceExpiredHour": 72},
    }
    assert prepared.values == {"uid": "527841", "resource_id": "JyvK/8nXH="}


async def test_agora_acquire_takes_a_spare_uid_at_the_next_attempt() -> None:
    async with vendor(ACQUIRED) as (agora, opening):
        prepared = await client(opening).prepare(start_of(), attempt=1)
        again = await client(opening).prepare(start_of(), attempt=2)
    assert VOICE.spare_uids == ["527842"]
    assert [seen.json["uid"] for seen in agora.seen] == ["527842", "527841"]
    assert (prepared.values["uid"], again.values["uid"]) == ("527842", "527841")


async def test_agora_voice_start_sends_the_body_of_the_document() -> None:
    async with vendor(STARTED) as (agora, opening):
        started = await client(opening).start(start_of(), PREPARED)
    assert (started.task_id, started.adopted) == (SID, False)
    [seen] = agora.seen
    assert seen.path == f"{BASE}/resourceid/JyvK%2F8nXH%3D/mode/mix/start"
    assert seen.json == {
        "uid": "527841",
        "cname": "httpClient463224",
        "clientRequest": {
            "token": "rtc-t0ken",
            "recordingConfig": {"streamTypes": 0, "channelType": 0, "maxIdleTime": 30},
            "extensionServiceConfig": {
                "extensionServices": [
                    {
                        "serviceName": "aliyun_voice_async_scan",
                        "streamTypes": 0,
                        "serviceParam": {
                            "callbackAddr": CALLBACK,
                            "apiData": {
                                "accessKey": "AK",
                                "secretKey": "aliyun-s3cr3t",
                                "callbackSeed": "seed_1",
                            },
                        },
                    }
                ]
            },
        },
    }


async def test_agora_voice_start_sends_every_parameter_that_is_given() -> None:
    everything = AgoraVoice(
        channel="c",
        uid="1",
        channel_type=1,
        max_idle_time=120,
        decryption_mode=2,
        secret="rtc-s3cr3t",
        audio_profile=1,
        subscribe_audio_uids=["5", "6"],
        subscribe_uid_group=1,
        biz_type="games",
        abort_on_error=True,
    )
    async with vendor(STARTED) as (agora, opening):
        await client(opening).start(start_of(everything), PREPARED)
    request = agora.seen[0].json["clientRequest"]
    assert request["recordingConfig"] == {
        "streamTypes": 0,
        "channelType": 1,
        "maxIdleTime": 120,
        "decryptionMode": 2,
        "secret": "rtc-s3cr3t",
        "audioProfile": 1,
        "subscribeAudioUids": ["5", "6"],
        "subscribeUidGroup": 1,
    }
    extension = request["extensionServiceConfig"]
    assert extension["errorHandlePolicy"] == "error_abort"
    assert extension["extensionServices"][0]["errorHandlePolicy"] == "error_abort"
    assert extension["extensionServices"][0]["serviceParam"]["apiData"]["bizType"] == "games"
    assert "token" not in request


async def test_agora_voice_start_makes_the_rooms_seed_as_the_receiver_will() -> None:
    async with vendor(STARTED) as (agora, opening):
        with_key = Tenant.model_validate(
            {
                "credentials": opening.tenant.credentials.model_dump(),
                "sources": {"agora_voice": {"secrets": {"uid": "1", "seed_key": "accessSecret"}}},
            }
        )
        await client(Opening(with_key, opening.session, opening.rates)).start(start_of(), PREPARED)
    service = agora.seen[0].json["clientRequest"]["extensionServiceConfig"]["extensionServices"][0]
    seed = service["serviceParam"]["apiData"]["callbackSeed"]
    assert seed == room_seed("accessSecret", "httpClient463224")
    assert seed == "27fcaf9a579a489f1d216fc88d125fce491548bd5a9720348172a7247abda011"


async def test_agora_video_start_sends_the_body_of_the_document() -> None:
    given = AgoraVideo(
        channel="httpClient463224",
        uid="527841",
        channel_type=1,
        combination_policy="storage_and_moderation",
        storage={"access_key": "a", "secret_key": "s", "region": 0, "vendor": 2, "bucket": "b"},
    )
    async with vendor(STARTED) as (agora, opening):
        await client(opening, Source.AGORA_VIDEO).start(start_of(given), PREPARED)
    [seen] = agora.seen
    assert seen.path == f"{BASE}/resourceid/JyvK%2F8nXH%3D/mode/individual/start"
    assert seen.json["clientRequest"] == {
        "appsCollection": {"combinationPolicy": "storage_and_moderation"},
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
            "callbackAddr": CALLBACK,
        },
        "storageConfig": {"accessKey": "a", "secretKey": "s", "region": 0, "vendor": 2, "bucket": "b"},
    }


def test_agora_video_storage_under_default_is_rejected_before_any_call() -> None:
    storage = {"access_key": "a", "secret_key": "s3cr3t", "region": 0, "vendor": 2, "bucket": "b"}
    with pytest.raises(ValidationError) as caught:
        AgoraVideo.model_validate({"channel": "c", "uid": "1", "storage": storage})
    [fault] = caught.value.errors()
    assert fault["loc"] == ("storage",)
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(ValidationError):
        AgoraVideo.model_validate(
            {"channel": "c", "uid": "1", "combination_policy": "storage_and_moderation"}
        )


async def test_agora_a_resource_id_is_not_used_after_its_5_minutes() -> None:
    async with vendor(STARTED) as (agora, opening):
        with pytest.raises(Stale, match="433"):
            await client(opening).start(start_of(), Prepared(PREPARED.values, expires_at=1.0))
    assert agora.seen == []


@pytest.mark.parametrize(
    ("answer", "error", "calls"),
    [
        ((400, {"code": 2, "reason": "Acquire: invalid resourceExpiredHour value!"}), Refused, 1),
        ((400, {"code": 8, "reason": "bad header"}), Refused, 1),
        ((400, {"code": 432, "reason": "illegal parameter"}), Refused, 1),
        ((400, {"code": 62, "reason": "not enabled"}), Refused, 1),
        ((400, {"code": 1013, "reason": "illegal cname"}), Refused, 1),
        ((400, {"code": 400, "reason": "invalid_appid"}), Refused, 1),
        ((400, {"code": 401, "reason": "invalid_channel_name"}), Refused, 1),
        ((400, {"code": 405, "reason": "no_active_status"}), Refused, 1),
        ((400, {"code": 406, "reason": "vendor_over_load"}), Throttled, 4),
        ((400, {"message": "invalid appid"}), Refused, 1),
        ((401, {"message": "Invalid authentication credentials"}), Refused, 1),
        ((404, {"message": "no Route matched with those values"}), Refused, 1),
        ((429, {"message": "API rate limit exceeded"}), Throttled, 4),
        ((500, {"code": 500, "reason": "internal_error"}), Unavailable, 4),
        ((500, {"code": 501, "reason": "no_worker_manager_available"}), Unavailable, 4),
        ((500, {"code": 504, "reason": "allocate_timeout"}), Unavailable, 4),
        ((502, b"<html>"), Unavailable, 4),
        ((504, b""), Unavailable, 4),
    ],
    ids=lambda value: f"{value[0]}-{value[1]}" if isinstance(value, tuple) else None,
)
async def test_agora_errors_of_acquire(answer: Any, error: type[VendorError], calls: int) -> None:
    async with vendor(answer) as (agora, opening):
        with pytest.raises(VendorError) as caught:
            await client(opening).prepare(start_of())
    assert type(caught.value) is error
    assert len(agora.seen) == calls


@pytest.mark.parametrize(
    ("answer", "error", "calls"),
    [
        ((201, {"code": 7, "reason": "already started"}), AlreadyRunning, 1),
        ((400, {"code": 53, "reason": "task conflict"}), AlreadyRunning, 1),
        ((400, {"code": 433, "reason": "resource expired"}), Stale, 1),
        ((400, {"code": 1001, "reason": "decrypt"}), Stale, 1),
        ((400, {"code": 2, "reason": "bad"}), Refused, 1),
        ((400, {"code": 432, "reason": "bad"}), Refused, 1),
        ((400, {"code": 1003, "reason": "appid"}), Refused, 1),
        ((400, {"code": 1028, "reason": "layout"}), Refused, 1),
        ((400, {"code": 109, "reason": "token expired"}), Refused, 1),
        ((400, {"code": 110, "reason": "token wrong"}), Refused, 1),
        ((400, {"code": 9}), Refused, 1),
        ((400, {"code": 43}), Refused, 1),
        ((206, {"code": 65, "reason": "request not completed"}), Unavailable, 4),
        ((500, {"code": 62, "reason": "request timeout"}), Unavailable, 4),
        ((500, {"code": 502, "reason": "Failed to allocate worker"}), Unavailable, 4),
        ((500, {"resourceId": "r", "sid": "", "code": 15}), Unavailable, 4),
        ((429, {"message": "API rate limit exceeded"}), Throttled, 4),
        ((403, {}), Refused, 1),
    ],
    ids=lambda value: f"{value[0]}-{value[1]}" if isinstance(value, tuple) else None,
)
async def test_agora_errors_of_start(answer: Any, error: type[VendorError], calls: int) -> None:
    async with vendor(answer) as (agora, opening):
        with pytest.raises(VendorError) as caught:
            await client(opening).start(start_of(), PREPARED)
    assert type(caught.value) is error
    assert len(agora.seen) == calls


async def test_agora_start_again_adopts_the_task_when_201_and_code_7_name_it() -> None:
    async with vendor((201, {"code": 7, "sid": SID, "resourceId": "r"})) as (_, opening):
        started = await client(opening).start(start_of(), PREPARED)
    assert (started.task_id, started.adopted) == (SID, True)


async def test_agora_start_after_50x_repeats_with_3_6_9_seconds_and_switches_to_the_second_host() -> None:
    async with vendor((503, b""), (503, b""), (503, b""), STARTED) as (agora, opening):
        await client(opening).start(start_of(), PREPARED)
    assert [seen.path.startswith("/second") for seen in agora.seen] == [False, False, True, True]
    assert [wait for wait in agora.time.slept if wait >= 1] == [3, 6, 9]
    assert len({seen.raw for seen in agora.seen}) == 1  # the same parameters


async def test_agora_other_calls_after_50x_repeat_with_1_3_6_seconds() -> None:
    async with vendor((503, b""), (503, b""), (503, b""), ACQUIRED) as (agora, opening):
        await client(opening).prepare(start_of())
    assert [seen.path.startswith("/second") for seen in agora.seen] == [False, False, True, True]
    assert [wait for wait in agora.time.slept if wait >= 1] == [1, 3, 6]


async def test_agora_query_of_a_running_task_has_nothing_to_tell_downstream() -> None:
    async with vendor((200, QUERY_SAMPLE)) as (agora, opening):
        status = await client(opening).query(task_of())
    [seen] = agora.seen
    assert (seen.method, seen.raw) == ("GET", b"")
    assert seen.path == f"{BASE}/resourceid/JyvK%2F8nXH%3D/sid/{SID}/mode/mix/query"
    assert status.state is TaskState.RUNNING
    assert status.raw is None


async def test_agora_query_of_a_broken_task_gives_the_answer_as_it_came() -> None:
    answer = b'{"sid": "1",  "serverResponse": {"subServiceStatus": {"a": "serviceAbnormal"}}}'
    async with vendor((200, answer)) as (_, opening):
        status = await client(opening).query(task_of())
    assert (status.state, status.raw) == (TaskState.FAILED, answer)


async def test_agora_query_confirms_a_404_before_the_task_counts_as_ended() -> None:
    gone = (404, {"code": 404, "reason": "failed to find worker"})
    async with vendor(gone) as (agora, opening):
        status = await client(opening).query(task_of())
    assert (status.state, status.code) == (TaskState.ENDED, "404")
    assert [wait for wait in agora.time.slept if wait >= 1] == [5, 10, 15, 30]
    async with vendor(gone, (200, QUERY_SAMPLE)) as (agora, opening):
        assert (await client(opening).query(task_of())).state is TaskState.RUNNING


async def test_agora_query_of_a_wrong_address_is_no_ended_task() -> None:
    async with vendor((404, {"message": "no Route matched with those values"})) as (_, opening):
        with pytest.raises(Refused):
            await client(opening).query(task_of())


@pytest.mark.parametrize("answer", [(400, {"code": 501, "reason": "exiting"}), (206, {"code": 435})])
async def test_agora_query_of_a_task_that_exits_says_ended(answer: Any) -> None:
    async with vendor(answer) as (_, opening):
        assert (await client(opening).query(task_of())).state is TaskState.ENDED


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((206, {"code": 65, "reason": "not completed"}), Unavailable),
        ((504, {"code": 62, "reason": "request timeout"}), Unavailable),
        ((400, {"code": 2}), Refused),
        ((400, {"code": 1003}), Refused),
    ],
)
async def test_agora_errors_of_query(answer: Any, error: type[VendorError]) -> None:
    async with vendor(answer) as (_, opening):
        with pytest.raises(error):
            await client(opening).query(task_of())


async def test_agora_stop_sends_the_body_of_the_document() -> None:
    async with vendor((200, {"sid": SID, "resourceId": "r"})) as (agora, opening):
        await client(opening, Source.AGORA_VIDEO).stop(task_of(VIDEO))
    [seen] = agora.seen
    assert seen.path == f"{BASE}/resourceid/JyvK%2F8nXH%3D/sid/{SID}/mode/individual/stop"
    assert seen.json == {"cname": "httpClient463224", "uid": "527841", "clientRequest": {}}


@pytest.mark.parametrize(
    "answer",
    [
        (206, {"resourceId": "r", "sid": SID}),
        (206, {"code": 435, "reason": "no recorded data"}),
        (400, {"code": 49, "reason": "invalid operation"}),
        (404, {"code": 404, "reason": "failed to find worker"}),
        (400, {"code": 501, "reason": "exiting"}),
        (200, {"serverResponse": {"moderationUploadingStatus": "whatever", "uploadingStatus": "backuped"}}),
    ],
    ids=lambda answer: f"{answer[0]}-{answer[1]}",
)
async def test_agora_stop_of_a_task_that_is_gone_or_raced_is_done(answer: Any) -> None:
    async with vendor(answer) as (agora, opening):
        await client(opening).stop(task_of())
    assert len(agora.seen) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((206, {"code": 65}), Unavailable),
        ((504, {"code": 62}), Unavailable),
        ((400, {"code": 2}), Refused),
        ((404, {"message": "no Route matched with those values"}), Refused),
    ],
)
async def test_agora_errors_of_stop(answer: Any, error: type[VendorError]) -> None:
    async with vendor(answer) as (_, opening):
        with pytest.raises(error):
            await client(opening).stop(task_of())


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_agora_answers_that_cannot_be_read_are_typed_and_repeated(body: bytes) -> None:
    calls: list[Callable[[Client], Awaitable[object]]] = [
        lambda it: it.prepare(start_of()),
        lambda it: it.start(start_of(), PREPARED),
        lambda it: it.query(task_of()),
    ]
    for call in calls:
        async with vendor((200, body)) as (agora, opening):
            with pytest.raises((Unreadable, Refused)) as caught:
                await call(client(opening))
        if isinstance(caught.value, Unreadable):
            assert len(agora.seen) > 1


async def test_agora_no_secret_is_in_an_error() -> None:
    echo = {"code": 2, "reason": "bad apiData aliyun-s3cr3t agora-s3cr3t"}
    async with vendor((400, echo)) as (_, opening):
        with pytest.raises(Refused) as caught:
            await client(opening).start(start_of(), PREPARED)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("response", "state"),
    [
        ({"subServiceStatus": {"recordingService": "serviceIdle"}}, TaskState.STARTING),
        ({"subServiceStatus": {"recordingService": "serviceStarted"}}, TaskState.STARTING),
        ({"subServiceStatus": {"recordingService": "serviceReady"}}, TaskState.STARTING),
        ({"subServiceStatus": {"recording_Service": "serviceInProgress"}}, TaskState.RUNNING),
        ({"subServiceStatus": {"recordingService": "serviceCompleted"}}, TaskState.ENDED),
        ({"subServiceStatus": {"recordingService": "servicePartialCompleted"}}, TaskState.ENDED),
        ({"subServiceStatus": {"recordingService": "serviceValidationFailed"}}, TaskState.FAILED),
        ({"subServiceStatus": {"a": "serviceInProgress", "b": "serviceAbnormal"}}, TaskState.FAILED),
        ({"extensionServiceState": [{"streamState": [{"status": "failed", "uid": 0}]}]}, TaskState.FAILED),
        ({"extensionServiceState": [{"streamState": [{"status": "inProgress"}]}]}, TaskState.RUNNING),
        ({"status": 4}, TaskState.RUNNING),
        ({"status": 5}, TaskState.RUNNING),
        ({"status": 1}, TaskState.STARTING),
        ({"status": 20}, TaskState.FAILED),
        ({}, TaskState.UNKNOWN),
    ],
)
def test_agora_states_of_query(response: dict[str, Any], state: TaskState) -> None:
    assert task_state(response)[0] is state


_KEYS = st.sampled_from(["subServiceStatus", "extensionServiceState", "streamState", "status", "x"])
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner),
)


@given(st.dictionaries(_KEYS, _ANYTHING))
def test_agora_any_state_can_be_read(response: Any) -> None:
    assert isinstance(task_state(response)[0], TaskState)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"uid": "0"}, ("uid",)),
        ({"uid": "alice"}, ("uid",)),
        ({"uid": "4294967296"}, ("uid",)),
        ({"uid": "٣"}, ("uid",)),
        ({"uid": 527841}, ("uid",)),
        ({"uid": ""}, ("uid",)),
        ({"spare_uids": ["1", "x"]}, ("spare_uids", 1)),
        ({"channel": ""}, ("channel",)),
        ({"channel": "a" * 65}, ("channel",)),
        ({"channel": "房间"}, ("channel",)),
        ({"channel": "a/b"}, ("channel",)),
        ({"channel": 'a"b'}, ("channel",)),
        ({"channel": "a\n"}, ("channel",)),
        ({"resource_expired_hour": 0}, ("resource_expired_hour",)),
        ({"resource_expired_hour": 721}, ("resource_expired_hour",)),
        ({"channel_type": 2}, ("channel_type",)),
        ({"max_idle_time": 4}, ("max_idle_time",)),
        ({"max_idle_time": 1 << 32}, ("max_idle_time",)),
        ({"decryption_mode": 4}, ("decryption_mode",)),
        ({"decryption_mode": 1}, ("secret",)),
        ({"secret": "s"}, ("secret",)),
        ({"subscribe_audio_uids": [str(n) for n in range(1, 34)]}, ("subscribe_audio_uids",)),
        ({"subscribe_uid_group": 4}, ("subscribe_uid_group",)),
        ({"audio_profile": 3}, ("audio_profile",)),
        ({"chanel": "c"}, ("chanel",)),
    ],
)
def test_agora_parameters_that_break_a_rule_are_named(change: dict[str, Any], place: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        AgoraVoice.model_validate({"channel": "c", "uid": "1"} | change)
    assert [fault["loc"] for fault in caught.value.errors()] == [place]


def test_agora_every_fault_is_listed_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        AgoraVoice.model_validate({"channel": "房", "uid": "0", "max_idle_time": 1, "extra": 1})
    assert {fault["loc"][0] for fault in caught.value.errors()} == {
        "channel",
        "uid",
        "max_idle_time",
        "extra",
    }


def test_agora_all_89_characters_and_64_bytes_are_a_channel() -> None:
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&()+-:;<=.>?@[]^_{}|~,"
    assert len(set(allowed)) == 89
    for start in (0, 25):
        AgoraVoice(channel=allowed[start : start + 64], uid="4294967295")


@given(st.text(min_size=1, max_size=70))
def test_agora_a_channel_is_taken_exactly_when_the_document_allows_it(channel: str) -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&()+-:;<=.>?@[]^_{}|~,")
    fits = set(channel) <= allowed and len(channel.encode()) <= 64
    try:
        AgoraVideo.model_validate({"channel": channel, "uid": "1"})
    except ValidationError:
        assert not fits
    else:
        assert fits


def test_agora_what_a_tenant_lacks_is_listed() -> None:
    bare = Tenant()
    assert KINDS[Source.AGORA_VOICE].missing(bare) == [
        "credentials.agora: is missing",
        "credentials.aliyun: is missing",
        "sources.agora_voice.secrets: seed or seed_key is missing",
    ]
    assert KINDS[Source.AGORA_VIDEO].missing(bare) == ["credentials.agora: is missing"]
    assert KINDS[Source.AGORA_VOICE].missing(tenant("http://x")) == []
    odd = Tenant.model_validate({"sources": {"agora_voice": {"secrets": {"seed": "no-dash"}}}})
    assert "sources.agora_voice.secrets.seed: Aliyun takes" in "\n".join(
        KINDS[Source.AGORA_VOICE].missing(odd)
    )


async def test_agora_a_task_is_renewed_before_it_can_be_stopped_no_more() -> None:
    short = AgoraVoice(channel="c", uid="1", resource_expired_hour=1)
    async with vendor(STARTED) as (_, opening):
        day = await client(opening).start(start_of(), PREPARED)
        hour = await client(opening).start(start_of(short), PREPARED)
    assert isinstance(day, Started)
    assert day.renew_at is not None
    assert hour.renew_at is not None
    assert 70 * 3600 < day.renew_at - hour.renew_at < 72 * 3600


def test_agora_a_status_without_an_answer_has_no_raw() -> None:
    assert Status(TaskState.ENDED).raw is None


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"capture_interval": 0}, ("capture_interval",)),
        ({"capture_interval": 3601}, ("capture_interval",)),
        ({"type": "VIOLENCE"}, ("type",)),
        ({"combination_policy": "all"}, ("combination_policy",)),
    ],
)
def test_agora_video_parameters_that_break_a_rule_are_named(
    change: dict[str, Any], place: tuple[Any, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        AgoraVideo.model_validate({"channel": "c", "uid": "1"} | change)
    assert [fault["loc"] for fault in caught.value.errors()] == [place]
