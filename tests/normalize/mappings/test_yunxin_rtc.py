"""Yunxin's RTC copies: its bundled moderation, and the events of rooms and members."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.records import Category, Decision, Evidence, Judge, Label, Media, Severity, SignalKind, Span
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.mappings.test_yidun_audio import JUNK, check, is_fail_safe, places, replaced
from tests.normalize.support import RECEIVED, read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "yunxin_rtc"
TASK = "668335fe7adb4d9f88ab35fb7b1e4b65"
SPAN = Span(1616764308.692, 1616764309.532, "epoch")
ENDED = "2021-03-26T13:11:49.532Z"


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def read(body: bytes, **context: Any) -> Reading:
    return read_body(Source.YUNXIN_RTC, body, **context)


def read_json(value: Any, **context: Any) -> Reading:
    return read(json.dumps(value).encode(), **context)


def copy(event: Any = 400, **data: Any) -> dict[str, Any]:
    return {"eventType": event, "data": {"channelName": "room-1", "taskId": TASK, **data}}


def picture(*labels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return copy(evidences={"video": {"evidence": {"uid": 7}, "labels": list(labels)}}, **more)


# --- Results of the bundled moderation -----------------------------------------------------------------------------


def test_the_vendor_s_own_audio_event_is_read() -> None:
    out = read(fixture("audio_event.json"))
    (verdict,) = out.verdicts
    assert (verdict.decision, verdict.category, verdict.severity) == (
        Decision.BLOCK,
        Category.AD,
        Severity.MEDIUM,
    )
    assert verdict.mapping.rules == ("decision", "category", "light")
    assert (verdict.room, verdict.user, verdict.task_id) == ("bq032604", "1111", TASK)
    assert (verdict.media, verdict.judge, verdict.confidence) == (Media.AUDIO, Judge.MACHINE, None)
    assert (verdict.text, verdict.keywords) == ("控告广告", ("广告",))
    assert verdict.labels == (Label("200", Category.AD, None, 2), Label("200009", Category.AD))
    assert (verdict.span, verdict.occurred_at) == (SPAN, ENDED)
    assert (out.signals, out.faults) == ([], [])


def test_a_picture_is_judged_by_the_highest_level_of_its_labels() -> None:
    (verdict,) = read(fixture("built_picture_event.json")).verdicts
    assert (verdict.decision, verdict.category, verdict.severity) == (
        Decision.BLOCK,
        Category.PORN,
        Severity.MEDIUM,
    )
    assert verdict.mapping.rules == ("decision", "category", "low-confidence")
    assert (verdict.media, verdict.user, verdict.room) == (Media.IMAGE, "1111", "bq032604")
    assert (verdict.confidence, verdict.keywords) == (0.52, ("裸露",))
    assert verdict.evidence == (Evidence("https://shots.example.com/1.jpg", "image"),)
    assert verdict.labels == (
        Label("110", Category.SUGGESTIVE, None, 1, 0.93),
        Label("100", Category.PORN, None, 2, 0.52),
        Label("100003", Category.PORN, None, None, 0.52),
    )
    assert verdict.span == SPAN


def test_a_reviewer_s_decision_and_the_end_of_the_check_come_in_one_event() -> None:
    out = read(fixture("built_review_event.json"))
    (verdict,) = out.verdicts
    assert (verdict.decision, verdict.category, verdict.severity) == (
        Decision.BLOCK,
        Category.TERRORISM,
        Severity.CRITICAL,
    )
    assert verdict.mapping.rules == ("decision", "category", "human")
    assert (verdict.judge, verdict.user, verdict.room) == (Judge.VENDOR_HUMAN, None, "bq032604")
    assert verdict.labels == (Label("312", Category.TERRORISM, "暴力血腥"),)
    assert (verdict.media, verdict.evidence) == (
        Media.IMAGE,
        (Evidence("https://shots.example.com/2.jpg", "image"),),
    )
    assert verdict.occurred_at == "2021-03-26T13:13:20.250Z"
    (ended,) = out.signals
    assert (ended.kind, ended.room, ended.task_id) == (SignalKind.TASK_ENDED, "bq032604", TASK)


def test_sound_and_picture_of_one_event_give_a_verdict_each() -> None:
    body = copy(
        evidences={
            "audio": {"action": 1, "uid": 1, "labels": [{"label": 600}]},
            "video": {"evidence": {"uid": 2}, "labels": [{"label": 300, "level": "2"}]},
        },
        reviewEvidences={"action": 4, "label": 824},
        censorSource=1,
    )
    out = read_json(body)
    assert [(verdict.user, verdict.media, verdict.category) for verdict in out.verdicts] == [
        ("1", Media.AUDIO, Category.ABUSE),
        ("2", Media.IMAGE, Category.TERRORISM),
        (None, Media.AUDIO, Category.MINOR),
    ]
    assert [verdict.judge for verdict in out.verdicts] == [
        Judge.MACHINE,
        Judge.MACHINE,
        Judge.CUSTOMER_HUMAN,
    ]
    assert [verdict.severity for verdict in out.verdicts] == [
        Severity.MEDIUM,
        Severity.CRITICAL,
        Severity.LOW,
    ]


@pytest.mark.parametrize("event", [400, "400", 400.0, 401, " 401 "])
def test_the_event_s_code_may_be_a_number_or_text(event: Any) -> None:
    (verdict,) = read_json(copy(event, evidences={"audio": {"action": 0}})).verdicts
    assert verdict.decision is Decision.PASS


@pytest.mark.parametrize(
    ("level", "decision"), [(0, Decision.PASS), (1.0, Decision.REVIEW), ("2", Decision.BLOCK)]
)
def test_the_levels_of_pictures(level: Any, decision: Decision) -> None:
    (verdict,) = read_json(picture({"label": 600, "level": level}, {"label": 600, "level": 0})).verdicts
    assert verdict.decision is decision


def test_a_person_s_picture_result_is_not_doubted_for_a_low_rate() -> None:
    body = picture({"label": 100, "level": 2, "rate": 0.2}, censorSource=0)
    (verdict,) = read_json(body).verdicts
    assert (verdict.judge, verdict.severity) == (Judge.VENDOR_HUMAN, Severity.HIGH)


@pytest.mark.parametrize("labels", [[], [{"label": 100}], [{"label": 100, "level": 3}]])
def test_a_picture_without_a_known_level_reaches_a_person(labels: list[dict[str, Any]]) -> None:
    out = read_json(picture(*labels))
    assert is_fail_safe(out)
    (verdict,) = out.verdicts
    assert (verdict.media, verdict.user, verdict.room) == (Media.IMAGE, "7", "room-1")
    assert len(out.faults) == 1


def test_sound_without_a_known_action_reaches_a_person() -> None:
    out = read_json(copy(evidences={"audio": {"uid": 1, "action": 9}}))
    assert is_fail_safe(out)
    assert (out.verdicts[0].room, out.verdicts[0].user) == ("room-1", "1")


def test_an_unknown_reason_of_a_review_says_so() -> None:
    (verdict,) = read_json(copy(reviewEvidences={"action": 3, "label": 4242})).verdicts
    assert (verdict.category, verdict.unmapped) == (Category.OTHER, True)
    assert verdict.labels == (Label("4242", Category.OTHER),)


@pytest.mark.parametrize(
    ("shots", "urls"),
    [(None, []), ([], []), (["u1", {"url": "u2"}, {"snapshot": ""}, 7], ["u1", "u2"])],
)
def test_a_reviewer_s_pictures_are_kept(shots: Any, urls: list[str]) -> None:
    (verdict,) = read_json(copy(reviewEvidences={"action": 2, "evidence": shots})).verdicts
    assert [evidence.url for evidence in verdict.evidence] == urls


def test_sound_that_could_not_be_had_is_a_signal() -> None:
    out = read_json(copy(evidences={"audio": {"asrStatus": 4, "asrResult": 4}}))
    assert [(signal.kind, signal.code) for signal in out.signals] == [(SignalKind.STREAM_UNREACHABLE, "4")]
    assert out.verdicts == []
    (failed,) = read_json(copy(evidences={"audio": {"asrStatus": 4, "asrResult": 1}})).signals
    assert failed.kind is SignalKind.TASK_FAILED


@pytest.mark.parametrize("event", [400, 401])
def test_the_end_of_a_check_is_a_signal(event: int) -> None:
    out = read_json(copy(event, status="102"))
    (signal,) = out.signals
    assert (signal.kind, signal.code, signal.room, signal.task_id) == (
        SignalKind.TASK_ENDED,
        "102",
        "room-1",
        TASK,
    )
    assert out.verdicts == []


def test_a_reviewer_s_note_that_the_machine_is_done_is_a_signal() -> None:
    (signal,) = read_json(copy(reviewEvidences={"action": 10})).signals
    assert (signal.kind, signal.code) == (SignalKind.TASK_ENDED, "10")


# --- Rooms and members ---------------------------------------------------------------------------------------------


def test_the_start_of_a_room() -> None:
    out = read(fixture("built_room_started.json"))
    (signal,) = out.signals
    assert (signal.kind, signal.room, signal.user) == (SignalKind.ROOM_CREATED, "bq032604", None)
    assert signal.occurred_at == "2021-03-26T13:11:40.123Z"
    assert (out.verdicts, out.faults) == ([], [])


def test_a_member_who_leaves() -> None:
    (signal,) = read(fixture("built_member_left.json")).signals
    assert (signal.kind, signal.room, signal.user) == (SignalKind.USER_LEFT, "bq032604", "1111")
    assert signal.occurred_at == "2021-03-26T13:21:40.000Z"  # the fixture's timestamp is in seconds


@pytest.mark.parametrize(
    ("event", "kind"),
    [(1, "room_created"), ("2", "room_closed"), (4.0, "user_joined"), (5, "user_left")],
)
def test_events_of_rooms_and_members(event: Any, kind: str) -> None:
    (signal,) = read_json({"eventType": event, "data": {"channelId": 43677571680222, "accid": "a-7"}}).signals
    assert (signal.kind, signal.room, signal.user) == (kind, "43677571680222", "a-7")
    assert signal.occurred_at == RECEIVED


@pytest.mark.parametrize("event", [1, 2, 4, 5])
@pytest.mark.parametrize("rest", [{}, {"data": None}, {"data": "x"}, {"data": []}])
def test_an_unreadable_event_of_a_room_is_a_dead_letter_only(event: int, rest: dict[str, Any]) -> None:
    out = read_json({"eventType": event, **rest})
    assert (out.verdicts, out.signals) == ([], [])
    assert out.faults == [f"data of event {event} is not an object"]


# --- What is none of our business, and what cannot be read ---------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        fixture("built_im_voice_message.json"),
        fixture("checksum_vector.json"),
        b'{"eventType":3,"data":5}',
        b'{"eventType":8}',
        b'{"eventType":"CREATE_ROOM","data":{}}',
        b'{"eventType":400,"data":{"status":101}}',
        b'{"eventType":400,"data":{"evidences":{"audio":{},"video":null}}}',
    ],
)
def test_other_events_are_ignored(body: bytes) -> None:
    out = read(body)
    assert (out.verdicts, out.signals, out.faults) == ([], [], [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"eventType=1",
        b"{",
        b"[]",
        b'[{"eventType":1}]',
        b"{}",
        b'{"eventType":null}',
        b'{"eventType":true}',
        b'{"eventType":{}}',
        b'{"eventType":400}',
        b'{"eventType":400,"data":"x"}',
        b'{"eventType":400,"data":{"evidences":[]}}',
        b'{"eventType":400,"data":{"evidences":{"audio":[]}}}',
        b'{"eventType":400,"data":{"evidences":{"audio":{"action":2,"segments":{}}}}}',
        b'{"eventType":400,"data":{"evidences":{"audio":{"action":2},"video":{"labels":5}}}}',
        b'{"eventType":400,"data":{"evidences":{"video":{"evidence":5,"labels":[]}}}}',
        b'{"eventType":400,"data":{"reviewEvidences":[]}}',
        b'{"eventType":400,"data":{"reviewEvidences":{"action":2,"evidence":{}}}}',
        b"\xff",
    ],
)
def test_what_cannot_be_read_reaches_a_person_and_the_dead_letters(body: bytes) -> None:
    out = read(body)
    assert len(out.verdicts) == 1
    assert is_fail_safe(out)
    assert out.signals == []
    assert len(out.faults) == 1


def test_an_unreadable_result_still_tells_of_its_room() -> None:
    (verdict,) = read_json(copy(evidences={"audio": 5})).verdicts
    assert (verdict.room, verdict.task_id) == ("room-1", TASK)


# --- Anything ------------------------------------------------------------------------------------------------------

SAMPLES = [json.loads(path.read_bytes()) for path in sorted(FIXTURES.glob("*.json"))]
RESULTS = [sample for sample in SAMPLES if (sample.get("eventType") or sample.get("type")) in (400, "401")]


@given(st.data())
def test_a_result_with_anything_at_any_place_is_read_or_reaches_a_person(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(RESULTS))
    inside = [place for place in places(sample) if place[:1] == ("data",)]
    check(read_json(replaced(sample, data.draw(st.sampled_from(inside)), data.draw(JUNK))))


@given(st.data())
def test_an_event_with_anything_at_any_place_stops_nothing(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(SAMPLES))
    out = read_json(replaced(sample, data.draw(st.sampled_from(places(sample))), data.draw(JUNK)))
    assert len([verdict for verdict in out.verdicts if verdict.degraded]) <= len(out.faults)


@given(st.binary(max_size=200))
def test_any_bytes_stop_nothing(body: bytes) -> None:
    check(read(body))
