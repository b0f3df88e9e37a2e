"""iFlytek's signature, codes and the life of a request."""

import base64
import hashlib
import hmac
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from simulator.control.iflytek import signature
from tests.simulator.control.support import Vendors

FILES = {
    "audio_list": [{"audio_type": "mp3", "file_url": "https://x.example.com/1.mp3", "name": "xxx%2F1.mp3"}]
}


def signed(when: datetime | None = None, **changes: str) -> str:
    """The query, made as the document says and without the simulator's own code."""
    query = {
        "accessKeyId": "simulated-key-id",
        "appId": "simulated-app",
        "utc": (when or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "uuid": str(uuid.uuid4()),
    } | changes
    text = urlencode(sorted(query.items())).encode()
    digest = hmac.new(b"simulated-key-secret", text, hashlib.sha1).digest()
    return urlencode(query | {"signature": base64.b64encode(digest).decode()})


async def ask(simulated: Vendors, what: str, body: Any, query: str | None = None, **more: Any) -> Any:
    path = f"/iflytek/audit/v2/{what}?{signed() if query is None else query}"
    return (await simulated.call("POST", path, **({"json": body} | more)))[1]


async def test_a_request_waits_works_and_is_done(simulated: Vendors) -> None:
    answer = await ask(simulated, "audio", FILES)
    assert answer["code"] == "000000"
    request = {"request_id": answer["data"]["request_id"]}
    assert (await ask(simulated, "query", request))["data"]["audit_status"] in (0, 1)
    simulated.world.clock.move(60)
    data = (await ask(simulated, "query", request))["data"]
    assert (data["audit_status"], data["result_list"][0]["name"]) == (2, "xxx%2F1.mp3")
    assert (await ask(simulated, "query", request))["data"] == data


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "100001"),
        (signed() + "x", "100003"),
        (signed(accessKeyId="another"), "100003"),
        (signed(datetime(2023, 2, 23, tzinfo=UTC)), "100003"),
        (signed(utc="yesterday"), "100003"),
    ],
)
async def test_who_asks_is_checked(simulated: Vendors, query: str, code: str) -> None:
    assert (await ask(simulated, "audio", FILES, query))["code"] == code


async def test_a_uuid_is_good_for_one_call(simulated: Vendors) -> None:
    query = signed()
    assert (await ask(simulated, "audio", FILES, query))["code"] == "000000"
    assert (await ask(simulated, "audio", FILES, query))["code"] == "100004"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"audio_list": FILES["audio_list"] * 11},
        {"audio_list": [{"file_url": "https://x.example.com/" + "x" * 500, "name": "n"}]},
        {"audio_list": [{"file_url": "https://x.example.com/1.mp3"}]},
        {"audio_list": [FILES["audio_list"][0] | {"audio_type": "ogg"}]},
        FILES | {"notify_url": 5},
    ],
)
async def test_what_is_submitted_is_checked(simulated: Vendors, body: Any) -> None:
    assert (await ask(simulated, "audio", body))["code"] == "100005"


async def test_a_form_is_no_json(simulated: Vendors) -> None:
    more = {"json": None, "data": {"request_id": "x"}}
    assert (await ask(simulated, "query", None, **more))["code"] == "100005"


def test_the_documents_worked_examples() -> None:
    query = {
        "accessKeyId": "simpleAPIKey",
        "accessKeySecret": "simpleAPISecret",
        "appId": "simpleAPPID",
        "utc": "2023-02-23T06:40:54+0000",
        "uuid": "44dfa903-adb2-45d3-a1fe-fd8a53f86b2a",
        "signature": "not signed itself",
    }
    assert signature(query, "simpleAPISecret") == "mH2xDQ5f+mO/Pi6DbrxXrzYQxF0="
    without = {name: value for name, value in query.items() if name != "accessKeySecret"}
    assert signature(without, "simpleAPISecret") == "ntuWc0bl46pUNwmH0lFKl1zjD7g="
