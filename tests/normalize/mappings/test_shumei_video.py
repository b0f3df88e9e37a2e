"""What users get from Shumei's video streams: pictures and sounds, v3 to v5."""

import json
from pathlib import Path
from typing import Any

import pytest

from moderato.records import Category, Decision, Evidence, Label, Media, Severity, SignalKind, Span, Verdict
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.support import RECEIVED, read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "shumei_video"
V3_PICTURE = (FIXTURES / "built_v3_picture.json").read_bytes()
V3_AUDIO = (FIXTURES / "built_v3_audio.json").read_bytes()
V4_AUDIO = (FIXTURES / "v4_audio_reject_ad.json").read_bytes()
V4_FRAME = (FIXTURES / "built_v4_frame.json").read_bytes()
V5 = (FIXTURES / "built_v5_clip.json").read_bytes()
ENDED = (FIXTURES / "v4_end_of_stream.json").read_bytes()


def reading(body: bytes) -> Reading:
    return read_body(Source.SHUMEI_VIDEO, body)


def verdict(body: bytes) -> Verdict:
    found = reading(body)
    assert found.faults == []
    assert len(found.verdicts) == 1
    return found.verdicts[0]


def test_a_segment_of_sound_is_judged_as_on_an_audio_stream() -> None:
    got = verdict(V4_AUDIO)
    assert (got.decision, got.category, got.severity) == (Decision.BLOCK, Category.AD, Severity.MEDIUM)
    assert got.mapping.rules == ("decision", "category", "light")
    assert got.media is Media.AUDIO
    assert got.task_id == "y28f8a4f…we12"
    assert (got.room, got.user, got.account) == ("y1123413312ewe24sv2", None, None)
    assert got.text == "****"
    assert got.evidence == (Evidence("http://…", "audio"), Evidence("http://…", "audio"))
    assert got.span == Span(1666876112.0, 1666876122.0, "epoch")
    assert got.labels == (Label("ad", Category.AD, "广告:广告:广告"),)


def test_a_frame_is_a_picture_of_one_moment() -> None:
    got = verdict(V4_FRAME)
    assert got.media is Media.IMAGE
    assert (got.decision, got.category, got.severity) == (Decision.REVIEW, Category.PORN, Severity.MEDIUM)
    assert not got.unmapped  # the customer's own list explains the unknown label
    assert got.task_id == "5515ce1f9b474a6c4a3d79a8dfcaeaf4"
    assert got.room == "passed"
    assert got.text == "加我"
    assert got.keywords == ("加我",)
    assert got.evidence == (Evidence("http://x/12.jpg", "image"),)
    assert got.span == Span(1639825248.375, 1639825248.375, "epoch")
    assert got.occurred_at == "2021-12-18T11:00:48.375Z"
    assert [(label.code, label.category) for label in got.labels] == [
        ("porn", Category.PORN),
        ("sm", Category.PORN),
        ("unheard", Category.CUSTOM),
    ]


def test_v3_pictures_have_a_scale_of_their_own() -> None:
    got = verdict(V3_PICTURE)
    assert got.media is Media.IMAGE
    assert (got.category, got.severity) == (Category.TERRORISM, Severity.CRITICAL)
    assert (got.room, got.user, got.account) == ("live-1", "u-9", "123")
    assert got.labels == (Label("400", Category.TERRORISM, "暴恐"),)
    assert got.evidence == (Evidence("http://x/12.jpg", "image"),)
    assert got.occurred_at == "2021-12-18T11:00:48.375Z"


def test_v3_sounds_are_on_the_audio_scale() -> None:
    got = verdict(V3_AUDIO)
    assert got.media is Media.AUDIO
    assert (got.category, got.severity) == (Category.SPAM, Severity.MEDIUM)
    assert got.span == Span(1639825238.0, 1639825248.0, "epoch")


@pytest.mark.parametrize(
    ("body", "number", "category", "rule"),
    [
        (V3_AUDIO, b"700", "custom", "category"),
        (V3_AUDIO, b"120", "politics", "category"),
        (V3_AUDIO, b"210", "abuse", "category"),
        (V3_PICTURE, b"700", "custom", "category"),
        (V3_PICTURE, b"210", "suggestive", "category"),
        (V3_PICTURE, b"545", "quality", "category"),
        (V3_PICTURE, b"551", "other", "unmapped"),
        (V3_PICTURE, b"710", "other", "contradiction"),
    ],
)
def test_the_same_number_means_what_its_medium_says(
    body: bytes, number: bytes, category: str, rule: str
) -> None:
    got = verdict(body.replace(b'"riskType":400', b'"riskType":' + number))
    assert got.category == category
    assert got.mapping.rules[1] == rule


@pytest.mark.parametrize(
    ("body", "content_type", "media"),
    [
        (V3_PICTURE, b"2", Media.AUDIO),
        (V3_AUDIO, b'"1"', Media.IMAGE),
        (V3_PICTURE, b"null", Media.IMAGE),
        (V3_AUDIO, b"null", Media.AUDIO),
    ],
)
def test_content_type_says_what_a_flat_record_judged(body: bytes, content_type: bytes, media: Media) -> None:
    own = b'"contentType":1' if body is V3_PICTURE else b'"contentType":2'
    assert own in body
    assert verdict(body.replace(own, b'"contentType":' + content_type)).media is media


