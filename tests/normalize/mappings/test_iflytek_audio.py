import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from moderato.records import Category, Evidence, Label, Media, SignalKind, Span, Verdict
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.hostile import mutated, noise, read_hostile
from tests.normalize.support import RECEIVED, read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "iflytek_audio"
SAMPLE = (FIXTURES / "query_answer.json").read_bytes()
TWO_FILES = (FIXTURES / "built_two_files.json").read_bytes()
REQUEST = "T20230321155903016bba833f177a000"


def read(body: bytes | dict[str, Any], **context: Any) -> Reading:
    return read_body(
        Source.IFLYTEK_AUDIO, body if isinstance(body, bytes) else json.dumps(body).encode(), **context
    )


def read_done(*files: object) -> Reading:
    return read({"request_id": "T1", "audit_status": 2, "result_list": files})


def a_file(suggest: object = "block", *segments: object) -> dict[str, Any]:
    return {"name": "a.mp3", "suggest": suggest, "detail": {"audios": segments}}


def a_segment(suggest: object = "block", **categories: object) -> dict[str, Any]:
    """A segment with categories, each with its own suggest."""
    listed = [{"category": name, "suggest": word} for name, word in categories.items()]
    return {"suggest": suggest, "offsetTime": "0", "duration": 10, "category_list": listed}


def judged(verdict: Verdict) -> tuple[str, str, str, tuple[str, ...]]:
    return verdict.decision, verdict.category, verdict.severity, verdict.mapping.rules


def is_ignored(reading: Reading) -> bool:
    return not (reading.verdicts or reading.signals or reading.faults)


def test_the_vendors_sample_is_two_segments_and_their_file() -> None:
    reading = read(SAMPLE, room="r", user="u")
    first, second, whole = reading.verdicts
    for verdict in reading.verdicts:
        assert judged(verdict) == ("block", "abuse", "high", ("decision", "category"))
        assert (verdict.task_id, verdict.file) == (REQUEST, "xxx%2F1.mp3")
        assert (verdict.room, verdict.user) == ("r", "u")  # from the session's token
        assert verdict.labels == (Label("uncivilizedLanguage", Category.ABUSE, "辱骂_人身攻击_重度人身攻击"),)
        assert (verdict.media, verdict.confidence, verdict.occurred_at) == (Media.AUDIO, None, RECEIVED)
    assert [verdict.segment_id for verdict in reading.verdicts] == ["xxx%2F1.mp3#0", "xxx%2F1.mp3#10", None]
    assert first.span == Span(0.0, 10.0, "stream")
    assert second.span == Span(10.0, 20.0, "stream")
    assert (first.text, first.evidence) == ("xxx", (Evidence("http://xxx", "audio"),))
    assert [verdict.final for verdict in reading.verdicts] == [False, False, True]
    assert (whole.span, whole.text) == (None, None)
    assert not reading.signals
    assert not reading.faults


def test_the_bare_data_and_the_envelope_without_a_code_read_alike() -> None:
    answer = json.loads(SAMPLE)
    expected = read(SAMPLE).verdicts
    assert read(answer["data"]).verdicts == expected
    assert read({"data": answer["data"]}).verdicts == expected
    assert read({**answer, "data": None, **answer["data"]}).verdicts == expected
    assert read({**answer, "code": 0}).verdicts == expected


def test_files_follow_one_another_and_passed_categories_accuse_nobody() -> None:
    reading = read(TWO_FILES)
    assert [(verdict.segment_id or verdict.file, *judged(verdict)[:3]) for verdict in reading.verdicts] == [
        ("a.mp3#0", "pass", "none", "none"),
        ("a.mp3#10", "block", "politics", "critical"),
        ("a.mp3", "block", "politics", "critical"),
        ("b.mp3", "pass", "none", "none"),
    ]
    passed, blocked, whole, clean = reading.verdicts
    assert blocked.mapping.rules == ("decision", "category", "grave")
    assert blocked.keywords == ("微信", "国旗")  # a list in one category, text in the other
    assert [label.code for label in passed.labels] == ["contraband"]
    assert [label.code for label in whole.labels] == ["contraband", "advertisement", "political"]
    assert [verdict.final for verdict in (passed, blocked, whole, clean)] == [False, False, True, True]


def test_a_category_that_passed_does_not_count_in_its_segment_or_file() -> None:
    reading = read_done(a_file("block", a_segment("block", political="pass", advertisement="block")))
    assert [verdict.category for verdict in reading.verdicts] == [Category.AD, Category.AD]


def test_categories_of_segments_that_passed_do_not_count_in_their_file() -> None:
    reading = read_done(
        a_file("review", a_segment("pass", political="block"), a_segment("review", contraband="review"))
    )
    assert [judged(verdict)[:3] for verdict in reading.verdicts] == [
        ("pass", "none", "none"),
        ("review", "contraband", "medium"),
        ("review", "contraband", "medium"),
    ]


