"""Yidun live audio: signatures, check in both versions, feedback, results, and every code of the documents."""

from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.clients import KINDS
from ingest.clients.contract import AlreadyRunning, NotYet, Prepared, Start, Task, TaskState
from ingest.clients.yidun import result_of
from ingest.clients.yidun_audio import YidunAudio, YidunClient, windows
from ingest.clients.yidun_results import YidunResults, items
from ingest.signatures import yidun_signature
from moderato.settings import Tenant
from moderato.sources import Source
from moderato.vendor import Answer, Refused, Throttled, Unavailable, Unreadable, VendorError
from tests.ingest.clients.support import BROKEN, Vendor, vendor

CALLBACK = "https://recv.example.com/v1/callbacks/yidun_audio/acme/t"
ROOM: dict[str, Any] = {"channel": "room1001", "uid": 900000000001}
URL = "yunxin://900000000001:42753e0ade9b4ebfbe31c363a8177ce3@appkey1/room1001"
TASK_ID = "38e08da8d2574df4bd2eca9b5153df72"
CHECKED = (200, {"code": 200, "msg": "ok", "result": {"taskId": TASK_ID, "status": 0}})
TOKEN = (200, {"code": 200, "checksum": "42753e0ade9b4ebfbe31c363a8177ce3", "cid": 43634037884897})


def start_of(**changes: Any) -> Start:
    return Start("s-1", CALLBACK, YidunAudio.model_validate(ROOM | changes))


TASK = Task(start_of(), Prepared({"url": URL}), TASK_ID)


def signed_right(seen_form: dict[str, str]) -> bool:
    return seen_form["signature"] == yidun_signature(seen_form, "a-secret-key-1")


@pytest.mark.parametrize(
    ("fields", "digest"),
    [
        (
            {
                "businessId": "a-business-id-1",
                "callback": "room1001",
                "callbackUrl": "https://recv.example.com/yidun",
                "nonce": "12345678",
                "secretId": "a-secret-id-1",
                "signatureMethod": "MD5",
                "timestamp": "1650000000000",
                "url": URL,
                "version": "v3.1",
            },
            "2578fd994b636e45cdbce4469d30bca5",
        ),
        (
            {
                "version": "v1.0",
                "feedbacks": '[{"taskId":"38e08da8d2574df4bd2eca9b5153df72","status":100}]',
                "timestamp": "1650000000000",
                "nonce": "12345678",
                "secretId": "a-secret-id-1",
                "businessId": "a-business-id-1",
            },
            "0a651c4e321a4e5581f15c018df85a0f",
        ),
    ],
    ids=["check", "feedback"],
)
def test_yidun_signature_vectors_of_requests(fields: dict[str, str], digest: str) -> None:
    assert yidun_signature(fields, "a-secret-key-1") == digest


async def test_yidun_a_room_is_prepared_with_a_listening_token() -> None:
    async with vendor(TOKEN) as (yunxin, opening):
        client = YidunClient(opening, now=lambda: 1000.0)
        prepared = await client.prepare(start_of(expire_seconds=3600))
    assert prepared == Prepared({"url": URL}, 4600.0)
    assert yunxin.seen[0].form["expireSeconds"] == "3600"


async def test_yidun_a_room_without_a_member_is_not_yet() -> None:
    async with vendor((200, {"code": 414})) as (_, opening):
        with pytest.raises(NotYet):
            await YidunClient(opening).prepare(start_of())


async def test_yidun_a_url_needs_no_preparation() -> None:
    given = YidunAudio(url="rtmp://live.example.com/app/1")
    async with vendor(CHECKED, yunxin=None) as (seen, opening):
        prepared = await YidunClient(opening).prepare(Start("s", CALLBACK, given))
        with pytest.raises(Refused, match=r"credentials\.yunxin"):
            await YidunClient(opening).prepare(start_of())
    assert prepared.values == {"url": "rtmp://live.example.com/app/1"}
    assert seen.seen == []


