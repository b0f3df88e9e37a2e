import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.records import Category, Decision, Media, Severity, SignalKind, Span, Verdict
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.hostile import mutated, noise, read_hostile
from tests.normalize.support import RECEIVED, read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agora_voice"
FORM = "application/x-www-form-urlencoded"
CONTENT = (FIXTURES / "content.json").read_bytes()
LIVE = (FIXTURES / "built_live_stream.json").read_bytes()
QUERY = (FIXTURES / "query_answer.json").read_bytes()


def read(body: bytes, content_type: str = FORM, **context: Any) -> Reading:
    return read_body(Source.AGORA_VOICE, body, content_type, **context)


def read_content(content: object, **context: Any) -> Reading:
    return read(urlencode({"checksum": "0", "content": json.dumps(content)}).encode(), **context)


def read_result(**result: object) -> Reading:
    return read_content({"code": 200, "taskId": "vc_s_x", "results": [result]})


def judged(verdict: Verdict) -> tuple[str, str, str, tuple[str, ...]]:
    return verdict.decision, verdict.category, verdict.severity, verdict.mapping.rules


def test_the_callback_becomes_a_verdict_about_the_channel() -> None:
    reading = read((FIXTURES / "callback.form").read_bytes())
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("block", "abuse", "high", ("decision", "category"))
    assert (verdict.room, verdict.task_id, verdict.media) == ("httpClient463224", "vc_s_x", Media.AUDIO)
    assert verdict.user is None  # the uid in dataId is the listening bot's
    assert verdict.text == "xx"
    assert verdict.span == Span(1.0, 5.0, "stream")
    assert verdict.confidence == 0.9991
    assert [(label.code, label.category, label.confidence) for label in verdict.labels] == [
        ("abuse", Category.ABUSE, 0.9991)
    ]
    assert verdict.occurred_at == RECEIVED
    assert not reading.signals
    assert not reading.faults


@pytest.mark.parametrize("content_type", [FORM, "application/json", "text/plain", ""])
def test_the_bare_content_reads_as_the_form_does_whatever_the_content_type(content_type: str) -> None:
    form = read((FIXTURES / "callback.form").read_bytes(), content_type)
    assert read(CONTENT, content_type).verdicts == form.verdicts
    assert read(b"\xef\xbb\xbf" + CONTENT, content_type).verdicts == form.verdicts


def test_a_live_stream_names_the_moment_and_only_the_offending_sentence() -> None:
    (verdict,) = read(LIVE).verdicts  # code 280: still running, yet with results
    assert judged(verdict) == ("block", "ad", "medium", ("decision", "category", "light"))
    assert verdict.confidence == 0.9991
    assert verdict.text == "元大奖详询3398787"
    assert verdict.span == Span(1571989530.0, 1571989533.0, "epoch")
    assert verdict.occurred_at == "2019-10-25T07:45:33.000Z"
    assert verdict.room == "httpClient463224"  # dataId calls it channel here
    assert [label.code for label in verdict.labels] == ["ad"]


def test_offending_sentences_are_joined_and_their_labels_kept() -> None:
    (verdict,) = read_result(
        suggestion="review",
        label="abuse",
        rate="87.5",
        details=[
            {"startTime": "3", "endTime": 6.0, "text": "one", "label": "Abuse", "keyword": "k1"},
            {"startTime": 7, "endTime": 8, "text": "two", "label": "normal"},
            {"startTime": 9, "endTime": 12, "text": "three", "label": "brandnew", "keyword": "k1"},
        ],
    ).verdicts
    assert verdict.text == "one three"
    assert verdict.span == Span(3.0, 12.0, "stream")
    assert verdict.keywords == ("k1",)
    assert [(label.code, label.category) for label in verdict.labels] == [
        ("abuse", Category.ABUSE),
        ("brandnew", Category.OTHER),
    ]
    assert not verdict.unmapped  # only the result's own label is judged


def test_all_sentences_are_the_text_when_none_offends() -> None:
    sentence = {"startTime": 1, "endTime": 2, "text": "hi", "label": "normal"}
    (verdict,) = read_result(
        suggestion="PASS ", label="normal", rate=100, details=[sentence, {**sentence, "endTime": 4}]
    ).verdicts
    assert judged(verdict) == ("pass", "none", "none", ("decision",))
    assert verdict.text == "hi hi"
    assert verdict.span == Span(1.0, 4.0, "stream")
    assert verdict.confidence == 1.0
    assert [(label.code, label.category) for label in verdict.labels] == [("normal", Category.NONE)]


