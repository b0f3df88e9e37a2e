import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.records import Category, Evidence, Media, SignalKind, Verdict
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.hostile import mutated, noise, read_hostile
from tests.normalize.support import RECEIVED, read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agora_video"
SAMPLE = (FIXTURES / "callback.json").read_bytes()
SEXY = (FIXTURES / "built_review_sexy.json").read_bytes()
SUPERVISE = (FIXTURES / "built_supervise.json").read_bytes()
SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"


def read(body: bytes, **context: Any) -> Reading:
    return read_body(Source.AGORA_VIDEO, body, "application/json;charset=utf-8", **context)


def read_changed(**changes: object) -> Reading:
    """The sample with fields replaced; `...` takes one away."""
    content = json.loads(SAMPLE) | changes
    return read(json.dumps({name: value for name, value in content.items() if value is not ...}).encode())


def changed(**changes: object) -> Verdict:
    (verdict,) = read_changed(**changes).verdicts
    return verdict


def porn(scene: object, **outputs: object) -> dict[str, object]:
    return {"porn": {"scene": scene, "outputs": outputs}}


def judged(verdict: Verdict) -> tuple[str, str, str, tuple[str, ...]]:
    return verdict.decision, verdict.category, verdict.severity, verdict.mapping.rules


def test_a_screenshot_becomes_a_verdict_about_its_user_with_the_picture_as_evidence() -> None:
    reading = read(SAMPLE)
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("pass", "none", "none", ("decision",))
    assert (verdict.room, verdict.user, verdict.task_id) == ("httpClient463224", "91", SID)
    assert verdict.media is Media.IMAGE
    picture = f"test/20201216/{SID}_httpClient463224__uid_s_91__uid_e_video_20200413081128672.jpg"
    assert verdict.evidence == (Evidence(picture, "image"),)
    assert verdict.occurred_at == "2020-04-13T08:11:28.672Z"  # the utc of `object`, not `timestamp`
    assert verdict.confidence == 0.915607393
    assert [(label.code, label.category, label.confidence) for label in verdict.labels] == [
        ("neutral", Category.NONE, 0.915607393)
    ]
    assert not reading.signals
    assert not reading.faults


def test_sexy_under_review_is_low() -> None:
    (verdict,) = read(SEXY).verdicts
    assert judged(verdict) == ("review", "suggestive", "low", ("decision", "category", "light"))
    assert verdict.confidence == 0.71


def test_porn_with_low_confidence_goes_one_step_down() -> None:
    (verdict,) = read((FIXTURES / "built_block_porn_unsure.json").read_bytes()).verdicts
    assert judged(verdict) == ("block", "porn", "medium", ("decision", "category", "low-confidence"))
    assert verdict.confidence == 0.55


@pytest.mark.parametrize("confidence", [0.6, "0.99", 1, None, "x", 1.2])
def test_porn_stays_high_with_enough_confidence_or_with_none(confidence: object) -> None:
    verdict = changed(suggestion="block", results=porn("porn", porn=confidence))
    assert judged(verdict) == ("block", "porn", "high", ("decision", "category"))


def test_the_result_may_be_called_result_and_its_words_may_be_written_with_capitals() -> None:
    verdict = changed(suggestion="Pass", results=..., result=porn("neutral", Neutral=0.9))
    assert judged(verdict) == ("pass", "none", "none", ("decision",))
    assert verdict.confidence == 0.9
    assert changed(suggestion=" BLOCK", results=porn("Porn", porn=0.9)).category is Category.PORN


def test_an_unknown_scene_keeps_its_name() -> None:
    verdict = changed(suggestion="block", results=porn("Gore", gore=0.3))
    assert judged(verdict) == ("block", "other", "medium", ("decision", "low-confidence", "unmapped"))
    assert verdict.unmapped
    assert (verdict.labels[0].code, verdict.labels[0].category) == ("Gore", Category.OTHER)


@pytest.mark.parametrize("results", [..., None, {}, {"porn": {}}, {"porn": {"outputs": {"porn": 0.9}}}])
def test_a_block_without_a_scene_is_a_contradiction(results: object) -> None:
    verdict = changed(suggestion="block", results=results)
    assert judged(verdict) == ("block", "other", "high", ("decision", "contradiction"))
    assert verdict.labels == ()


def test_class_supervision_is_ignored() -> None:
    reading = read(SUPERVISE)
    assert (reading.verdicts, reading.signals, reading.faults) == ([], [], [])


def test_class_supervision_with_results_is_judged() -> None:
    assert changed(msg="Supervise complete").category is Category.NONE


@pytest.mark.parametrize("code", [500, "400", "busy", 0])
def test_a_picture_that_the_vendor_could_not_judge_goes_to_a_person(code: object) -> None:
    reading = read_changed(code=code, suggestion=..., results=...)
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("review", "other", "medium", ("fail-safe",))
    assert verdict.degraded
    assert (verdict.room, verdict.user, verdict.task_id) == ("httpClient463224", "91", SID)
    assert verdict.evidence[0].kind == "image"
    assert reading.faults == []  # readable: the vendor says that it failed