async def test_yidun_check_v3_sends_the_fields_of_the_document() -> None:
    given = start_of(
        title="t",
        ip="203.0.113.7",
        account="u1",
        device_id="d",
        device_type=3,
        check_speaker_ids=["1000", "2000", "3000"],
    )
    async with vendor(CHECKED, yidun={"version": "v3", "signature_method": "MD5"}) as (yidun, opening):
        started = await YidunClient(opening, now=lambda: 1650000000.0).start(given, Prepared({"url": URL}))
    assert (started.task_id, started.adopted, started.renew_at) == (TASK_ID, False, None)
    [seen] = yidun.seen
    assert (seen.method, seen.path) == ("POST", "/v3/liveaudio/check")
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded;charset=utf-8"
    form = seen.form
    assert signed_right(form)
    assert orjson.loads(form["callback"]) == {"room": "room1001", "session": "s-1"}
    expected = {
        "secretId": "a-secret-id-1",
        "businessId": "a-business-id-1",
        "version": "v3.1",
        "timestamp": "1650000000000",
        "signatureMethod": "MD5",
        "url": URL,
        "callbackUrl": CALLBACK,
        "title": "t",
        "ip": "203.0.113.7",
        "account": "u1",
        "deviceId": "d",
        "deviceType": "3",
        "checkSpeakerIds": "1000,2000,3000",
    }
    assert expected.items() <= form.items()
    assert set(form) == {*expected, "callback", "nonce", "signature"}


async def test_yidun_check_v4_sends_its_own_fields_as_well() -> None:
    given = start_of(
        room_no="9",
        account_level="A",
        account_name="n",
        unique_key="k",
        check_language_code="en",
        no_check_speaker_ids=["7"],
        device_type=11,
        extra={"nickname": "昵称", "fansNum": 12, "extension": "{}"},
    )
    async with vendor(CHECKED) as (yidun, opening):
        await YidunClient(opening).start(given, Prepared({"url": URL}))
    [seen] = yidun.seen
    assert seen.path == "/v4/liveaudio/check"
    form = seen.form
    assert signed_right(form)
    expected = {
        "version": "v4",
        "dataId": "s-1",
        "uniqueKey": "k",
        "roomNo": "9",
        "accountLevel": "A",
        "accountName": "n",
        "checkLanguageCode": "en",
        "noCheckSpeakerIds": "7",
        "deviceType": "11",
        "nickname": "昵称",
        "fansNum": "12",
        "extension": "{}",
    }
    assert expected.items() <= form.items()
    assert "signatureMethod" not in form


@pytest.mark.parametrize("method", ["MD5", "SHA1", "SHA256", "SM3"])
async def test_yidun_each_signature_method_is_sent_and_signed(method: str) -> None:
    async with vendor(CHECKED, yidun={"signature_method": method}) as (yidun, opening):
        await YidunClient(opening).start(start_of(), Prepared({"url": URL}))
    form = yidun.seen[0].form
    assert form["signatureMethod"] == method
    assert signed_right(form)


async def test_yidun_every_attempt_has_a_fresh_nonce_time_and_signature() -> None:
    moments = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    answers = [(200, {"code": code}) for code in (503, 411)]
    async with vendor(*answers, CHECKED) as (yidun, opening):
        await YidunClient(opening, now=lambda: next(moments)).start(start_of(), Prepared({"url": URL}))
    forms = [seen.form for seen in yidun.seen]
    for name in ("nonce", "timestamp", "signature"):
        assert len({form[name] for form in forms}) == 3, name


async def test_yidun_parameters_of_the_other_version_are_refused_before_any_call() -> None:
    async with vendor(CHECKED, yidun={"version": "v3"}) as (yidun, opening):
        with pytest.raises(Refused, match="not in version v3: account_level, device_type"):
            await YidunClient(opening).prepare(start_of(account_level="A", device_type=20))
    async with vendor(CHECKED) as (yidun, opening):
        with pytest.raises(Refused, match="not in version v4: device_type"):
            await YidunClient(opening).prepare(start_of(device_type=5))
    assert yidun.seen == []


async def test_yidun_addresses_that_are_too_long_are_refused_before_any_call() -> None:
    async with vendor(CHECKED) as (yidun, opening):
        client = YidunClient(opening)
        with pytest.raises(Refused, match="callbackUrl has 520 characters, 512 are allowed"):
            await client.start(Start("s", "x" * 520, start_of().parameters), Prepared({"url": URL}))
        with pytest.raises(Refused, match="url has 1025 characters, 1024 are allowed"):
            await client.start(start_of(), Prepared({"url": "x" * 1025}))
    assert yidun.seen == []


async def test_yidun_a_duplicate_submit_is_adopted() -> None:
    async with vendor((200, {"code": 200, "result": {"taskId": TASK_ID, "status": 3}})) as (_, opening):
        started = await YidunClient(opening).start(start_of(), Prepared({"url": URL}))
    assert (started.task_id, started.adopted) == (TASK_ID, True)


