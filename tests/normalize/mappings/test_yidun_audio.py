"""Yidun's live audio check: every layout on its documents, and bodies that no document describes."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.records import Category, Decision, Evidence, Judge, Label, Media, Severity, SignalKind, Span
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.support import RECEIVED, read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "yidun_audio"
TASK = "38e08da8d2574df4bd2eca9b5153df72"
SPAN = Span(1650000000.0, 1650000003.2, "epoch")
ENDED = "2022-04-15T05:20:03.200Z"
FORM = "application/x-www-form-urlencoded"


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def read(body: bytes, **context: Any) -> Reading:
    return read_body(Source.YIDUN_AUDIO, body, **context)


def read_json(value: Any, **context: Any) -> Reading:
    return read(json.dumps(value).encode(), **context)


def v4(suggestion: Any = 2, /, **evidences: Any) -> dict[str, Any]:
    return {"antispam": {"taskId": TASK, "status": 2, "evidences": {"suggestion": suggestion, **evidences}}}


def item(**fields: Any) -> dict[str, Any]:
    return {"antispam": {"taskId": TASK, **fields}}


def is_fail_safe(out: Reading, index: int = 0) -> bool:
    verdict = out.verdicts[index]
    return (
        verdict.degraded
        and verdict.decision is Decision.REVIEW
        and verdict.severity is Severity.MEDIUM
        and verdict.category is Category.OTHER
        and verdict.mapping.rules == ("fail-safe",)
    )


# --- Pushes and polled records -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("v4_push.form", FORM),
        ("v4_push_sha256.form", FORM + ";charset=utf-8"),
        ("v4_push.form", ""),
        ("v4_push.form", "application/json"),
        ("v4_push.json", "application/json"),
        ("v4_push.json", FORM),
        ("built_json_envelope.json", "application/json"),
    ],
)
def test_a_push_and_a_polled_record_of_the_same_result_give_the_same_verdict(
    name: str, content_type: str
) -> None:
    out = read(fixture(name), content_type=content_type)

    (verdict,) = out.verdicts
    assert (verdict.decision, verdict.category, verdict.severity) == (
        Decision.BLOCK,
        Category.ABUSE,
        Severity.HIGH,
    )
    assert verdict.mapping.rules == ("decision", "category")
    assert verdict.confidence == 0.98
    assert (verdict.task_id, verdict.segment_id) == (TASK, "seg-1")
    assert (verdict.room, verdict.user, verdict.account) == ("1001", "20001", None)
    assert (verdict.media, verdict.judge, verdict.final) == (Media.AUDIO, Judge.MACHINE, False)
    assert verdict.labels == (
        Label("600", Category.ABUSE, None, 2, 0.98),
        Label("600018", Category.ABUSE, None, None, 0.98),
    )
    assert (verdict.text, verdict.keywords, verdict.evidence) == ("示例", ("示例",), ())
    assert (verdict.span, verdict.occurred_at) == (SPAN, ENDED)

    (transcript,) = out.signals
    assert transcript.kind is SignalKind.TRANSCRIPT
    assert (transcript.task_id, transcript.room, transcript.user) == (TASK, "1001", "20001")
    assert (transcript.text, transcript.span, transcript.occurred_at) == ("示例", SPAN, ENDED)
    assert out.faults == []


# --- The scale's worked examples -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "decision", "category", "severity", "rules"),
    [
        ("politics_block", "block", "politics", "critical", ("decision", "category", "grave")),
        ("porn_block_unsure", "block", "porn", "medium", ("decision", "category", "low-confidence")),
        ("abuse_suspect_low", "review", "abuse", "low", ("decision", "category", "suspect-low")),
        ("review_cut", "block", "politics", "critical", ("decision", "category", "human")),
    ],
)
def test_the_worked_examples(
    name: str, decision: str, category: str, severity: str, rules: tuple[str, ...]
) -> None:
    (verdict,) = read(fixture(f"built_{name}.json")).verdicts
    assert (verdict.decision, verdict.category, verdict.severity) == (decision, category, severity)
    assert verdict.mapping.rules == rules
    assert verdict.unmapped is False


def test_a_pass_keeps_its_text_and_means_the_whole_room_when_no_speaker_is_named() -> None:
    (verdict,) = read(fixture("built_v4_pass.json")).verdicts
    assert (verdict.decision, verdict.severity) == (Decision.PASS, Severity.NONE)
    assert verdict.user is None
    assert verdict.room == "1001"
    assert verdict.text == "大家好"
    assert verdict.labels == (Label("0", Category.NONE),)
    assert verdict.confidence is None
    assert verdict.mapping.rules == ("decision",)


def test_all_blocks_of_one_record_are_read() -> None:
    out = read(fixture("built_v4_all_blocks.json"))
    (verdict,) = out.verdicts
    assert (verdict.decision, verdict.severity) == (Decision.REVIEW, Severity.LOW)
    assert verdict.mapping.rules == ("decision", "category", "light")
    assert verdict.evidence == (Evidence("https://clips.example.com/seg-1.mp3", "audio"),)
    assert [label.code for label in verdict.labels] == ["200", "200009", "20000901"]
    assert {label.category for label in verdict.labels} == {Category.AD}
    assert [signal.kind for signal in out.signals] == [SignalKind.TRANSCRIPT, SignalKind.NO_SPEECH]
    silence = out.signals[1]
    assert (silence.user, silence.room, silence.span) == ("20001", "1001", SPAN)
    assert out.faults == []


# --- Older versions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["built_v3_poll.json", "built_v2_items.json"])
def test_v2_and_v3_items_give_the_machine_s_verdict_and_the_reviewer_s(name: str) -> None:
    out = read(fixture(name))
    machine, person = out.verdicts
    assert (machine.decision, machine.category, machine.severity) == (
        Decision.BLOCK,
        Category.AD,
        Severity.MEDIUM,
    )
    assert (machine.judge, machine.user, machine.segment_id) == (Judge.MACHINE, "20001", "seg-1")
    assert machine.labels == (Label("200", Category.AD, None, 2), Label("200009", Category.AD))
    assert (machine.keywords, machine.confidence) == (("广告",), None)
    assert (person.judge, person.decision, person.category) == (
        Judge.CUSTOMER_HUMAN,
        Decision.BLOCK,
        Category.ABUSE,
    )
    assert (person.severity, person.user) == (Severity.MEDIUM, None)
    assert [verdict.id for verdict in out.verdicts] == ["raw-1#0", "raw-1#1"]
    assert out.faults == []


def test_v3_transcripts_stand_in_an_array() -> None:
    (transcript,) = read(fixture("built_v3_poll.json"), room="from-token").signals
    assert (transcript.kind, transcript.text) == (SignalKind.TRANSCRIPT, "控告广告")
    assert (transcript.task_id, transcript.user, transcript.room) == (TASK, "20001", "from-token")


def test_a_poll_s_whole_answer_is_read_too() -> None:
    (verdict,) = read(fixture("built_v3_poll_answer.json")).verdicts
    assert verdict.category is Category.AD


def test_v1_items_are_read_with_floats_for_integers_and_either_name_of_the_labels() -> None:
    out = read(fixture("built_v1_items.json"))
    first, second = out.verdicts
    assert (first.category, first.severity) == (Category.POLITICS, Severity.CRITICAL)
    assert [(label.code, label.level) for label in first.labels] == [("600", 2), ("500", 1)]
    assert first.keywords == ("傻瓜",)  # the other evidence is the score of a voice print
    assert (first.room, first.user, first.span) == ("1001", None, SPAN)
    assert (second.category, second.severity, second.keywords) == (Category.SPAM, Severity.LOW, ("刷屏",))
    (failed,) = out.signals
    assert (failed.kind, failed.code, failed.task_id) == (SignalKind.TASK_FAILED, "3", TASK)
    assert out.faults == []


# --- Rules ---------------------------------------------------------------------------------------------------------


def test_the_gravest_label_wins_with_its_own_rate() -> None:
    labels = [{"label": 600, "level": 2, "rate": 0.3}, {"label": 500, "level": 1, "rate": 0.9}]
    (verdict,) = read_json(v4(2, label=600, labels=labels)).verdicts
    assert (verdict.category, verdict.severity) == (Category.POLITICS, Severity.CRITICAL)
    assert verdict.confidence == 0.9


def test_the_first_of_two_equal_labels_wins_and_the_primary_one_comes_first() -> None:
    labels = [{"label": 600, "rate": 0.7}, {"label": 100, "rate": 0.5}]
    (verdict,) = read_json(v4(2, label=100, labels=labels)).verdicts
    assert (verdict.category, verdict.confidence) == (Category.PORN, 0.5)
    assert verdict.severity is Severity.MEDIUM


def test_a_label_without_a_rate_of_its_own_has_no_confidence() -> None:
    (verdict,) = read_json(v4(2, label=100, rate=0.1, labels=[])).verdicts
    assert verdict.confidence is None
    assert verdict.severity is Severity.HIGH
    assert verdict.labels == (Label("100", Category.PORN),)


@pytest.mark.parametrize("code", [4242, "brandnew"])
def test_an_unknown_label_keeps_its_code_and_says_so(code: Any) -> None:
    (verdict,) = read_json(v4(2, label=code, labels=[{"label": code, "level": 2, "rate": 0.99}])).verdicts
    assert (verdict.category, verdict.severity, verdict.unmapped) == (Category.OTHER, Severity.HIGH, True)
    assert verdict.mapping.rules == ("decision", "unmapped")
    assert verdict.labels == (Label(str(code), Category.OTHER, None, 2, 0.99),)


def test_a_known_label_beats_an_unknown_one_that_is_still_counted() -> None:
    (verdict,) = read_json(v4(2, label=4242, labels=[{"label": 200, "rate": 1}])).verdicts
    assert (verdict.category, verdict.unmapped) == (Category.AD, True)
    assert [label.code for label in verdict.labels] == ["4242", "200"]


@pytest.mark.parametrize("evidences", [{}, {"label": 0}, {"labels": [{"label": None, "level": 1}]}])
def test_a_block_without_a_reason_contradicts_itself(evidences: dict[str, Any]) -> None:
    (verdict,) = read_json(v4(2, **evidences)).verdicts
    assert (verdict.category, verdict.severity) == (Category.OTHER, Severity.HIGH)
    assert verdict.mapping.rules == ("decision", "contradiction")


def test_a_suspect_of_high_level_stays_medium() -> None:
    (verdict,) = read_json(v4(1, label=600, suggestionLevel=2)).verdicts
    assert verdict.severity is Severity.MEDIUM


def test_the_low_suspect_level_counts_in_v3_too() -> None:
    body = item(evidences={"action": "1", "suggestionLevel": "1", "segments": [{"label": "600"}]})
    (verdict,) = read_json(body).verdicts
    assert verdict.mapping.rules == ("decision", "category", "suspect-low")
    assert verdict.severity is Severity.LOW


@pytest.mark.parametrize("suggestion", ["2", " 2 ", 2.0, "2.0"])
def test_numbers_may_be_text_or_integral_floats(suggestion: Any) -> None:
    (verdict,) = read_json(
        v4(suggestion, label="600.0", speakerId=20001.0, labels=[{"label": 600.0}])
    ).verdicts
    assert (verdict.decision, verdict.category, verdict.user) == (Decision.BLOCK, Category.ABUSE, "20001")


def test_every_word_that_was_hit_becomes_a_keyword_once() -> None:
    details = {
        "hitInfos": [{"value": "a"}, {"value": "b"}, {"value": None}],
        "keywords": [{"word": "b", "strategyGroupId": "7"}, {"word": "c", "strategyGroupId": 7}],
        "evidence": "d",
    }
    labels = [{"label": 600, "subLabels": [{"subLabel": 600018, "details": details}, {"details": None}]}]
    (verdict,) = read_json(v4(2, label=600, labels=labels)).verdicts
    assert verdict.keywords == ("a", "b", "c", "d")
    assert [label.code for label in verdict.labels] == ["600", "600018"]


def test_a_number_that_was_hit_is_a_keyword() -> None:
    subs = [{"subLabel": "200009", "details": {"evidence": "13800138000"}}]
    (verdict,) = read_json(v4(2, labels=[{"label": 200, "subLabels": subs}])).verdicts
    assert verdict.keywords == ("13800138000",)


def test_deeper_labels_are_kept_once() -> None:
    subs = [{"subLabel": "600018", "secondLabel": "600018", "thirdLabel": "60001801"}]
    body = v4(
        2, label=600, labels=[{"label": 600, "subLabels": subs}], secondLabel="600018", thirdLabel="6009"
    )
    (verdict,) = read_json(body).verdicts
    assert [label.code for label in verdict.labels] == ["600", "600018", "60001801", "6009"]
    assert {label.category for label in verdict.labels} == {Category.ABUSE}


# --- Who decided ---------------------------------------------------------------------------------------------------

UNSURE = {"suggestion": 2, "label": 600, "labels": [{"label": 600, "rate": 0.2}]}


@pytest.mark.parametrize(
    ("source", "judge", "severity"),
    [
        (0, Judge.VENDOR_HUMAN, Severity.HIGH),
        ("1", Judge.CUSTOMER_HUMAN, Severity.HIGH),
        (2, Judge.MACHINE, Severity.MEDIUM),
        (None, Judge.MACHINE, Severity.MEDIUM),
    ],
)
def test_a_person_s_result_is_not_doubted_for_a_low_rate(
    source: Any, judge: Judge, severity: Severity
) -> None:
    (verdict,) = read_json(item(censorSource=source, evidences=UNSURE)).verdicts
    assert (verdict.judge, verdict.severity) == (judge, severity)


@pytest.mark.parametrize(
    ("source", "judge"),
    [
        (0, Judge.VENDOR_HUMAN),
        (1, Judge.CUSTOMER_HUMAN),
        (2, Judge.VENDOR_HUMAN),
        (None, Judge.VENDOR_HUMAN),
    ],
)
def test_beside_a_review_the_result_is_the_machine_s(source: Any, judge: Judge) -> None:
    body = item(censorSource=source, evidences=UNSURE, reviewEvidences={"action": 2, "spamType": 600})
    machine, person = read_json(body).verdicts
    assert (machine.judge, machine.severity) == (Judge.MACHINE, Severity.MEDIUM)
    assert (person.judge, person.severity) == (judge, Severity.MEDIUM)


@pytest.mark.parametrize(
    ("action", "spam_type", "decision", "category", "severity", "rules"),
    [
        (1, 512, "pass", "none", "none", ("decision",)),
        (4, 600, "review", "abuse", "low", ("decision", "category", "human")),
        (2, 500, "block", "politics", "medium", ("decision", "category", "human")),
        (3, 827, "block", "values", "high", ("decision", "category", "human")),
        (3.0, "311", "block", "terrorism", "critical", ("decision", "category", "human")),
        (3, 1000, "block", "other", "high", ("decision", "category", "human")),
        (3, None, "block", "other", "high", ("decision", "human")),
        (4, 0, "review", "other", "low", ("decision", "human")),
    ],
)
def test_people_s_decisions(
    action: Any, spam_type: Any, decision: str, category: str, severity: str, rules: tuple[str, ...]
) -> None:
    body = item(reviewEvidences={"action": action, "spamType": spam_type})
    (verdict,) = read_json(body).verdicts
    assert (verdict.decision, verdict.category, verdict.severity) == (decision, category, severity)
    assert verdict.mapping.rules == rules
    assert verdict.unmapped is False


def test_an_unknown_reason_of_a_review_says_so() -> None:
    (verdict,) = read_json(item(reviewEvidences={"action": 3, "spamType": 4242})).verdicts
    assert (verdict.category, verdict.severity, verdict.unmapped) == (Category.OTHER, Severity.HIGH, True)
    assert verdict.labels == (Label("4242", Category.OTHER),)


def test_a_review_keeps_what_the_reviewer_wrote_and_when() -> None:
    (verdict,) = read(fixture("built_review_cut.json")).verdicts
    assert (verdict.judge, verdict.user, verdict.room) == (Judge.VENDOR_HUMAN, "20001", "1001")
    assert verdict.occurred_at == "2022-04-15T05:21:00.500Z"
    assert verdict.labels == (
        Label("512", Category.POLITICS, "邪教迷信"),
        Label("512", Category.POLITICS, "邪教"),
    )


def test_a_review_that_names_nobody_means_the_room() -> None:
    body = item(reviewEvidences={"action": 3, "speakerId": "", "censorLabels": [{"customCode": "x1"}, {}]})
    (verdict,) = read_json(body, user="from-token").verdicts
    assert verdict.user is None
    assert verdict.labels == (Label("x1", Category.OTHER),)


# --- Rooms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "room"),
    [
        ('{"room":"1001"}', "1001"),
        ('{"room":1001}', "1001"),
        ({"room": "1001"}, "1001"),
        ('{"room":""}', "from-token"),
        ('{"room":{}}', "from-token"),
        ('["room"]', "from-token"),
        ("room1001", "from-token"),
        ("{room", "from-token"),
        (7, "from-token"),
        (None, "from-token"),
    ],
)
def test_the_room_is_in_the_echoed_callback_or_in_the_token(callback: Any, room: str) -> None:
    body = item(callback=callback, evidences={"suggestion": 0})
    (verdict,) = read_json(body, room="from-token", session_id="s-1").verdicts
    assert (verdict.room, verdict.session_id) == (room, "s-1")


def test_a_block_s_own_callback_wins_over_its_neighbour_s() -> None:
    body = {
        "antispam": {"taskId": TASK, "callback": '{"room":"1"}'},
        "asr": {"taskId": "other", "callback": '{"room":"2"}'},
    }
    (transcript,) = read_json(body).signals
    assert (transcript.task_id, transcript.room) == ("other", "2")


# --- Signals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (item(status=3), SignalKind.TASK_FAILED, None),
        (item(status=3, failureReason=0), SignalKind.TASK_FAILED, None),
        (item(status=3, failureReason=1), SignalKind.STREAM_UNREACHABLE, "1"),
        (item(failureReason=2.0), SignalKind.STREAM_UNREACHABLE, "2"),
        (item(status="3", failureReason="3"), SignalKind.TASK_FAILED, "3"),
        (item(failureReason=4), SignalKind.TASK_FAILED, "4"),
        (item(evidences={"asrStatus": 4, "asrResult": 1}), SignalKind.STREAM_UNREACHABLE, "1"),
        (item(evidences={"asrStatus": 4, "asrResult": 4}), SignalKind.TASK_FAILED, "4"),
        ({"taskId": TASK, "asrStatus": 4, "asrResult": 2}, SignalKind.STREAM_UNREACHABLE, "2"),
        ({"taskId": TASK, "asrStatus": 4}, SignalKind.TASK_FAILED, None),
        ({"taskId": TASK, "asrStatus": 4, "action": 0}, SignalKind.TASK_FAILED, None),
        (item(finishType=0), SignalKind.TASK_ENDED, "0"),
        (item(finishType=1), SignalKind.TASK_ENDED, "1"),
        (item(reviewEvidences={"action": 10}), SignalKind.TASK_ENDED, "10"),
    ],
)
def test_a_task_that_fails_or_ends_is_a_signal_and_no_verdict(
    body: dict[str, Any], kind: SignalKind, code: str | None
) -> None:
    out = read_json(body)
    (signal,) = out.signals
    assert (signal.kind, signal.code, signal.task_id) == (kind, code, TASK)
    assert (out.verdicts, out.faults) == ([], [])


def test_a_hit_is_kept_even_when_the_rest_of_the_audio_could_not_be_read() -> None:
    out = read_json({"asrStatus": 4, "asrResult": 1, "action": 2, "segments": [{"label": 100}]})
    assert [verdict.category for verdict in out.verdicts] == [Category.PORN]
    assert [signal.kind for signal in out.signals] == [SignalKind.STREAM_UNREACHABLE]


def test_signals_name_their_moment() -> None:
    (ended,) = read_json(item(reviewEvidences={"action": 10, "actionTime": 1650000003200})).signals
    assert ended.occurred_at == ENDED
    (unknown,) = read(fixture("built_v4_finished.json")).signals
    assert (unknown.occurred_at, unknown.room) == (RECEIVED, "1001")
    (failed,) = read(fixture("built_v4_failed.json")).signals
    assert failed.kind is SignalKind.STREAM_UNREACHABLE


@pytest.mark.parametrize("details", [None, {}, {"silent": False}, {"silent": None}])
def test_sound_that_is_not_silent_is_no_signal(details: Any) -> None:
    out = read_json({"quality": {"taskId": TASK, "details": details}})
    assert (out.verdicts, out.signals, out.faults) == ([], [], [])


@pytest.mark.parametrize(
    "body",
    [
        item(status=1),
        item(status=2, finishType=7),
        item(evidences={"asrStatus": 2}),
        item(evidences=None, reviewEvidences=None),
        {"antispam": []},
        {"voice": {"mainGender": "male"}},
        {"language": {}, "llmCheckInfo": {}},
        [],
    ],
)
def test_a_record_that_says_nothing_yet_is_ignored(body: Any) -> None:
    out = read_json(body)
    assert (out.verdicts, out.signals, out.faults) == ([], [], [])


# --- Times ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "span", "occurred_at"),
    [
        ({"startTime": "1650000000000", "endTime": 1650000003200.0}, SPAN, ENDED),
        ({"endTime": 1650000003200}, Span(1650000003.2, 1650000003.2, "epoch"), ENDED),
        (
            {"startTime": 1650000003200, "endTime": None},
            Span(1650000003.2, 1650000003.2, "epoch"),
            ENDED,
        ),
        ({"startTime": 0, "endTime": 2500}, Span(0.0, 2.5, "stream"), RECEIVED),
        ({"startTime": "soon", "endTime": -1}, None, RECEIVED),
        ({}, None, RECEIVED),
    ],
)
def test_spans_are_seconds(times: dict[str, Any], span: Span | None, occurred_at: str) -> None:
    (verdict,) = read_json(v4(0, **times)).verdicts
    assert (verdict.span, verdict.occurred_at) == (span, occurred_at)


# --- What cannot be read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"secretId=a&businessId=b",
        b"callbackData=",
        b"callbackData=%7B",
        b"callbackData=%FF",
        b'{"callbackData":null}',
        b'{"callbackData":"{"}',
        b'{"callbackData":5}',
        b"5",
        b'"text"',
        b"null",
        b"{",
        b"{}",
        b'{"unrelated":1}',
        b'{"antispam":null}',
        b'{"antispam":5}',
        b'{"antispam":{"evidences":[]}}',
        b'{"antispam":{"evidences":{"suggestion":2,"labels":{}}}}',
        b'{"antispam":{"evidences":{"suggestion":2,"labels":[5]}}}',
        b'{"antispam":{"evidences":{"suggestion":2,"labels":[{"label":1,"subLabels":"x"}]}}}',
        b'{"antispam":{"evidences":{"suggestion":2,"labels":[{"subLabels":[{"details":7}]}]}}}',
        b'{"antispam":{"evidences":{"suggestion":2,"labels":[{"subLabels":[{"details":{"hitInfos":[7]}}]}]}}}',
        b'{"antispam":{"evidences":{"suggestion":2,"labels":[{"subLabels":[{"details":{"hitInfos":{}}}]}]}}}',
        b'{"antispam":{"evidences":{"suggestion":2}},"asr":"text"}',
        b'{"antispam":{"reviewEvidences":"x"}}',
        b'{"voice":1}',
        b'{"code":200,"result":null}',
        b'{"antispam":{"evidences":{"suggestion":NaN}}}',
        b'{"antispam":{"evidences":{"suggestion":2,"content":"\\ud800"}}}',
        b'{"antispam":{"evidences":{"suggestion":2,"content":"\xff"}}}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_reaches_a_person_and_the_dead_letters(body: bytes) -> None:
    out = read(body)
    assert len(out.verdicts) == 1
    assert is_fail_safe(out)
    assert out.signals == []
    (reason,) = out.faults
    assert reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (v4(7), "suggestion is unknown in a result"),
        (v4({}), "suggestion is unknown in a result"),
        (v4(None), "action is missing in a result"),
        (item(evidences={"asrStatus": 3}), "action is missing in a result"),
        (item(evidences={"action": 5}), "action is unknown in a result"),
        (item(reviewEvidences={}), "action is missing in reviewEvidences"),
        (item(reviewEvidences={"action": 9}), "action is unknown in reviewEvidences"),
    ],
)
def test_an_undocumented_decision_reaches_a_person(body: dict[str, Any], reason: str) -> None:
    out = read_json({**body, "asr": {"content": "x"}})
    assert is_fail_safe(out)
    assert out.verdicts[0].task_id == TASK
    assert out.faults == [reason]
    assert [signal.kind for signal in out.signals] == [SignalKind.TRANSCRIPT]


def test_an_undocumented_decision_still_tells_of_whom_and_when() -> None:
    body = v4(7, speakerId="20001", segmentId="seg-1", endTime=1650000003200)
    (verdict,) = read_json(body, room="r").verdicts
    assert (verdict.user, verdict.segment_id, verdict.room) == ("20001", "seg-1", "r")
    assert verdict.occurred_at == ENDED


def test_each_bad_element_of_an_array_has_its_own_fail_safe_verdict() -> None:
    good = {"action": 0, "taskId": "t-1"}
    half = {
        "taskId": "t-2",
        "callback": '{"room":"9"}',
        "evidences": {"action": 2, "segments": []},
        "reviewEvidences": 5,
    }
    out = read_json([good, 5, half, {}, good])
    assert [verdict.degraded for verdict in out.verdicts] == [False, True, True, True, False]
    assert [verdict.id for verdict in out.verdicts] == [f"raw-1#{place}" for place in range(5)]
    assert (out.verdicts[2].task_id, out.verdicts[2].room) == ("t-2", "9")
    assert len(out.faults) == 3


def test_a_bad_element_takes_back_what_it_gave_but_nothing_of_the_others() -> None:
    bad = {"taskId": "t-2", "finishType": 1, "evidences": {"action": 7, "labels": []}, "reviewEvidences": {}}
    worse = {**bad, "reviewEvidences": {"action": 2, "censorLabels": "x"}}
    out = read_json({"antispam": [worse, {"evidences": {"action": 2}}], "asr": ["x", {"content": "y"}]})
    assert [verdict.degraded for verdict in out.verdicts] == [True, False, True]
    assert [signal.text for signal in out.signals] == ["y"]
    assert out.faults == [
        "censorLabels is a string, not a list",
        "an element of asr is a string, not an object",
    ]


def test_a_byte_order_mark_is_skipped_and_of_a_repeated_key_the_last_counts() -> None:
    body = b'\xef\xbb\xbf{"antispam":{"evidences":{"suggestion":2,"suggestion":0}}}'
    (verdict,) = read(body).verdicts
    assert verdict.decision is Decision.PASS


# --- Anything ------------------------------------------------------------------------------------------------------

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
SAMPLES = [json.loads(path.read_bytes()) for path in sorted(FIXTURES.glob("*.json"))]


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += places(inner, (*here, key))
    return found


def replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = replaced(copy[place[0]], place[1:], new)
    return copy


def check(out: Reading) -> None:
    """What holds for every body: a fault has its verdict, and no verdict claims more than the scale allows."""
    degraded = [verdict for verdict in out.verdicts if verdict.degraded]
    assert len(degraded) == len(out.faults)
    for verdict in out.verdicts:
        assert verdict.confidence is None or 0 <= verdict.confidence <= 1
        assert verdict.severity_level == verdict.severity.level
        assert (verdict.decision is Decision.PASS) == (verdict.severity is Severity.NONE)
        for name in (verdict.room, verdict.user, verdict.task_id, verdict.segment_id):
            assert name is None or type(name) is str


@given(st.data())
def test_a_vendor_s_body_with_anything_at_any_place_is_read_or_reaches_a_person(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(SAMPLES))
    mutated = replaced(sample, data.draw(st.sampled_from(places(sample))), data.draw(JUNK))
    check(read_json(mutated))


@given(
    JUNK, st.sampled_from(["antispam", "asr", "quality", "evidences", "reviewEvidences", "labels", "result"])
)
def test_any_json_in_any_block_is_read_or_reaches_a_person(junk: Any, name: str) -> None:
    check(read_json({name: junk}))
    check(read_json([{name: junk}, junk]))


@given(st.binary(max_size=200), st.sampled_from(["", FORM, "application/json"]))
def test_any_bytes_are_read_or_reach_a_person(body: bytes, content_type: str) -> None:
    check(read(body, content_type=content_type))
    check(read(b"callbackData=" + body, content_type=content_type))


@given(
    st.sampled_from([sample for sample in SAMPLES if "callbackData" not in sample and "code" not in sample])
)
def test_a_push_of_any_record_gives_what_the_record_gives(sample: Any) -> None:
    text = json.dumps(sample)
    polled, pushed = read(text.encode()), read(urlencode({"callbackData": text}).encode())
    assert pushed.verdicts == polled.verdicts
    assert pushed.signals == polled.signals