@pytest.mark.parametrize(
    ("label", "category", "severity", "rule"),
    [
        ("spam", "spam", "medium", "light"),
        ("politics", "politics", "critical", "grave"),
        ("terrorism", "terrorism", "critical", "grave"),
        ("porn", "porn", "high", None),
        ("flood", "spam", "medium", "light"),
        ("contraband", "contraband", "high", None),
        ("meaningless", "quality", "medium", "light"),
        ("customized", "custom", "high", None),
    ],
)
def test_every_label_of_aliyun_has_its_category(
    label: str, category: str, severity: str, rule: str | None
) -> None:
    (verdict,) = read_result(suggestion="block", label=label, rate=10).verdicts
    rules = ("decision", "category", rule) if rule else ("decision", "category")
    assert judged(verdict) == ("block", category, severity, rules)  # a low rate takes nothing off here


def test_an_unknown_label_keeps_its_text_and_the_severity_of_the_decision() -> None:
    (verdict,) = read_result(suggestion="block", label="MoanX", rate=70).verdicts
    assert judged(verdict) == ("block", "other", "high", ("decision", "unmapped"))
    assert verdict.unmapped
    assert verdict.labels[0].code == "MoanX"
    assert verdict.confidence == 0.7


@pytest.mark.parametrize("label", ["normal", None, "", 1.5])
def test_a_block_without_an_offending_label_is_a_contradiction(label: object) -> None:
    (verdict,) = read_result(suggestion="block", label=label).verdicts
    assert judged(verdict) == ("block", "other", "high", ("decision", "contradiction"))
    assert not verdict.unmapped
    assert (verdict.text, verdict.span, verdict.confidence) == (None, None, None)


def test_the_rate_is_also_found_as_score_and_left_out_when_it_is_none() -> None:
    assert read_result(suggestion="block", label="ad", score=42).verdicts[0].confidence == 0.42
    assert read_result(suggestion="block", label="ad", rate=100.1).verdicts[0].confidence is None


@pytest.mark.parametrize("suggestion", ["deny", None, 7])
def test_an_undocumented_suggestion_goes_to_a_person_with_all_that_was_heard(suggestion: object) -> None:
    reading = read_result(
        suggestion=suggestion, label="ad", rate=50, details=[{"text": "buy", "label": "ad"}]
    )
    (verdict,) = reading.verdicts
    assert judged(verdict) == (Decision.REVIEW, Category.OTHER, Severity.MEDIUM, ("fail-safe",))
    assert verdict.degraded
    assert (verdict.text, verdict.labels[0].code, verdict.task_id) == ("buy", "ad", "vc_s_x")
    assert reading.faults == ["suggestion of a result is none of pass, review, block"]


def test_each_result_gives_a_verdict_and_a_broken_one_its_own_fail_safe() -> None:
    good = {"suggestion": "block", "label": "porn"}
    reading = read_content(
        {"code": 200, "taskId": "t", "results": [good, 5, {**good, "details": {}}, {**good, "label": "ad"}]}
    )
    assert [verdict.category for verdict in reading.verdicts] == ["porn", "other", "other", "ad"]
    assert [verdict.degraded for verdict in reading.verdicts] == [False, True, True, False]
    assert reading.faults == [
        "an element of results is a number, not an object",
        "details is an object, not a list",
    ]
    assert {verdict.task_id for verdict in reading.verdicts} == {"t"}


@pytest.mark.parametrize("code", [200, 280, "200", 299.0])
@pytest.mark.parametrize("results", [{}, {"results": []}, {"results": None}])
def test_success_without_results_is_ignored(code: object, results: dict[str, object]) -> None:
    reading = read_content({"code": code, **results})
    assert (reading.verdicts, reading.signals, reading.faults) == ([], [], [])


def test_a_stream_that_could_not_be_pulled_is_unreachable() -> None:
    reading = read((FIXTURES / "built_download_failed.json").read_bytes())
    (signal,) = reading.signals
    assert signal.kind is SignalKind.STREAM_UNREACHABLE
    assert (signal.code, signal.message) == ("480", "DOWNLOAD_FAILED")
    assert (signal.room, signal.task_id, signal.user) == ("httpClient463224", "vc_s_x", None)
    assert not reading.verdicts
    assert not reading.faults


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (592, SignalKind.STREAM_UNREACHABLE),
        ("592", SignalKind.STREAM_UNREACHABLE),
        (596, SignalKind.TASK_FAILED),
        (199, SignalKind.TASK_FAILED),
        (300, SignalKind.TASK_FAILED),
        (2, SignalKind.TASK_FAILED),
    ],
)
def test_any_other_code_is_a_task_that_failed(code: object, kind: SignalKind) -> None:
    (signal,) = read_content({"code": code, "msg": "m"}).signals
    assert (signal.kind, signal.code, signal.message) == (kind, str(code), "m")


