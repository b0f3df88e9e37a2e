"""What users get from Shumei's reviewers, on live streams and on static content."""

from pathlib import Path

import pytest

from moderato.records import Category, Decision, Evidence, Judge, Media, Severity, Verdict
from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.support import read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "shumei_audio"
LIVE = (FIXTURES / "built_review_live.json").read_bytes()
STATIC = (FIXTURES / "built_review_static.json").read_bytes()

BOTH = pytest.mark.parametrize("source", [Source.SHUMEI_AUDIO, Source.SHUMEI_VIDEO])


def verdict(body: bytes, source: Source = Source.SHUMEI_AUDIO) -> Verdict:
    found = read_body(source, body)
    assert (found.faults, found.signals) == ([], [])
    assert len(found.verdicts) == 1
    return found.verdicts[0]


def fail_safe(found: Reading) -> Verdict:
    assert len(found.faults) == 1
    assert [got.mapping.rules for got in found.verdicts] == [("fail-safe",)]
    return found.verdicts[0]


@BOTH
@pytest.mark.parametrize(
    ("operation", "severity"),
    [(b"1", Severity.MEDIUM), (b"2", Severity.HIGH), (b"3", Severity.HIGH), (b'"4"', Severity.CRITICAL)],
)
def test_a_reviewers_action_on_a_live_stream(source: Source, operation: bytes, severity: Severity) -> None:
    got = verdict(LIVE.replace(b'"operation":3', b'"operation":' + operation), source)
    assert (got.decision, got.category, got.severity) == (Decision.BLOCK, Category.OTHER, severity)
    assert got.mapping.rules == ("decision", "human")
    assert got.judge is Judge.VENDOR_HUMAN
    assert (got.room, got.user, got.account) == ("test1", "u-7", "u-7")
    assert (got.task_id, got.segment_id) == ("b639042cbfe229359e672074762c5583",) * 2
    assert got.evidence == (Evidence("http://x/1.jpg", "image"), Evidence("http://x/2.mp3", "audio"))
    assert not got.unmapped


@pytest.mark.parametrize("target", [b"2", b"null", b'"all"'])
def test_an_action_on_the_room_names_no_user(target: bytes) -> None:
    got = verdict(LIVE.replace(b'"target":1', b'"target":' + target))
    assert (got.user, got.account) == (None, "u-7")


@pytest.mark.parametrize(
    ("service", "media"),
    [
        (b"POST_AUDIOSTREAM", Media.AUDIO),
        (b"POST_VIDEOSTREAM", Media.IMAGE),
        (b"post_audiostream", Media.AUDIO),
    ],
)
def test_the_service_says_what_was_reviewed_live(service: bytes, media: Media) -> None:
    assert verdict(LIVE.replace(b"POST_AUDIOSTREAM", service)).media is media


@pytest.mark.parametrize(
    ("service", "media"),
    [
        (b"POST_TEXT", Media.TEXT),
        (b"POST_IMG", Media.IMAGE),
        (b"POST_AUDIO", Media.AUDIO),
        (b"POST_VIDEO", Media.IMAGE),
    ],
)
@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (b"1", (Decision.PASS, Category.NONE, Severity.NONE, ("decision",))),
        (b"2", (Decision.BLOCK, Category.OTHER, Severity.HIGH, ("decision", "human"))),
    ],
)
def test_a_reviewers_word_on_static_content(
    service: bytes, media: Media, operation: bytes, expected: tuple[object, ...]
) -> None:
    body = STATIC.replace(b'"POST_AUDIO"', b'"' + service + b'"')
    got = verdict(body.replace(b'"operation":2', b'"operation":' + operation))
    assert (got.decision, got.category, got.severity, got.mapping.rules) == expected
    assert got.media is media
    assert got.judge is Judge.VENDOR_HUMAN
    assert (got.room, got.user, got.account) == (None, None, "u-7")
    assert got.evidence == ()


@pytest.mark.parametrize("operation", [b"5", b"null", b"[]", b'"?"'])
def test_an_action_no_document_names_goes_to_a_person(operation: bytes) -> None:
    got = fail_safe(
        read_body(Source.SHUMEI_AUDIO, LIVE.replace(b'"operation":3', b'"operation":' + operation))
    )
    assert (got.room, got.user, got.account) == ("test1", "u-7", "u-7")


def test_static_content_knows_no_third_action() -> None:
    fail_safe(read_body(Source.SHUMEI_AUDIO, STATIC.replace(b'"operation":2', b'"operation":3')))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"POST_AUDIOSTREAM"', b'"POST_SMELL"'),
        (b'"POST_AUDIOSTREAM"', b"[]"),
        (b'"result":{', b'"result":7,"unused":{'),
        (b'"data":{', b'"data":[],"unused":{'),
        (b'"evidences":{', b'"evidences":"x","unused":{'),
        (b'"frameDetail":[', b'"frameDetail":[7,'),
    ],
)
def test_a_review_that_cannot_be_read_goes_to_a_person(old: bytes, new: bytes) -> None:
    assert old in LIVE
    fail_safe(read_body(Source.SHUMEI_AUDIO, LIVE.replace(old, new)))