@pytest.mark.parametrize("code", [..., None, "200", 200.0])
def test_the_code_may_be_missing_or_written_otherwise(code: object) -> None:
    assert not changed(code=code).degraded


@pytest.mark.parametrize("suggestion", [..., None, "deny", 3, []])
def test_a_missing_or_undocumented_suggestion_goes_to_a_person_and_to_the_dead_letters(
    suggestion: object,
) -> None:
    reading = read_changed(suggestion=suggestion)
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("review", "other", "medium", ("fail-safe",))
    assert verdict.room == "httpClient463224"
    assert reading.faults == ["suggestion is none of pass, review, block"]


@pytest.mark.parametrize(
    ("changes", "room", "user"),
    [
        ({"channelName": 7, "userId": 91}, "7", "91"),
        ({"channelName": ...}, "httpClient463224", "91"),
        ({"channelName": ..., "callbackParam": {"cname": "echo"}}, "echo", "91"),
        ({"channelName": ..., "callbackParam": "opaque", "userId": ...}, "httpClient463224", "91"),
        ({"channelName": ..., "callbackParam": ..., "userId": "", "object": ...}, None, None),
        (
            {
                "channelName": ...,
                "callbackParam": ...,
                "userId": ...,
                "object": f"p/__uid_s_/{SID}_a_b__uid_s_c__uid_s_5__uid_e_video_20200413081128672.jpg",
            },
            "a_b__uid_s_c",
            "5",
        ),
    ],
)
def test_room_and_user_are_also_found_in_the_picture_s_name(
    changes: dict[str, object], room: str | None, user: str | None
) -> None:
    verdict = changed(**changes)
    assert (verdict.room, verdict.user) == (room, user)


@pytest.mark.parametrize(
    "name",
    ["x.jpg", "_", "", f"{SID[:-1]}_c__uid_e_1.jpg", f"{SID[:-1]}z_c__uid_s_1__uid_e_video_.jpg", 5, None],
)
def test_a_picture_with_another_name_takes_task_and_time_from_elsewhere(name: object) -> None:
    content = json.dumps(json.loads(SAMPLE) | {"object": name}).encode()
    (verdict,) = read(content, task_id="the-token's").verdicts
    assert verdict.task_id == "the-token's"
    assert verdict.occurred_at == "2019-06-11T07:32:46.073Z"  # `timestamp`


@pytest.mark.parametrize("timestamp", [20190611073246073, "20190611073246073"])
def test_a_timestamp_above_2_to_the_53_keeps_its_milliseconds(timestamp: object) -> None:
    assert changed(object=..., timestamp=timestamp).occurred_at == "2019-06-11T07:32:46.073Z"


@pytest.mark.parametrize(
    "timestamp", [..., None, 0, 20191311073246073, 20190611073261073, -2019061107324607, 1e16, "x", {}]
)
def test_without_a_time_of_its_own_it_occurred_when_it_was_received(timestamp: object) -> None:
    assert changed(object=..., timestamp=timestamp).occurred_at == RECEIVED


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "the callback is a list, not an object"),
        (b'{"suggestion":"block","results":[]}', "results is a list, not an object"),
        (b'{"suggestion":"block","results":{"porn":1}}', "porn is a number, not an object"),
        (
            b'{"suggestion":"block","result":{"porn":{"scene":"porn","outputs":"x"}}}',
            "outputs is a string, not an object",
        ),
        (b"{}", "suggestion is none of pass, review, block"),
    ],
)
def test_what_cannot_be_read_goes_to_a_person_and_to_the_dead_letters(body: bytes, reason: str) -> None:
    reading = read(body, task_id="t", room="r")
    (verdict,) = reading.verdicts
    assert judged(verdict) == ("review", "other", "medium", ("fail-safe",))
    assert (verdict.media, verdict.task_id, verdict.room) == (Media.IMAGE, "t", "r")
    assert len(reading.faults) == 1
    assert reason in reading.faults[0]


def test_an_answer_to_a_query_is_no_picture() -> None:
    well = read(b'{"sid":"38f8","serverResponse":{"status":5}}')
    assert (well.verdicts, well.signals, well.faults) == ([], [], [])
    (signal,) = read(b'{"sid":"38f8","serverResponse":{"status":20}}').signals
    assert (signal.kind, signal.task_id, signal.code) == (SignalKind.TASK_FAILED, "38f8", "20")


@given(mutated(SAMPLE, SEXY, SUPERVISE))
def test_a_mutated_callback_is_one_verdict_or_ignored(body: bytes) -> None:
    reading = read_hostile(Source.AGORA_VIDEO, body)
    assert len(reading.verdicts) == 1 or b"upervise complete" in body


@given(noise(SAMPLE, SEXY))
def test_noise_never_raises(body: bytes) -> None:
    read_hostile(Source.AGORA_VIDEO, body)


@given(st.text(max_size=60))
def test_any_name_of_a_picture_is_borne(name: str) -> None:
    body = json.dumps({"suggestion": "pass", "object": name}).encode()
    assert len(read_hostile(Source.AGORA_VIDEO, body).verdicts) == 1