def test_a_file_is_judged_under_its_own_suggest() -> None:
    reading = read_done(a_file("review", a_segment("block", advertisement="block")))
    assert [judged(verdict)[:3] for verdict in reading.verdicts] == [
        ("block", "ad", "medium"),
        ("review", "ad", "low"),
    ]


@pytest.mark.parametrize(
    ("category", "expected", "severity"),
    [
        ("pornDetection", "porn", "high"),
        ("violentTerrorism", "terrorism", "critical"),
        ("political", "politics", "critical"),
        ("lowQualityIrrigation", "spam", "medium"),
        ("contraband", "contraband", "high"),
        ("ADVERTISEMENT", "ad", "medium"),
        ("uncivilizedLanguage", "abuse", "high"),
    ],
)
def test_every_category_of_the_vendor_has_ours(category: str, expected: str, severity: str) -> None:
    for verdict in read_done(a_file("block", a_segment("Block", **{category: "block"}))).verdicts:
        assert (verdict.category, verdict.severity) == (expected, severity)
        assert verdict.labels[0].code == category


def test_an_unknown_category_keeps_its_name_and_a_known_one_wins() -> None:
    alone = read_done(a_file("block", a_segment("block", gambling="block"))).verdicts[0]
    assert judged(alone) == ("block", "other", "high", ("decision", "unmapped"))
    assert alone.unmapped
    assert (alone.labels[0].code, alone.labels[0].category) == ("gambling", Category.OTHER)
    beside = read_done(a_file("block", a_segment("block", gambling="block", advertisement="block")))
    assert judged(beside.verdicts[0]) == ("block", "ad", "medium", ("decision", "category", "light"))
    assert beside.verdicts[0].unmapped


@pytest.mark.parametrize("categories", [None, [], [{"suggest": "block"}], [{"category": {}}]])
def test_a_block_without_a_category_is_a_contradiction(categories: object) -> None:
    segment = {"suggest": "block", "category_list": categories}
    for verdict in read_done(a_file("block", segment)).verdicts:
        assert judged(verdict) == ("block", "other", "high", ("decision", "contradiction"))


@pytest.mark.parametrize(
    ("offset", "duration", "segment_id", "span"),
    [
        (10, "5", "a.mp3#10", Span(10.0, 15.0, "stream")),
        (10.0, 5.5, "a.mp3#10", Span(10.0, 15.5, "stream")),
        ("10.5", 5, "a.mp3#10.5", Span(10.5, 15.5, "stream")),
        (10, None, "a.mp3#10", None),
        (None, 5, None, None),
        ([], 5, None, None),
        (1.7e308, 1.7e308, None, None),
    ],
)
def test_numbers_may_be_text_and_missing_ones_are_null(
    offset: object, duration: object, segment_id: str | None, span: Span | None
) -> None:
    segment = a_segment("pass") | {"offsetTime": offset, "duration": duration}
    verdict = read_done(a_file("pass", segment)).verdicts[0]
    assert (verdict.segment_id, verdict.span) == (segment_id, span)


def test_a_file_without_a_name_has_no_segment_ids() -> None:
    reading = read_done(a_file("pass", a_segment("pass")) | {"name": None})
    assert [(verdict.segment_id, verdict.file) for verdict in reading.verdicts] == [(None, None)] * 2


@pytest.mark.parametrize("detail", [None, {}, {"audios": None}])
def test_a_file_without_segments_is_still_judged(detail: object) -> None:
    (verdict,) = read_done({"name": 7, "suggest": "pass", "detail": detail}).verdicts
    assert (verdict.decision, verdict.file, verdict.final) == ("pass", "7", True)


@pytest.mark.parametrize("status", [0, 1, "1", 0.0])
def test_a_request_that_is_not_ready_is_ignored(status: object) -> None:
    assert is_ignored(read({"code": "000000", "data": {"audit_status": status}}))


@pytest.mark.parametrize("listed", [{}, {"result_list": None}, {"result_list": []}])
def test_a_request_without_files_is_ignored(listed: dict[str, object]) -> None:
    assert is_ignored(read({"code": "000000", "data": {"audit_status": 2, **listed}}))


def test_a_refused_call_is_a_task_that_failed_and_a_person_judges_the_request() -> None:
    reading = read((FIXTURES / "refused_without_parameters.json").read_bytes(), task_id="T1", user="u")
    (signal,) = reading.signals
    assert (signal.kind, signal.code, signal.task_id) == (SignalKind.TASK_FAILED, "100001", "T1")
    assert signal.message is not None
    assert signal.message.startswith("验签参数不完整")
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("review", "other", "medium", ("fail-safe",))
    assert (verdict.task_id, verdict.user, verdict.file) == ("T1", "u", None)
    assert reading.faults == []  # readable: the vendor says that it failed