def test_results_beside_a_failure_still_give_their_verdicts() -> None:
    reading = read_content({"code": 581, "results": [{"suggestion": "block", "label": "ad"}]})
    assert [signal.kind for signal in reading.signals] == [SignalKind.TASK_FAILED]
    assert [verdict.category for verdict in reading.verdicts] == [Category.AD]


@pytest.mark.parametrize(
    ("data_id", "room"),
    [
        ({"channel": 42}, "42"),  # an object instead of JSON text, a number instead of text
        ('{"channelName":"a","channel":"b"}', "a"),
        ('{"channelName":null,"channel":"b"}', "b"),
        ('{"channelName":', "the-token's"),
        ("[1]", "the-token's"),
        (None, "the-token's"),
    ],
)
def test_the_room_is_the_channel_in_data_id_or_else_the_tokens(data_id: object, room: str) -> None:
    content = {"code": 200, "dataId": data_id, "results": [{"suggestion": "pass", "label": "normal"}]}
    (verdict,) = read_content(content, room="the-token's", user="9").verdicts
    assert (verdict.room, verdict.user) == (room, None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "neither JSON nor a form with the field content"),
        (b"checksum=1", "neither JSON nor a form with the field content"),
        (b"\xff\xfe", "not a UTF-8 form"),
        (b"content=%FF", "not a UTF-8 form"),
        (b"content=", "not JSON"),
        (b"content=%5B%5D", "content is a list, not an object"),
        (b"[]", "content is a list, not an object"),
        (b"{}", "code is missing or not a number"),
        (b'{"code":"OK"}', "code is missing or not a number"),
        (b'{"code":200,"results":{}}', "results is an object, not a list"),
        (b'{"code":200,"code":NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_cannot_be_read_goes_to_a_person_and_to_the_dead_letters(body: bytes, reason: str) -> None:
    reading = read(body, task_id="t", room="r")
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("review", "other", "medium", ("fail-safe",))
    assert (verdict.media, verdict.task_id, verdict.room) == (Media.AUDIO, "t", "r")
    assert len(reading.faults) == 1
    assert reason in reading.faults[0]


def test_an_answer_to_a_query_says_nothing_while_all_is_well() -> None:
    reading = read(QUERY, "application/json")
    assert (reading.verdicts, reading.signals, reading.faults) == ([], [], [])


@pytest.mark.parametrize(
    ("response", "code", "message"),
    [
        ({"status": "20"}, "20", None),
        (
            {"subServiceStatus": {"recording_Service": "serviceAbnormal"}},
            "serviceAbnormal",
            "recording_Service",
        ),
        (
            {"extensionServiceState": [{"serviceName": "s", "streamState": [{}, {"status": "failed"}]}]},
            "failed",
            "s",
        ),
    ],
)
def test_an_answer_to_a_query_tells_of_a_task_that_broke(
    response: dict[str, object], code: str, message: str | None
) -> None:
    body = {"resourceId": "x", "sid": "38f8", "serverResponse": response}
    (signal,) = read(json.dumps(body).encode(), "application/json", room="r").signals
    assert (signal.kind, signal.task_id, signal.room) == (SignalKind.TASK_FAILED, "38f8", "r")
    assert (signal.code, signal.message) == (code, message)


def test_ten_thousand_results_are_read_one_by_one() -> None:
    result = {"suggestion": "block", "label": "ad", "details": [{"text": "x", "label": "ad"}] * 5}
    reading = read_content({"code": 200, "results": [result] * 10_000})
    assert len(reading.verdicts) == 10_000


@given(mutated(CONTENT, LIVE, QUERY), st.booleans())
def test_a_mutated_callback_is_a_verdict_a_signal_a_dead_letter_or_ignored(body: bytes, form: bool) -> None:
    reading = read_hostile(Source.AGORA_VOICE, urlencode({"content": body}).encode() if form else body)
    assert bool(reading.faults) == any(verdict.degraded for verdict in reading.verdicts)


@given(noise(CONTENT, (FIXTURES / "callback.form").read_bytes()))
def test_noise_never_raises(body: bytes) -> None:
    read_hostile(Source.AGORA_VOICE, body)
