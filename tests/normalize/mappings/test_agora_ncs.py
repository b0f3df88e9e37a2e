import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from moderato.records import Signal, SignalKind
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.hostile import mutated, noise, read_hostile
from tests.normalize.support import RECEIVED, read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agora_ncs"
SAMPLES = {path.stem: path.read_bytes() for path in sorted(FIXTURES.glob("*.json"))}
SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"


def read(body: bytes, **context: Any) -> Reading:
    return read_body(Source.AGORA_NCS, body, **context)


def read_notice(product: object, event: object, **payload: object) -> Reading:
    return read(json.dumps({"productId": product, "eventType": event, "payload": payload}).encode())


def signal_of(reading: Reading) -> Signal:
    assert not reading.verdicts
    assert not reading.faults
    (signal,) = reading.signals
    return signal


def is_ignored(reading: Reading) -> bool:
    return not (reading.verdicts or reading.signals or reading.faults)


def test_an_extension_error_is_a_task_that_failed() -> None:
    signal = signal_of(read(SAMPLES["extension_service_error"]))
    assert signal.kind is SignalKind.TASK_FAILED
    assert (signal.task_id, signal.room, signal.user) == (SID, "httpClient463224", None)
    assert (signal.code, signal.message) == ("3", "aliyun_voice_async_scan")
    assert signal.occurred_at == "2021-01-25T09:20:12.600Z"  # sendts, not notifyMs


def test_a_channel_that_was_created_is_a_room() -> None:
    signal = signal_of(read(SAMPLES["channel_created"], room="r"))
    assert (signal.kind, signal.room) == (SignalKind.ROOM_CREATED, "r")  # the sample's payload is empty
    assert signal.occurred_at == "2021-01-25T09:20:12.672Z"  # notifyMs


def test_a_member_removed_through_the_banning_api_was_kicked() -> None:
    signal = signal_of(read(SAMPLES["built_kicked"]))
    assert (signal.kind, signal.room, signal.user) == (SignalKind.USER_KICKED, "httpClient463224", "91")
    assert signal.code == "3"
    assert signal.occurred_at == "2021-01-25T09:20:12.000Z"  # ts counts seconds


def test_an_abnormal_exit_is_a_task_that_failed() -> None:
    signal = signal_of(read(SAMPLES["built_session_exit"]))
    assert (signal.kind, signal.code, signal.task_id) == (SignalKind.TASK_FAILED, "1", SID)


@pytest.mark.parametrize(
    "sample", ["built_test_webhook", "signature_with_event_ms", "signature_without_event_ms"]
)
def test_a_test_notice_and_foreign_events_are_ignored(sample: str) -> None:
    assert is_ignored(read(SAMPLES[sample]))


@pytest.mark.parametrize("field", ["channelName", "cname"])
def test_a_test_notice_is_known_by_either_name_of_the_channel(field: str) -> None:
    assert is_ignored(read_notice(1, 103, **{field: "test_webhook", "uid": 12121212}))
    assert is_ignored(read_notice(3, 201, **{field: "test_webhook"}))


@pytest.mark.parametrize(
    ("event", "details", "kind", "code"),
    [
        (201, {"errorCode": "5"}, SignalKind.TASK_FAILED, "5"),
        (202, {"errorCode": 1}, SignalKind.TASK_STARTED, None),
        ("203", {}, SignalKind.TASK_ENDED, None),
        (11, {"exitStatus": 0}, SignalKind.TASK_ENDED, "0"),
        (11.0, {"exitStatus": "1"}, SignalKind.TASK_FAILED, "1"),
        (41, {"leaveCode": 4}, SignalKind.TASK_ENDED, "4"),
        (1, {"errorLevel": 5, "errorCode": 110, "errorMsg": "m"}, SignalKind.TASK_FAILED, "110"),
        (1, {"errorLevel": "5"}, SignalKind.TASK_FAILED, None),
    ],
)
@pytest.mark.parametrize("product", [3, "3"])
def test_what_became_of_a_task(
    product: object, event: object, details: dict[str, object], kind: SignalKind, code: str | None
) -> None:
    signal = signal_of(read_notice(product, event, cname="c", uid="527841", sid="s", details=details))
    assert (signal.kind, signal.code, signal.room, signal.task_id) == (kind, code, "c", "s")
    assert signal.user is None  # the uid is the bot's
    assert signal.message == details.get("errorMsg")


