"""iFlytek audio compliance: the signature of the document, what is sent, and what every answer leads to."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.clients import KINDS
from ingest.clients.contract import Opening, Prepared, Start, Task, TaskState
from ingest.clients.iflytek_audio import IflytekAudio, IflytekClient, signature, signed_query
from moderato.settings import Tenant
from moderato.sources import Source
from moderato.vendor import Refused, Throttled, Unavailable, Unreadable, VendorError
from tests.ingest.clients.support import BROKEN, vendor

CALLBACK = "https://recv.example.com/v1/callbacks/iflytek_audio/acme/t"
FILE = {"file_url": "https://cdn.example.com/1.mp3", "name": "xxx%2F1.mp3", "audio_type": "mp3"}
START = Start("s-1", CALLBACK, IflytekAudio.model_validate({"files": [FILE], "room": "r1"}))
TASK = Task(START, Prepared(), "T2025051910000301ab46e195580d000")
SUBMITTED = (
    200,
    {
        "code": "000000",
        "desc": "请求成功",
        "data": {"request_id": "T2025051910000301ab46e195580d000"},
        "sid": "f2079052365f47be889fd68febc413ce",
    },
)
EXAMPLE = {
    "accessKeyId": "simpleAPIKey",
    "appId": "simpleAPPID",
    "utc": "2023-02-23T06:40:54+0000",
    "uuid": "44dfa903-adb2-45d3-a1fe-fd8a53f86b2a",
}


def client(opening: Opening) -> IflytekClient:
    return IflytekClient(opening, now=lambda: datetime(2023, 2, 23, 6, 40, 54, tzinfo=UTC).timestamp())


def judged(status: Any) -> tuple[int, Any]:
    return 200, {"code": "000000", "data": {"request_id": "T1", "audit_status": status, "result_list": []}}


@pytest.mark.parametrize(
    ("more", "encoded"),
    [
        ({"accessKeySecret": "simpleAPISecret"}, "mH2xDQ5f%2BmO%2FPi6DbrxXrzYQxF0%3D"),
        ({}, "ntuWc0bl46pUNwmH0lFKl1zjD7g%3D"),
        ({"accessKeySecret": "simpleAPISecret", "modeType": "link"}, "AslJve%2FpoqkeHFl8sXxMmgt%2BmxA%3D"),
        ({"modeType": "link"}, "%2Be%2BawK5Ia0zNrSkioMd%2B4rBoQfo%3D"),
    ],
    ids=["the document's worked example", "without the secret", "image, with it", "image, without it"],
)
def test_iflytek_signature_vectors(more: dict[str, str], encoded: str) -> None:
    query = signed_query(EXAMPLE | more, "simpleAPISecret")
    assert query.endswith(f"&uuid=44dfa903-adb2-45d3-a1fe-fd8a53f86b2a&signature={encoded}")


def test_iflytek_signature_is_over_encoded_values_in_the_order_of_their_names() -> None:
    base = (
        "accessKeyId=simpleAPIKey&accessKeySecret=simpleAPISecret&appId=simpleAPPID"
        "&utc=2023-02-23T06%3A40%3A54%2B0000&uuid=44dfa903-adb2-45d3-a1fe-fd8a53f86b2a"
    )
    assert signature(base, "simpleAPISecret") == "mH2xDQ5f+mO/Pi6DbrxXrzYQxF0="
    assert signature(base, "simpleAPIKey") == "IPEsAQVJFhSy9D7z7G9u/6i5eZ4="
    assert signed_query(EXAMPLE | {"accessKeySecret": "simpleAPISecret"}, "simpleAPISecret").startswith(
        base + "&"
    )


@given(
    st.dictionaries(st.text("abcXYZ", min_size=1, max_size=8), st.text(max_size=20), min_size=1),
    st.text(min_size=1, max_size=20),
)
def test_iflytek_a_server_that_decodes_the_query_can_sign_it_again(
    parameters: dict[str, str], secret: str
) -> None:
    parsed = dict(parse_qsl(signed_query(parameters, secret)))
    given_signature = parsed.pop("signature", None)
    assert parsed == {name: value for name, value in parameters.items() if value}
    again = signed_query(parsed, secret)
    assert dict(parse_qsl(again))["signature"] == given_signature


async def test_iflytek_submit_sends_the_files_and_the_notify_url() -> None:
    async with vendor(SUBMITTED) as (iflytek, opening):
        started = await client(opening).start(START, await client(opening).prepare(START))
    assert started.task_id == "T2025051910000301ab46e195580d000"
    [seen] = iflytek.seen
    parts = urlsplit(seen.path)
    assert (seen.method, parts.path) == ("POST", "/audit/v2/audio")
    parameters = dict(parse_qsl(parts.query, strict_parsing=True))
    assert set(parameters) == {"accessKeyId", "appId", "utc", "uuid", "signature"}
    assert parameters["utc"] == "2023-02-23T06:40:54+0000"
    assert re.fullmatch(r"[0-9a-f-]{36}", parameters["uuid"])
    assert seen.headers["content-type"].lower() == "application/json;charset=utf-8"
    assert seen.json == {"audio_list": [FILE], "notify_url": CALLBACK}


async def test_iflytek_submit_sends_the_secret_only_where_it_is_told_to() -> None:
    async with vendor(SUBMITTED, iflytek={"send_secret": True}) as (iflytek, opening):
        await client(opening).start(START, Prepared())
    parameters = dict(parse_qsl(urlsplit(iflytek.seen[0].path).query))
    assert parameters["accessKeySecret"] == "simpleAPISecret"


async def test_iflytek_submit_leaves_out_an_audio_type_that_is_not_given() -> None:
    given = IflytekAudio.model_validate({"files": [{"file_url": "http://x.example/1.wav", "name": "n"}]})
    async with vendor(SUBMITTED) as (iflytek, opening):
        await client(opening).start(Start("s", CALLBACK, given), Prepared())
    assert iflytek.seen[0].json["audio_list"] == [{"file_url": "http://x.example/1.wav", "name": "n"}]


async def test_iflytek_every_attempt_has_a_fresh_uuid_and_signature() -> None:
    later = (200, {"code": "100002", "desc": "?"})
    async with vendor(later, later, SUBMITTED) as (iflytek, opening):
        await client(opening).start(START, Prepared())
    queries = [dict(parse_qsl(urlsplit(seen.path).query)) for seen in iflytek.seen]
    assert len({query["uuid"] for query in queries}) == 3
    assert len({query["signature"] for query in queries}) == 3


@pytest.mark.parametrize("answer", [(504, b""), (500, {}), (200, b"<html>"), (200, b"")], ids=str)
async def test_iflytek_a_submit_that_may_have_been_taken_is_not_sent_again(answer: Any) -> None:
    async with vendor(answer, SUBMITTED) as (iflytek, opening):
        with pytest.raises(VendorError) as caught:
            await client(opening).start(START, Prepared())
    assert caught.value.unknown_outcome
    assert len(iflytek.seen) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, {"code": "100001", "desc": "验签参数不完整：uuid:must not be blank", "sid": "s"}), Refused),
        ((200, {"code": "100002"}), Throttled),
        ((200, {"code": "999999", "desc": "验签失败"}), Refused),
        ((401, {"code": "1", "desc": "no"}), Refused),
        ((429, b""), Throttled),
        ((503, {"desc": "busy"}), Unavailable),
        ((200, {"code": "000000", "data": {}}), Unreadable),
        ((200, {"code": "000000"}), Unreadable),
        ((200, {"desc": "no code"}), Unreadable),
    ],
    ids=lambda value: f"{value[0]}-{value[1]}" if isinstance(value, tuple) else None,
)
async def test_iflytek_codes_of_submit(answer: Any, error: type[VendorError]) -> None:
    async with vendor(answer) as (_, opening):
        with pytest.raises(VendorError) as caught:
            await client(opening).start(START, Prepared())
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "state", "tells"),
    [
        (0, TaskState.STARTING, False),
        (1, TaskState.RUNNING, False),
        ("1", TaskState.RUNNING, False),
        (2, TaskState.ENDED, True),
        (2.0, TaskState.ENDED, True),
        (3, TaskState.UNKNOWN, False),
        (4, TaskState.FAILED, True),
    ],
)
async def test_iflytek_query_states(status: Any, state: TaskState, tells: bool) -> None:
    async with vendor(judged(status)) as (iflytek, opening):
        answer = await client(opening).query(TASK)
    [seen] = iflytek.seen
    assert urlsplit(seen.path).path == "/audit/v2/query"
    assert seen.json == {"request_id": "T2025051910000301ab46e195580d000"}
    assert answer.state is state
    assert (answer.raw is not None) == tells


async def test_iflytek_query_is_repeated_after_answers_that_cannot_be_read() -> None:
    for body in BROKEN.values():
        async with vendor((200, body), judged(1)) as (iflytek, opening):
            try:
                answer = await client(opening).query(TASK)
            except Refused:
                continue
        assert answer.state is TaskState.RUNNING
        assert len(iflytek.seen) == 2


async def test_iflytek_stop_calls_nobody() -> None:
    async with vendor(SUBMITTED) as (iflytek, opening):
        await client(opening).stop(TASK)
    assert iflytek.seen == []


async def test_iflytek_no_secret_and_no_address_is_in_an_error() -> None:
    async with vendor((400, {"code": "9", "desc": "key simpleAPISecret"}), iflytek={"send_secret": True}) as (
        _,
        opening,
    ):
        with pytest.raises(Refused) as caught:
            await client(opening).start(START, Prepared())
    assert "simpleAPISecret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"files": []}, ("files",)),
        ({"files": [FILE] * 11}, ("files",)),
        ({"files": [FILE | {"file_url": "https://x.example/" + "a" * 483}]}, ("files", 0, "file_url")),
        ({"files": [FILE, FILE | {"file_url": "ftp://x/1.mp3"}]}, ("files", 1, "file_url")),
        ({"files": [FILE | {"name": ""}]}, ("files", 0, "name")),
        ({"files": [{"file_url": "http://x.example/1.mp3"}]}, ("files", 0, "name")),
        ({"files": [FILE | {"audio_type": "ogg"}]}, ("files", 0, "audio_type")),
        ({"files": FILE}, ("files",)),
    ],
)
def test_iflytek_parameters_that_break_a_rule_are_named(given: Any, place: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        IflytekAudio.model_validate(given)
    assert [fault["loc"] for fault in caught.value.errors()] == [place]


def test_iflytek_10_files_and_500_characters_are_taken() -> None:
    longest = FILE | {"file_url": "https://x.example/" + "a" * 482}
    assert len(IflytekAudio.model_validate({"files": [longest] * 10}).files) == 10


def test_iflytek_what_a_tenant_lacks_is_listed() -> None:
    assert KINDS[Source.IFLYTEK_AUDIO].missing(Tenant()) == ["credentials.iflytek: is missing"]


def test_iflytek_the_room_is_ours() -> None:
    assert START.parameters.room_name == "r1"
    assert IflytekAudio.model_validate({"files": [FILE], "room": None}).room_name is None