@pytest.mark.parametrize("status", [4, "4"])
def test_a_failed_request_leaves_each_known_file_to_a_person(status: object) -> None:
    answer = json.loads(TWO_FILES)
    answer["data"]["audit_status"] = status
    reading = read(answer)
    (signal,) = reading.signals
    assert (signal.kind, signal.code, signal.message) == (SignalKind.TASK_FAILED, "4", None)
    assert [(verdict.file, verdict.degraded) for verdict in reading.verdicts] == [
        ("a.mp3", True),
        ("b.mp3", True),
    ]
    assert reading.faults == []


@pytest.mark.parametrize("code", ["100002", 100002, "busy"])
def test_a_code_other_than_success_outweighs_the_status(code: object) -> None:
    answer = json.loads(SAMPLE) | {"code": code}
    reading = read(answer)
    assert [signal.code for signal in reading.signals] == [str(code)]
    assert [judged(verdict)[3] for verdict in reading.verdicts] == [("fail-safe",)]
    assert reading.verdicts[0].file == "xxx%2F1.mp3"


@pytest.mark.parametrize("status", [3, None, "x", 5])
def test_an_undocumented_status_goes_to_a_person_and_to_the_dead_letters(status: object) -> None:
    answer = json.loads(SAMPLE)
    answer["data"]["audit_status"] = status
    reading = read(answer)
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("review", "other", "medium", ("fail-safe",))
    assert (verdict.task_id, verdict.file) == (REQUEST, "xxx%2F1.mp3")
    assert reading.signals == []
    assert reading.faults == ["audit_status is none of 0, 1, 2, 4"]


def test_the_answer_to_a_submission_has_no_status() -> None:
    (verdict,) = read((FIXTURES / "submit_answer.json").read_bytes()).verdicts
    assert (verdict.degraded, verdict.task_id) == (True, "T2025051910000301ab46e195580d000")


@pytest.mark.parametrize("suggest", ["deny", None, 1])
def test_an_undocumented_suggest_goes_to_a_person_with_what_was_heard(suggest: object) -> None:
    segment = a_segment(suggest, political="block") | {"content": "heard"}
    reading = read_done(a_file("block", segment))
    doubtful, whole = reading.verdicts
    assert judged(doubtful) == ("review", "other", "medium", ("fail-safe",))
    assert (doubtful.text, doubtful.labels[0].category) == ("heard", Category.POLITICS)
    assert judged(whole) == ("block", "politics", "critical", ("decision", "category", "grave"))
    assert reading.faults == ["suggest is none of pass, review, block"]


def test_a_broken_file_gives_its_own_fail_safe_and_the_others_are_judged() -> None:
    good = a_file("block", a_segment("block", political="block"))
    half = a_file("block", a_segment("block", political="block"), "no segment") | {"name": "half.mp3"}
    reading = read_done(good, half, "no file", {"name": "d.mp3", "detail": []}, good)
    assert [(verdict.file, verdict.final, verdict.degraded) for verdict in reading.verdicts] == [
        ("a.mp3", False, False),
        ("a.mp3", True, False),
        ("half.mp3", True, True),
        (None, True, True),
        ("d.mp3", True, True),
        ("a.mp3", False, False),
        ("a.mp3", True, False),
    ]
    assert reading.faults == [
        "an element of audios is a string, not an object",
        "an element of result_list is a string, not an object",
        "detail is a list, not an object",
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "the answer is a list, not an object"),
        (b"{}", "neither audit_status nor code"),
        (b'{"data":{"request_id":"T"}}', "neither audit_status nor code"),
        (b'{"code":"000000","data":[]}', "data is a list, not an object"),
        (b'{"audit_status":2,"result_list":{}}', "result_list is an object, not a list"),
    ],
)
def test_what_cannot_be_read_goes_to_a_person_and_to_the_dead_letters(body: bytes, reason: str) -> None:
    reading = read(body, task_id="t", room="r")
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("review", "other", "medium", ("fail-safe",))
    assert (verdict.media, verdict.task_id, verdict.room) == (Media.AUDIO, "t", "r")
    assert len(reading.faults) == 1
    assert reason in reading.faults[0]


def test_an_hour_of_ten_files_is_read_segment_by_segment() -> None:
    segments = [a_segment("block", advertisement="block", political="block")] * 1000
    reading = read_done(*[a_file("block", *segments)] * 10)
    assert len(reading.verdicts) == 10 * 1001


@given(mutated(SAMPLE, TWO_FILES))
def test_a_mutated_answer_is_verdicts_a_signal_a_dead_letter_or_ignored(body: bytes) -> None:
    reading = read_hostile(Source.IFLYTEK_AUDIO, body)
    if reading.faults or reading.signals:
        assert any(verdict.degraded for verdict in reading.verdicts)


@given(noise(SAMPLE, (FIXTURES / "submit_answer.json").read_bytes()))
def test_noise_never_raises(body: bytes) -> None:
    read_hostile(Source.IFLYTEK_AUDIO, body)