@pytest.mark.parametrize(
    ("event", "details"),
    [
        (1, {"errorLevel": 4}),
        (1, {}),
        (11, {}),
        (11, {"exitStatus": 2}),
        (11, {"exitStatus": []}),
        (2, {}),
        (31, {"status": 0}),
        (45, {"fileName": "x.jpg"}),
        (101, {}),
    ],
)
def test_other_events_of_a_task_are_ignored(event: int, details: dict[str, object]) -> None:
    assert is_ignored(read_notice(3, event, cname="c", sid="s", details=details))


def test_details_that_nothing_needs_are_not_read() -> None:
    assert is_ignored(read_notice(3, 31, details="uploaded"))


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (101, SignalKind.ROOM_CREATED),
        (102, SignalKind.ROOM_CLOSED),
        (103, SignalKind.USER_JOINED),
        (104, SignalKind.USER_LEFT),
        (105, SignalKind.USER_JOINED),
        (106, SignalKind.USER_LEFT),
        (107, SignalKind.USER_JOINED),
        (108, SignalKind.USER_LEFT),
    ],
)
def test_what_happened_in_a_channel(event: int, kind: SignalKind) -> None:
    signal = signal_of(read_notice(1, event, channelName="c", uid=91, ts=1611566412))
    assert (signal.kind, signal.room) == (kind, "c")
    assert signal.user == (None if event < 103 else "91")
    assert signal.occurred_at == "2021-01-25T09:20:12.000Z"


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("3", SignalKind.USER_KICKED, "3"),
        (999, SignalKind.USER_LEFT, "999"),
        (None, SignalKind.USER_LEFT, None),
    ],
)
@pytest.mark.parametrize("event", [104, 106, 108])
def test_only_reason_3_is_a_kick(event: int, reason: object, kind: SignalKind, code: str | None) -> None:
    signal = signal_of(read_notice(1, event, channelName="c", uid="91", reason=reason))
    assert (signal.kind, signal.code, signal.user) == (kind, code, "91")


@pytest.mark.parametrize(("product", "event"), [(1, 111), (1, 201), (5, 201), (None, 101), ("x", 103)])
def test_events_of_other_kinds_and_products_are_ignored(product: object, event: int) -> None:
    assert is_ignored(read_notice(product, event, channelName="c"))


@pytest.mark.parametrize(
    ("payload", "occurred"),
    [
        ({"ts": 1611566412123}, "2021-01-25T09:20:12.123Z"),
        ({"sendts": "1611566412600", "ts": 1}, "2021-01-25T09:20:12.600Z"),
        ({"sendts": "soon", "ts": 1611566412}, "2021-01-25T09:20:12.000Z"),
        ({"sendts": 1e300, "ts": -5}, RECEIVED),
        ({"ts": 0}, RECEIVED),
        ({}, RECEIVED),
    ],
)
def test_it_occurred_at_the_first_time_that_the_notice_gives(
    payload: dict[str, object], occurred: str
) -> None:
    assert signal_of(read_notice(1, 101, **payload)).occurred_at == occurred


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "the notice is a list, not an object"),
        (b'{"productId":1}', "eventType is missing or not a number"),
        (b'{"productId":1,"eventType":"joined"}', "eventType is missing or not a number"),
        (b'{"productId":1,"eventType":101,"payload":[]}', "payload is a list, not an object"),
        (
            b'{"productId":3,"eventType":201,"payload":{"details":"x"}}',
            "details is a string, not an object",
        ),
    ],
)
def test_what_cannot_be_read_is_a_dead_letter_only(body: bytes, reason: str) -> None:
    reading = read(body)
    assert (reading.verdicts, reading.signals) == ([], [])
    assert len(reading.faults) == 1
    assert reason in reading.faults[0]


@given(mutated(*SAMPLES.values()))
def test_a_mutated_notice_is_one_signal_a_dead_letter_or_ignored(body: bytes) -> None:
    reading = read_hostile(Source.AGORA_NCS, body)
    assert not reading.verdicts
    assert len(reading.signals) + len(reading.faults) <= 1


@given(noise(*SAMPLES.values()))
def test_noise_never_raises(body: bytes) -> None:
    assert not read_hostile(Source.AGORA_NCS, body).verdicts