@pytest.mark.parametrize("as_list", [False, True])
def test_a_v5_clip_gives_a_verdict_for_each_part_frames_first(as_list: bool) -> None:
    record = json.loads(V5)
    if as_list:
        record["videoDetail"]["audioDetail"] = [record["videoDetail"]["audioDetail"]]
    found = reading(json.dumps(record).encode())
    assert found.faults == []
    assert [(got.media, got.decision, got.severity) for got in found.verdicts] == [
        (Media.IMAGE, Decision.BLOCK, Severity.CRITICAL),
        (Media.IMAGE, Decision.PASS, Severity.NONE),
        (Media.AUDIO, Decision.PASS, Severity.NONE),
    ]
    assert [got.id for got in found.verdicts] == ["raw-1#0", "raw-1#1", "raw-1#2"]
    assert {(got.task_id, got.room, got.account) for got in found.verdicts} == {
        ("5515ce1f9b474a6c4a3d79a8dfcaeaf4", "live-1", "123")
    }
    first, second, sound = found.verdicts
    assert first.span == Span(1639825243.0, 1639825243.0, "epoch")
    assert second.span == sound.span == Span(1639825240.0, 1639825250.0, "epoch")
    assert sound.evidence == (Evidence("http://x/5.mp3", "audio"), Evidence("http://x/5.mp4", "video"))
    assert first.evidence == (Evidence("http://x/5-1.jpg", "image"), Evidence("http://x/5.mp4", "video"))


def test_parts_of_a_v5_clip_without_words_of_their_own_take_the_clips() -> None:
    record: Any = json.loads(V5)
    frame, other = record["videoDetail"]["frameDetail"]
    for key in ("riskLevel", "riskLabel1", "riskLabel2", "riskLabel3", "riskDescription"):
        frame.pop(key)
        if key != "riskLevel":
            other.pop(key)
    found = reading(json.dumps(record).encode())
    assert [(got.category, got.severity) for got in found.verdicts[:2]] == [
        (Category.POLITICS, Severity.CRITICAL),
        (Category.NONE, Severity.NONE),
    ]
    # What the clip as a whole was rejected for is no label of a frame that passed.
    assert [label.code for label in found.verdicts[1].labels] == []


def test_a_v5_clip_without_parts_is_judged_as_a_whole() -> None:
    record: Any = json.loads(V5)
    record["videoDetail"].update(frameDetail=[], audioDetail=None)
    got = verdict(json.dumps(record).encode())
    assert (got.media, got.severity) == (Media.IMAGE, Severity.CRITICAL)
    assert got.evidence == (Evidence("http://x/5.mp4", "video"),)
    assert got.span == Span(1639825240.0, 1639825250.0, "epoch")


def test_each_bad_part_is_a_fail_safe_of_its_own_and_the_rest_goes_on() -> None:
    record: Any = json.loads(V5)
    frames = record["videoDetail"]["frameDetail"]
    frames[1]["riskLevel"] = "?"
    record["videoDetail"]["frameDetail"] = ["x", *frames, None]
    found = reading(json.dumps(record).encode())
    assert [got.degraded for got in found.verdicts] == [True, False, True, True, False]
    assert [got.media for got in found.verdicts] == [Media.IMAGE] * 4 + [Media.AUDIO]
    assert len(found.faults) == 3
    assert {got.room for got in found.verdicts} == {"live-1"}


def test_the_end_of_a_stream_is_a_signal() -> None:
    found = reading(ENDED)
    assert (found.verdicts, found.faults) == ([], [])
    assert [(signal.kind, signal.task_id, signal.room) for signal in found.signals] == [
        (SignalKind.TASK_ENDED, "5515ce1f9b474a6c4a3d79a8dfcaeaf4", "…")
    ]
    assert found.signals[0].occurred_at == RECEIVED


def test_a_stream_that_ended_unpulled_says_so() -> None:
    body = ENDED.replace(b'"pullStreamSuccess":true', b'"pullStreamSuccess":false').replace(
        b"PASS", b"REJECT"
    )
    found = reading(body)
    assert (found.verdicts, found.faults) == ([], [])
    assert [signal.kind for signal in found.signals] == [SignalKind.STREAM_UNREACHABLE, SignalKind.TASK_ENDED]


def test_a_last_clip_gives_its_verdicts_and_the_signal() -> None:
    found = reading(V5.replace(b'"statCode":0', b'"statCode":1'))
    assert len(found.verdicts) == 3
    assert [signal.kind for signal in found.signals] == [SignalKind.TASK_ENDED]


def test_on_video_1904_says_that_the_quota_is_spent() -> None:
    found = reading('{"code":1904,"requestId":"t","message":"流路数超限"}'.encode())
    assert (found.verdicts, found.faults) == ([], [])
    assert [(signal.kind, signal.code, signal.message) for signal in found.signals] == [
        (SignalKind.TASK_FAILED, "1904", "流路数超限")
    ]


def test_text_in_a_picture_is_found_in_the_older_place() -> None:
    body = V3_PICTURE.replace(b'"riskType":400', '"riskType":400,"ocrText":"加我"'.encode())
    assert verdict(body).text == "加我"


def test_what_cannot_be_read_is_a_picture_nobody_judged() -> None:
    found = reading(b'{"message":"?"}')
    assert [(got.media, got.degraded) for got in found.verdicts] == [(Media.IMAGE, True)]
    assert found.faults == ["neither code nor serviceId is there"]