@pytest.mark.parametrize(
    ("answer", "error", "calls"),
    [
        ({"code": 200, "result": {"status": 1}}, Refused, 1),
        ({"code": 200, "result": {"taskId": "", "status": 2}}, Throttled, 4),
        ({"code": 200, "result": {"status": 3}}, AlreadyRunning, 1),
        ({"code": 200, "result": {"status": 0}}, Unreadable, 4),
        ({"code": 200, "result": {"taskId": "t", "status": 9}}, Unreadable, 4),
        ({"code": 200}, Unreadable, 4),
        ({"code": 400, "msg": "bad request"}, Refused, 1),
        ({"code": 401, "msg": "forbidden"}, Refused, 1),
        ({"code": 402}, Refused, 1),
        ({"code": 404}, Refused, 1),
        ({"code": 405, "msg": "param error"}, Refused, 1),
        ({"code": 410, "msg": "signature failure"}, Refused, 1),
        ({"code": 411, "msg": "high frequency"}, Throttled, 4),
        ({"code": 414, "msg": "param len over limit"}, Refused, 1),
        ({"code": 415, "msg": "target version limit"}, Refused, 1),
        ({"code": 416}, Refused, 1),
        ({"code": 420, "msg": "request expired"}, Refused, 1),
        ({"code": 429, "msg": "too many requests"}, Throttled, 4),
        ({"code": 430, "msg": "replay attack"}, Throttled, 4),
        ({"code": 440}, Refused, 1),
        ({"code": 503, "msg": "service unavailable"}, Unavailable, 4),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
async def test_yidun_codes_of_check(answer: Any, error: type[VendorError], calls: int) -> None:
    async with vendor((200, answer)) as (yidun, opening):
        with pytest.raises(VendorError) as caught:
            await YidunClient(opening).start(start_of(), Prepared({"url": URL}))
    assert type(caught.value) is error
    assert len(yidun.seen) == calls


async def test_yidun_a_long_term_room_is_renewed_before_its_token_ends_and_a_short_one_is_not() -> None:
    async with vendor(CHECKED) as (_, opening):
        client = YidunClient(opening)
        prepared = Prepared({"url": URL}, expires_at=1_000_000.0)
        long = await client.start(start_of(term="long"), prepared)
        brief = await client.start(start_of(term="long", expire_seconds=600), prepared)
        short = await client.start(start_of(), prepared)
    assert (long.renew_at, brief.renew_at, short.renew_at) == (996_400.0, 999_940.0, None)


async def test_yidun_a_renewed_token_is_no_duplicate_of_the_old_task() -> None:
    async with vendor(CHECKED) as (yidun, opening):
        await YidunClient(opening).start(start_of(), Prepared({"url": URL}))
    assert "uniqueKey" not in yidun.seen[0].form  # so that Yidun goes by the URL, and the token in it


async def test_yidun_feedback_stops_the_task() -> None:
    done = {"code": 200, "result": [{"taskId": TASK_ID, "result": 0}]}
    async with vendor((200, done)) as (yidun, opening):
        await YidunClient(opening).stop(TASK)
    [seen] = yidun.seen
    assert seen.path == "/v1/liveaudio/feedback"
    assert seen.form["version"] == "v1.0"
    assert seen.form["feedbacks"] == f'[{{"taskId":"{TASK_ID}","status":100}}]'
    assert signed_right(seen.form)


async def test_yidun_feedback_of_a_task_that_is_not_found_is_done_and_of_a_failure_is_not() -> None:
    async with vendor((200, {"code": 200, "result": [{"taskId": TASK_ID, "result": 2}]})) as (_, opening):
        await YidunClient(opening).stop(TASK)
    async with vendor((200, {"code": 200, "result": [{"taskId": TASK_ID, "result": 1}]})) as (_, opening):
        with pytest.raises(Unavailable):
            await YidunClient(opening).stop(TASK)


class Feedbacks(Vendor):
    """Stops every task that it is told of, but those whose id ends in 7."""

    async def handle(self, request: Any) -> Any:
        response = await super().handle(request)
        tasks = [item["taskId"] for item in orjson.loads(self.seen[-1].form["feedbacks"])]
        result = [{"taskId": id, "result": int(id.endswith("7"))} for id in tasks]
        response.body = orjson.dumps({"code": 200, "result": result})
        return response


async def test_yidun_feedback_goes_in_batches_of_100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.ingest.clients.support.Vendor", Feedbacks)
    async with vendor((200, {})) as (yidun, opening):
        failed = await YidunClient(opening).stop_all([f"t{number}" for number in range(250)])
    assert [len(orjson.loads(seen.form["feedbacks"])) for seen in yidun.seen] == [100, 100, 50]
    assert failed == [f"t{number}" for number in range(250) if number % 10 == 7]


async def test_yidun_cannot_be_asked_for_a_state() -> None:
    async with vendor(CHECKED) as (yidun, opening):
        assert (await YidunClient(opening).query(TASK)).state is TaskState.UNKNOWN
    assert yidun.seen == []


async def test_yidun_query_task_asks_in_windows_of_10_minutes() -> None:
    async with vendor((200, {"code": 200, "result": [{"taskId": TASK_ID, "action": 0}]})) as (yidun, opening):
        found = await YidunClient(opening).results_of(TASK_ID, 0, 1_500_000)
    assert len(found) == 3
    spans = [(seen.form["startTime"], seen.form["endTime"]) for seen in yidun.seen]
    assert spans == [("0", "600000"), ("600000", "1200000"), ("1200000", "1500000")]
    assert all(
        seen.path == "/v1/liveaudio/query/task" and seen.form["version"] == "v1.0" for seen in yidun.seen
    )


@given(st.integers(0, 10**13), st.integers(0, 10**8))
def test_yidun_windows_cover_a_span_without_a_gap(begin: int, length: int) -> None:
    found = list(windows(begin, begin + length))
    assert all(0 < last - first <= 600_000 for first, last in found)
    assert sum(last - first for first, last in found) == length
    assert [first for first, _ in found[1:]] == [last for _, last in found[:-1]]


async def test_yidun_results_v4_repeat_the_request_id_until_they_are_handled() -> None:
    item = {"antispam": {"taskId": TASK_ID, "evidences": {"suggestion": 2}}}
    async with vendor((200, {"code": 200, "result": [item]})) as (yidun, opening):
        results = YidunResults(opening)
        assert [orjson.loads(raw) for raw in await results.fetch()] == [item]
        await results.fetch()
        results.handled()
        await results.fetch()
    ids = [seen.form["yidunRequestId"] for seen in yidun.seen]
    assert ids[0] == ids[1] != ids[2]
    assert yidun.seen[0].path == "/v4/liveaudio/callback/results"
    assert signed_right(yidun.seen[0].form)


async def test_yidun_results_v4_repeat_the_request_id_after_an_answer_that_was_lost() -> None:
    async with vendor((200, b'{"code":200,"resu'), (200, {"code": 200, "result": []})) as (yidun, opening):
        assert await YidunResults(opening).fetch() == []
    first, second = (seen.form for seen in yidun.seen)
    assert first["yidunRequestId"] == second["yidunRequestId"]
    assert first["nonce"] != second["nonce"]


async def test_yidun_results_v3_come_one_by_one_under_their_names() -> None:
    result = {"antispam": [{"taskId": "a"}, {"taskId": "b"}], "asr": [{"taskId": "a", "content": "x"}]}
    async with vendor((200, {"code": 200, "result": result}), yidun={"version": "v3"}) as (yidun, opening):
        found = [orjson.loads(raw) for raw in await YidunResults(opening).fetch()]
    assert found == [
        {"antispam": [{"taskId": "a"}]},
        {"antispam": [{"taskId": "b"}]},
        {"asr": [{"taskId": "a", "content": "x"}]},
    ]
    assert yidun.seen[0].path == "/v3/liveaudio/callback/results"
    assert (yidun.seen[0].form["version"], "yidunRequestId" in yidun.seen[0].form) == ("v3", False)


async def test_yidun_results_are_asked_for_less_than_20_times_in_10_seconds() -> None:
    async with vendor((200, {"code": 200, "result": []})) as (yidun, opening):
        one, other = YidunResults(opening), YidunResults(opening)
        moments = []
        for _ in range(30):
            await one.fetch()
            moments.append(yidun.time.now)
            await other.fetch()
            moments.append(yidun.time.now)
    assert all(later - earlier >= 10.0 for earlier, later in zip(moments, moments[19:], strict=False))


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 63) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["antispam", "asr", "taskId"]), inner)
    ),
    max_leaves=20,
)


