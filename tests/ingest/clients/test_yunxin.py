"""Yunxin: the check sum of the headers, the listening token, and what is known of a room."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.clients.contract import NotYet
from ingest.clients.yunxin import YunxinClient, _judge_members
from moderato.vendor import Answer, Refused, Throttled, Unavailable, Unreadable, VendorError
from moderato.vendor.yunxin import auth_headers
from tests.ingest.clients.support import BROKEN, vendor

TOKEN = (200, {"code": 200, "checksum": "42753e0ade9b4ebfbe31c363a8177ce3", "cid": 43634037884897})


def test_yunxin_checksum_vector() -> None:
    headers = auth_headers("appkey1", "app-secret-1", "4tgggergigwow323t23t", "1443592222")
    assert headers["CheckSum"] == "aea776b7965fe73d31148f54848954d24b1a0553"


@given(st.text(), st.text(), st.text())
def test_yunxin_checksum_differs_with_its_secret(nonce: str, one: str, other: str) -> None:
    if one != other:
        first = auth_headers("k", one + "|", nonce, "1")["CheckSum"]
        assert first != auth_headers("k", other + "|", nonce, "1")["CheckSum"]


async def test_yunxin_token_is_asked_for_as_a_form_with_the_four_headers() -> None:
    async with vendor(TOKEN) as (yunxin, opening):
        token = await YunxinClient(opening, now=lambda: 1443592222.7).listening_token(
            "room1001", 900000000001
        )
    assert (token.checksum, token.cid) == ("42753e0ade9b4ebfbe31c363a8177ce3", "43634037884897")
    [seen] = yunxin.seen
    assert (seen.method, seen.path) == ("POST", "/nimserver/nrtc/getRecordSdkUserChecksum.action")
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded;charset=utf-8"
    assert seen.form == {
        "channelName": "room1001",
        "type": "1",
        "uid": "900000000001",
        "expireSeconds": "2592000",
    }
    assert (seen.headers["appkey"], seen.headers["curtime"]) == ("appkey1", "1443592222")
    expected = auth_headers("appkey1", "app-secret-1", seen.headers["nonce"], "1443592222")
    assert seen.headers["checksum"] == expected["CheckSum"]


async def test_yunxin_every_attempt_has_a_fresh_nonce() -> None:
    async with vendor((503, b""), TOKEN) as (yunxin, opening):
        await YunxinClient(opening).listening_token("r", 1)
    assert len({seen.headers["nonce"] for seen in yunxin.seen}) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, {"code": 414, "desc": "check sum"}), NotYet),
        ((414, {"code": 414}), NotYet),
        ((200, {"code": 403, "desc": "forbidden"}), Refused),
        ((200, {"code": 500}), Unavailable),
        ((200, {"code": 200}), Unreadable),
        ((200, {"code": 200, "checksum": "a@b/c"}), Unreadable),
        ((429, b""), Throttled),
        ((502, b"<html>"), Unavailable),
    ],
    ids=lambda value: f"{value[0]}-{value[1]}" if isinstance(value, tuple) else None,
)
async def test_yunxin_codes_of_the_token(answer: Any, error: type[VendorError]) -> None:
    async with vendor(answer) as (_, opening):
        with pytest.raises(VendorError) as caught:
            await YunxinClient(opening).listening_token("r", 1)
    assert type(caught.value) is error


async def test_yunxin_room_and_members_are_asked_for_by_the_rooms_name() -> None:
    body = {"code": 200, "members": [{"uid": 18446744073709551615}, {"uid": 5}], "cid": 7}
    async with vendor((200, body)) as (yunxin, opening):
        client = YunxinClient(opening)
        assert await client.room("房间 1") == body
        await client.members("r", uid=5)
    room, members = yunxin.seen
    assert urlsplit(room.path).path == "/v3/api/rooms"
    assert parse_qsl(urlsplit(room.path).query) == [("cname", "房间 1")]
    assert urlsplit(members.path).path == "/v3/api/rooms/members"
    assert parse_qsl(urlsplit(members.path).query) == [("cname", "r"), ("uid", "5")]
    assert room.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "uids"),
    [
        ({"code": 200, "members": [{"uid": 1}, {"uid": "2"}, {"uid": 1}]}, ["1", "2"]),
        ({"code": 200, "uids": [18446744073709551615, "3"]}, ["18446744073709551615", "3"]),
        ({"code": 0, "result": {"members": [{"uid": 9}]}}, ["9"]),
        ({"members": []}, []),
    ],
)
async def test_yunxin_members_are_read_from_any_layout(body: Any, uids: list[str]) -> None:
    async with vendor((200, body)) as (_, opening):
        assert await YunxinClient(opening).members("r") == uids


@pytest.mark.parametrize("answer", [(404, {"code": 404}), (200, {"code": 404, "errmsg": "no room"})])
async def test_yunxin_a_room_that_is_not_there_is_none(answer: Any) -> None:
    async with vendor(answer) as (_, opening):
        assert await YunxinClient(opening).room("r") is None
        assert await YunxinClient(opening).members("r") is None


async def test_yunxin_both_codes_have_to_be_good() -> None:
    for answer in ((403, {"code": 200}), (200, {"code": 403})):
        async with vendor(answer) as (_, opening):
            with pytest.raises(Refused):
                await YunxinClient(opening).members("r")


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_yunxin_tokens_that_cannot_be_read_are_typed_and_repeated(body: bytes) -> None:
    async with vendor((200, body), TOKEN) as (_, opening):
        try:
            token = await YunxinClient(opening).listening_token("r", 1)
        except Refused as error:
            assert error.code  # noqa: PT017 - some of them hold a code
        else:
            assert token.checksum


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["uid", "uids", "x"]), inner),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from(["uid", "uids", "members"]), _JSON))
def test_yunxin_any_members_can_be_read(body: dict[str, Any]) -> None:
    found = _judge_members(Answer(200, body))
    assert found is not None
    assert all(isinstance(uid, str) for uid in found)