@given(_ANYTHING)
def test_yidun_any_results_are_json_objects_or_a_typed_error(result: Any) -> None:
    try:
        found = items(result)
    except Unreadable:
        assert not isinstance(result, list | dict)
        return
    assert all(isinstance(orjson.loads(raw), dict) for raw in found)


@given(
    st.dictionaries(st.sampled_from(["code", "msg", "result", "message"]), _ANYTHING), st.integers(200, 599)
)
def test_yidun_any_envelope_is_a_result_or_a_typed_error(body: dict[str, Any], status: int) -> None:
    try:
        result = result_of("check", Answer(status, body))
    except VendorError:
        return
    assert result == body.get("result")


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8)), st.text(min_size=1))
def test_yidun_a_signature_does_not_depend_on_the_order_of_the_fields(
    fields: dict[str, str], key: str
) -> None:
    fields.pop("signatureMethod", None)
    backwards = dict(reversed(fields.items()))
    assert yidun_signature(fields, key) == yidun_signature(backwards, key)
    assert urlencode(fields) is not None


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_yidun_answers_that_cannot_be_read_are_typed_and_repeated(body: bytes) -> None:
    async with vendor((200, body), CHECKED) as (yidun, opening):
        started = await YidunClient(opening).start(start_of(), Prepared({"url": URL}))
    assert started.task_id == TASK_ID
    assert len(yidun.seen) == 2


async def test_yidun_the_secret_key_is_in_no_error() -> None:
    async with vendor((200, {"code": 410, "msg": "with a-secret-key-1"})) as (_, opening):
        with pytest.raises(Refused) as caught:
            await YidunClient(opening).start(start_of(), Prepared({"url": URL}))
    assert "a-secret-key-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"check_speaker_ids": [str(n) for n in range(1, 22)]}, ("check_speaker_ids",)),
        ({"check_speaker_ids": ["1" * 20] * 10}, ("check_speaker_ids",)),
        ({"check_speaker_ids": ["1a"]}, ("check_speaker_ids", 0)),
        ({"check_speaker_ids": ["1", " 2"]}, ("check_speaker_ids", 1)),
        ({"check_speaker_ids": ["٣"]}, ("check_speaker_ids", 0)),
        ({"check_speaker_ids": ["900000000001"]}, ("check_speaker_ids",)),
        ({"no_check_speaker_ids": ["2b"]}, ("no_check_speaker_ids", 0)),
        ({"url": "rtmp://x/y"}, ("channel",)),
        ({"channel": None}, ("channel",)),
        ({"uid": 0}, ("uid",)),
        ({"uid": None}, ("uid",)),
        ({"uid": 1_000_000_000_000}, ("uid",)),
        ({"uid": "5"}, ("uid",)),
        ({"channel": "a b"}, ("channel",)),
        ({"channel": "a/b"}, ("channel",)),
        ({"expire_seconds": 2_592_001}, ("expire_seconds",)),
        ({"title": "x" * 513}, ("title",)),
        ({"ip": "x" * 129}, ("ip",)),
        ({"device_type": 8}, ("device_type",)),
        ({"account_level": "a"}, ("account_level",)),
        ({"account_name": "x" * 31}, ("account_name",)),
        ({"unique_key": "x" * 257}, ("unique_key",)),
        ({"check_language_code": "xx"}, ("check_language_code",)),
        ({"term": "medium"}, ("term",)),
    ],
)
def test_yidun_parameters_that_break_a_rule_are_named(change: dict[str, Any], place: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        YidunAudio.model_validate(ROOM | change)
    assert place in [fault["loc"] for fault in caught.value.errors()]
    assert {fault["loc"][0] for fault in caught.value.errors()} <= {place[0], "uid"}


def test_yidun_20_speakers_are_taken_and_only_in_a_room() -> None:
    ids = [str(number) for number in range(1, 21)]
    assert YidunAudio.model_validate(ROOM | {"check_speaker_ids": ids}).check_speaker_ids == ids
    with pytest.raises(ValidationError):
        YidunAudio.model_validate({"url": "rtmp://x/y", "check_speaker_ids": ["1"]})


def test_yidun_extra_names_are_the_sdks_own() -> None:
    with pytest.raises(ValidationError):
        YidunAudio.model_validate(ROOM | {"extra": {"secretId": "mine"}})


def test_yidun_what_a_tenant_lacks_is_listed() -> None:
    assert KINDS[Source.YIDUN_AUDIO].missing(Tenant()) == ["credentials.yidun: is missing"]


async def test_yidun_the_data_id_and_the_room_can_be_given() -> None:
    async with vendor(CHECKED) as (yidun, opening):
        await YidunClient(opening).start(start_of(data_id="d-1", room="lobby"), Prepared({"url": URL}))
    form = yidun.seen[0].form
    assert (form["dataId"], orjson.loads(form["callback"])["room"]) == ("d-1", "lobby")
