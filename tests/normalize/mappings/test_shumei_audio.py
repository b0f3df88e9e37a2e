"""What users get from Shumei's audio streams: every layout of its documents, and the worked examples of the scale."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from moderato.records import (
    Category,
    Decision,
    Evidence,
    Judge,
    Label,
    Media,
    Severity,
    SignalKind,
    Span,
    Verdict,
)
from moderato.sources import Source
from normalize.mappings import MAPPINGS
from normalize.reading import Raw, Reading, TenantView, read
from normalize.scale import built_in
from tests.normalize.support import NORMALIZED, RECEIVED, read_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "shumei_audio"
FLAT = (FIXTURES / "v4_flat_pass.json").read_bytes()
NESTED = (FIXTURES / "v4_nested_reject_normal.json").read_bytes()
V2 = (FIXTURES / "v2_reject.json").read_bytes()
POLITICS = (FIXTURES / "built_v4_nested_reject_politics.json").read_bytes()
OWN_LIST = (FIXTURES / "built_own_list.json").read_bytes()
ENDED = (FIXTURES / "built_end_of_stream_token_expired.json").read_bytes()
PULL_FAILED = (FIXTURES / "built_pull_failed.json").read_bytes()


def reading(body: bytes, **context: Any) -> Reading:
    return read_body(Source.SHUMEI_AUDIO, body, **context)


def verdict(body: bytes, **context: Any) -> Verdict:
    found = reading(body, **context)
    assert found.faults == []
    assert found.signals == []
    assert len(found.verdicts) == 1
    return found.verdicts[0]


def changed(body: bytes, change: Callable[[Any], object]) -> bytes:
    record = json.loads(body)
    change(record)
    return json.dumps(record).encode()


def fail_safe(found: Reading) -> Verdict:
    assert len(found.faults) == 1
    assert len(found.verdicts) == 1
    only = found.verdicts[0]
    assert (only.decision, only.severity, only.category) == (Decision.REVIEW, Severity.MEDIUM, Category.OTHER)
    assert only.degraded
    assert only.mapping.rules == ("fail-safe",)
    return only


@pytest.mark.parametrize(
    ("level", "label", "expected"),
    [
        ("REJECT", "politics", ("block", "politics", "critical", False, ("decision", "category", "grave"))),
        ("REJECT", "ad", ("block", "ad", "medium", False, ("decision", "category", "light"))),
        ("REVIEW", "Moan", ("review", "porn", "medium", False, ("decision", "category"))),
        ("REJECT", "normal", ("block", "other", "high", False, ("decision", "contradiction"))),
        ("REJECT", "brandnew", ("block", "other", "high", True, ("decision", "unmapped"))),
        ("PASS", "brandnew", ("pass", "none", "none", True, ("decision",))),
        (" reject ", " MoanMoanMoan ", ("block", "porn", "high", False, ("decision", "category"))),
        ("REVIEW", "sexy", ("review", "suggestive", "low", False, ("decision", "category", "light"))),
    ],
)
def test_the_scale_judges_the_vendors_sample_with_these_words(
    level: str, label: str, expected: tuple[object, ...]
) -> None:
    body = NESTED.replace(b'"riskLevel":"REJECT"', f'"riskLevel":"{level}"'.encode())
    body = body.replace(b'"riskLabel1":"normal"', f'"riskLabel1":"{label}"'.encode())
    got = verdict(body)
    assert (got.decision, got.category, got.severity, got.unmapped, got.mapping.rules) == expected
    assert got.labels[0].code == label
    assert got.confidence is None


def test_the_flat_layout_gives_a_pass_with_the_voices_tags() -> None:
    got = verdict(FLAT)
    assert (got.decision, got.category, got.severity) == (Decision.PASS, Category.NONE, Severity.NONE)
    assert got.task_id == "db45ca0256775771262c7ca5419ca85f"
    assert got.segment_id == "db45ca0256775771262c7ca5419ca85f_0"
    assert (got.room, got.user, got.account) == ("1604285930313", None, "2222")
    assert got.text == "坚持爱汇仁牌六味地黄丸会人守护爱数学作业拍一下语文作业拍一下"
    assert got.evidence == (
        Evidence("http://voice-bj.bj.bcebos.com/20201102/db45ca0256775771262c7ca5419ca85f_0.mp3", "audio"),
    )
    # 2020-11-02 10:59:03 to 10:59:13 in Shanghai
    assert got.span == Span(1604285943.0, 1604285953.0, "epoch")
    assert got.occurred_at == "2020-11-02T02:59:13.000Z"
    assert got.media is Media.AUDIO
    assert got.judge is Judge.MACHINE
    assert not got.final
    none = Category.NONE
    assert got.labels == (
        Label("normal", none, "正常"),
        Label("gender", none, "女性", None, 0.79),
        Label("language", none, "2", None, 0.0),
        Label("language", none, "0", None, 0.99),
        Label("language", none, "1", None, 0.0),
        Label("song", none, "0"),
        Label("timbre", none, "女王", None, 0.14),
        Label("timbre", none, "御姐", None, 0.13),
        Label("timbre", none, "少女", None, 0.15),
        Label("timbre", none, "大妈", None, 0.11),
        Label("timbre", none, "萝莉", None, 0.44),
    )


@pytest.mark.parametrize(
    ("name", "room", "account"),
    [
        ("v4_nested_reject_normal", "test1", "test_audio_v4"),
        ("built_v4_nested_without_params", "test1", None),
    ],
)
def test_the_nested_layout_comes_with_and_without_request_params(
    name: str, room: str, account: str | None
) -> None:
    got = verdict((FIXTURES / f"{name}.json").read_bytes())
    assert got.mapping.rules == ("decision", "contradiction")
    assert (got.room, got.user, got.account) == (room, None, account)
    assert got.text == "那就不好打吗？…"
    assert [item.kind for item in got.evidence] == ["audio", "audio"]
    assert got.span is None
    assert got.occurred_at == RECEIVED
    assert got.labels[:3] == (
        Label("normal", Category.NONE, "正常"),
        Label("minor", Category.NONE, "未成年人:未成年人:未成年人", 0, 0.0),
        Label("weichengnianren", Category.NONE),
    )
    assert Label("timbre", Category.NONE, "老年", None, 0.58) in got.labels


def test_a_rejected_segment_tells_who_where_when_and_why() -> None:
    got = verdict(POLITICS)
    assert (got.room, got.user, got.account) == ("test1", "3402", "test_audio_v4")
    assert got.span == Span(1666876112.0, 1666876122.0, "epoch")
    assert got.occurred_at == "2022-10-27T13:08:42.000Z"
    assert got.text == "那就不好打吗？我们再来一局"
    assert got.keywords == ("再来一局",)
    assert [item.url[-9:] for item in got.evidence] == ["583_2.mp3", "2_pre.mp3"]
    assert [(label.code, label.category) for label in got.labels] == [
        ("politics", Category.POLITICS),
        ("guojiajigou", Category.POLITICS),
        ("ad", Category.AD),
        ("lianxifangshi", Category.AD),
        ("wangzhi", Category.AD),
        ("minor", Category.NONE),
        ("weichengnianren", Category.NONE),
    ]
    assert got.labels[5] == Label("minor", Category.NONE, "未成年人:未成年人:未成年人", 2, 0.97)


def test_times_are_read_in_the_tenants_zone() -> None:
    raw = Raw(Source.SHUMEI_AUDIO, "default", "r", FLAT, "", RECEIVED, verdict(FLAT).raw)
    view = TenantView(built_in(), ZoneInfo("UTC"))
    got = read(MAPPINGS[Source.SHUMEI_AUDIO], raw, view, NORMALIZED).verdicts[0]
    assert got.occurred_at == "2020-11-02T10:59:13.000Z"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2022-10-27 21:08:42.5", 1666876122.5),
        ("2022-10-27T13:08:42Z", 1666876122.0),
        ("1666876122000", 1666876122.0),
        (1666876122000, 1666876122.0),
    ],
)
def test_an_end_alone_still_dates_the_verdict(text: object, end: float) -> None:
    def only_end(record: Any) -> None:
        record["audioDetail"]["auxInfo"].pop("audioStartTime")
        record["audioDetail"]["auxInfo"]["audioEndTime"] = text

    got = verdict(changed(POLITICS, only_end))
    assert got.span is None
    assert got.occurred_at.startswith("2022-10-27T13:08:42." + ("5" if end % 1 else "0"))


@pytest.mark.parametrize(
    "text", ["", "yesterday", "0001-01-01 00:00:00", "9" * 5000, 10, True, [], "99999999999999999"]
)
def test_a_time_that_is_none_leaves_the_time_of_receipt(text: object) -> None:
    def both(record: Any) -> None:
        record["audioDetail"]["auxInfo"].update(audioStartTime=text, audioEndTime=text)

    got = verdict(changed(POLITICS, both))
    assert got.span is None
    assert got.occurred_at == RECEIVED


def test_the_v2_layout_is_judged_by_its_numbers() -> None:
    got = verdict(V2)
    assert (got.decision, got.category, got.severity) == (Decision.BLOCK, Category.PORN, Severity.HIGH)
    assert got.labels == (Label("200", Category.PORN, "色情"),)
    assert (got.task_id, got.segment_id) == (
        "a78eef377079acc6cdec24967ecde722",
        "a78eef377079acc6cdec24967ecde722_12345_0",
    )
    assert (got.room, got.user, got.account) == ("16037880", None, "shumei-test")
    assert got.keywords == ("…",)
    assert got.text == "…"
    assert got.span == Span(1537264461.0, 1537264471.0, "epoch")
    assert got.evidence == (Evidence("http://xxxx.mp3", "audio"), Evidence("http://prexxxx.mp3", "audio"))


@pytest.mark.parametrize(
    ("number", "category"),
    [("400", "spam"), ("700", "other"), ('"270"', "quality"), ("110.0", "terrorism"), ("777", "other")],
)
def test_v2_numbers_mean_what_the_audio_scale_says(number: str, category: str) -> None:
    got = verdict(V2.replace(b'"riskType":200', f'"riskType":{number}'.encode()))
    assert got.category == category
    assert got.unmapped == (number == "777")


@pytest.mark.parametrize(
    ("fields", "user"),
    [
        ({"strUserId": "u-1", "userId": 7}, "u-1"),
        ({"strUserId": "", "userId": 7}, "7"),
        ({"userId": "8"}, "8"),
        ({"userId": 0}, None),
        ({"userId": "0"}, None),
        ({"trtcUserId": "12345"}, "12345"),
        ({}, None),
    ],
)
def test_only_separate_streams_have_a_user(fields: dict[str, object], user: str | None) -> None:
    assert verdict(changed(V2, lambda record: record["detail"].update(fields)), user="listener").user == user

    def in_aux(record: Any) -> None:
        record["audioDetail"]["auxInfo"].pop("userId")
        record["audioDetail"]["auxInfo"].update(fields)

    assert verdict(changed(POLITICS, in_aux)).user == user


def test_the_room_is_looked_for_from_the_nearest_place_to_the_farthest() -> None:
    record = json.loads(POLITICS)
    record["passThrough"] = {"room": "top-passed"}
    record["auxInfo"] = {"passThrough": {"room": "aux-passed"}}

    def room() -> str | None:
        return verdict(json.dumps(record).encode(), room="token-room").room

    assert room() == "test1"
    del record["audioDetail"]["auxInfo"]["room"]
    record["detail"] = {"room": 16037880}
    assert room() == "16037880"
    del record["detail"]
    assert room() == "params-room"
    record["requestParams"]["room"] = ""
    assert room() == "top-passed"
    del record["passThrough"]
    assert room() == "passed"
    del record["audioDetail"]["auxInfo"]["passThrough"]
    assert room() == "aux-passed"
    del record["auxInfo"]
    assert room() == "token-room"


def test_the_gravest_label_at_the_records_level_wins() -> None:
    def two(record: Any) -> None:
        record["audioDetail"].update(riskLabel1="ad", riskLevel="REJECT")
        record["audioDetail"]["allLabels"][0]["riskLevel"] = "reject"

    assert verdict(changed(POLITICS, two)).severity is Severity.CRITICAL

    def lower(record: Any) -> None:
        two(record)
        record["audioDetail"]["allLabels"][0]["riskLevel"] = "REVIEW"

    got = verdict(changed(POLITICS, lower))
    assert (got.category, got.severity) == (Category.AD, Severity.MEDIUM)
    assert "politics" in [label.code for label in got.labels]


def test_an_unknown_label_beside_a_known_one_is_told() -> None:
    def odd(record: Any) -> None:
        record["audioDetail"]["allLabels"].append({"riskLabel1": "brandnew", "riskLevel": "REJECT"})
        record["audioDetail"]["allLabels"].append({"riskLevel": "REJECT"})

    got = verdict(changed(POLITICS, odd))
    assert (got.category, got.unmapped) == (Category.POLITICS, True)
    assert got.mapping.rules == ("decision", "category", "grave")
    assert Label("brandnew", Category.OTHER) in got.labels


def test_the_customers_own_list_wins_over_every_label() -> None:
    got = verdict(OWN_LIST)
    assert (got.category, got.severity, got.unmapped) == (Category.CUSTOM, Severity.HIGH, False)
    assert got.mapping.rules == ("decision", "category")
    assert got.keywords == ("微信", "加我")
    assert got.labels == (Label("jingpin", Category.CUSTOM, "命中自定义名单"),)

    known = verdict(OWN_LIST.replace(b'"riskLabel1":"jingpin"', b'"riskLabel1":"politics"'))
    assert (known.category, known.severity) == (Category.CUSTOM, Severity.HIGH)


@pytest.mark.parametrize("label", ["jingpin", "ad"])
def test_a_hit_in_the_customers_list_explains_only_an_unknown_label(label: str) -> None:
    body = OWN_LIST.replace("命中自定义名单".encode(), "竞品".encode())
    got = verdict(body.replace(b'"riskLabel1":"jingpin"', f'"riskLabel1":"{label}"'.encode()))
    assert got.category == {"jingpin": "custom", "ad": "ad"}[label]
    assert not got.unmapped


def test_one_label_of_many_may_be_the_customers_own() -> None:
    def own(record: Any) -> None:
        record["audioDetail"].update(riskLabel1="normal")
        record["audioDetail"]["allLabels"] = [
            {"riskLabel1": "brandnew", "riskLevel": "REJECT", "riskDescription": "命中自定义名单"}
        ]

    got = verdict(changed(POLITICS, own))
    assert (got.category, got.unmapped) == (Category.CUSTOM, False)


def test_fields_are_found_however_they_are_spelt() -> None:
    body = POLITICS
    for name, variant in (
        (b'"auxInfo"', b'"auxinfo"'),
        (b'"audioEndTime"', b'"audioEndtime"'),
        (b'"audioStartTime"', b'"audio_starttime"'),
        (b'"riskLabel1"', b'"RiskLabel1"'),
        (b'"tokenId"', b'"tokenid"'),
        (b'"requestId"', b'"RequestID"'),
    ):
        assert name in body
        body = body.replace(name, variant)
    assert verdict(body) == verdict(POLITICS)


def test_the_proper_spelling_goes_before_a_variant() -> None:
    body = POLITICS.replace(b'"room":"test1"', b'"Room":"other","room":"test1"')
    assert verdict(body).room == "test1"


@pytest.mark.parametrize("code", [b'"1100"', b"1100.0", b'" 1100 "'])
def test_a_number_may_come_as_text(code: bytes) -> None:
    assert verdict(POLITICS.replace(b'"code":1100', b'"code":' + code)) == verdict(POLITICS)


def test_tags_come_as_objects_lists_and_numbers() -> None:
    def tags(record: Any) -> None:
        record["audioDetail"]["businessLabels"] = None
        record["audioDetail"]["minorLabel"] = 1
        record["audioDetail"]["audioTags"] = {
            "gender": None,
            "language": {"label": -1, "confidence": 50},
            "timbre": [{"label": "青年" * 50, "probability": 33.5}, {"label": "正太", "probability": "12"}],
            "song": 1,
        }

    got = verdict(changed(POLITICS, tags))
    assert got.labels[5:] == (
        Label("language", Category.NONE, "-1", None, 0.5),
        Label("timbre", Category.NONE, "青年" * 50, None, 0.335),
        Label("timbre", Category.NONE, "正太", None, 0.12),
        Label("song", Category.NONE, "1"),
        Label("minorLabel", Category.NONE),
    )


@pytest.mark.parametrize(
    ("probability", "confidence"), [(1, 1.0), (0.5, 0.5), (79, 0.79), (101, None), ("x", None)]
)
def test_business_labels_keep_their_rate_as_a_share_of_one(
    probability: object, confidence: float | None
) -> None:
    def rate(record: Any) -> None:
        record["audioDetail"]["businessLabels"] = [
            {"businessLabel1": "sing", "businessLabel2": "changge", "probability": probability},
            {"businessDescription": "nameless"},
        ]

    got = verdict(changed(POLITICS, rate))
    assert got.labels[-2:] == (
        Label("sing", Category.NONE, None, None, confidence),
        Label("changge", Category.NONE),
    )
    assert got.category is Category.POLITICS


def test_the_end_of_a_stream_is_a_signal_after_its_error() -> None:
    found = reading(ENDED)
    assert (found.verdicts, found.faults) == ([], [])
    assert [(signal.kind, signal.code) for signal in found.signals] == [
        (SignalKind.TOKEN_EXPIRED, "3005"),
        (SignalKind.TASK_ENDED, None),
    ]
    for signal in found.signals:
        assert (signal.task_id, signal.room) == ("b639042cbfe229359e672074762c5583", "test1")
        assert signal.segment_id is None
        assert signal.message is None


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (b"3001", ["stream_unreachable"]),
        (b"3004", ["stream_unreachable"]),
        (b'"4711"', ["stream_unreachable"]),
        (b"3005", ["token_expired"]),
        (b"0", []),
        (b"null", []),
    ],
)
@pytest.mark.parametrize("name", [b"errorCode", b"errorcode"])
def test_an_error_code_says_why_a_stream_ended(error: bytes, kinds: list[str], name: bytes) -> None:
    found = reading(ENDED.replace(b'"errorCode":3005', b'"' + name + b'":' + error))
    assert [signal.kind for signal in found.signals] == [*kinds, "task_ended"]
    if kinds:
        assert found.signals[0].code == error.strip(b'"').decode()


@pytest.mark.parametrize("risk", [b'"riskLevel":"PASS",', b'"riskLevel":"REJECT","riskLabel1":"porn",'])
@pytest.mark.parametrize(
    "detail", [b"", b'"audioDetail":null,', b'"audioDetail":{},', b'"detail":{"riskType":200},']
)
def test_the_end_of_a_stream_judges_nothing(risk: bytes, detail: bytes) -> None:
    found = reading(b"{" + risk + detail + ENDED[1:])
    assert found.verdicts == []
    assert found.signals[-1].kind is SignalKind.TASK_ENDED


@pytest.mark.parametrize("code", [b"1", b'"1"', b"true"])
def test_a_last_segment_gives_its_verdict_and_the_signal(code: bytes) -> None:
    found = reading(POLITICS.replace(b'"statCode":0', b'"statCode":' + code))
    assert found.verdicts == [verdict(POLITICS)]
    assert [signal.kind for signal in found.signals] == [SignalKind.TASK_ENDED]
    ended = found.signals[0]
    assert (ended.room, ended.segment_id) == ("test1", "b639042cbfe229359e672074762c5583_2")
    assert ended.occurred_at == found.verdicts[0].occurred_at


@pytest.mark.parametrize("value", [b"false", b"0", b'"false"'])
def test_a_stream_that_could_not_be_pulled_is_a_signal(value: bytes) -> None:
    found = reading(b'{"code":1100,"requestId":"t","pullStreamSuccess":' + value + b"}")
    assert [(signal.kind, signal.code) for signal in found.signals] == [(SignalKind.STREAM_UNREACHABLE, None)]
    assert (found.verdicts, found.faults) == ([], [])


def test_one_unreachable_stream_is_told_once() -> None:
    body = b'{"code":1100,"statCode":1,"pullStreamSuccess":false,"auxInfo":{"errorCode":3003}}'
    assert [(signal.kind, signal.code) for signal in reading(body).signals] == [
        (SignalKind.STREAM_UNREACHABLE, "3003"),
        (SignalKind.TASK_ENDED, None),
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (b"1904", "stream_unreachable"),
        (b"1901", "task_failed"),
        (b"9101", "task_failed"),
        (b'"oops"', "task_failed"),
    ],
)
def test_another_code_than_success_is_a_signal_and_no_verdict(code: bytes, kind: str) -> None:
    found = reading(PULL_FAILED.replace(b"1904", code), room="token-room")
    assert (found.verdicts, found.faults) == ([], [])
    assert [(signal.kind, signal.code, signal.message, signal.room) for signal in found.signals] == [
        (kind, code.strip(b'"').decode(), "拉流失败", "token-room")
    ]


def test_a_content_beside_a_failure_gives_no_verdict() -> None:
    found = reading(POLITICS.replace(b'"code":1100', b'"code":1903'))
    assert found.verdicts == []
    assert [signal.kind for signal in found.signals] == [SignalKind.TASK_FAILED]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"riskLevel":"REJECT"},', b'"riskLevel":"BLOCK"},'),
        (b'"riskLevel":"REJECT"},', b'"riskLevel":null},'),
        (b'"riskLevel":"REJECT"},', b'"riskLevel":["REJECT"]},'),
        (b'"allLabels":[', b'"allLabels":[7,'),
        (b'"riskDetail":{', b'"riskDetail":"none","unused":{'),
        (b'"businessLabels":[', b'"businessLabels":7,"unused":['),
        (b'"businessLabels":[', b'"audioTags":{"gender":"male"},"unused":['),
        (b'"businessLabels":[', b'"audioTags":{"timbre":["male"]},"unused":['),
    ],
)
def test_a_content_that_cannot_be_read_goes_to_a_person_who_knows_where_it_was(
    old: bytes, new: bytes
) -> None:
    body = POLITICS.replace(b"\n", b"")
    assert body.count(old) >= 1
    # the last one, which is the record's own: the first is a label's
    head, tail = body.rsplit(old, 1)
    only = fail_safe(reading(head + new + tail))
    assert (only.room, only.user, only.account) == ("test1", "3402", "test_audio_v4")
    assert only.task_id == "b639042cbfe229359e672074762c5583"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff{}", "not JSON"),
        (b'{"code":NaN}', "not JSON"),
        (b'{"code":1100,"message":"\\ud800"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the body is"),
        (b"7", "the body is a number"),
        (b"{}", "neither code nor serviceId"),
        (b'{"code":null,"riskLevel":"PASS"}', "neither code nor serviceId"),
        (b'{"code":[1100]}', "neither code nor serviceId"),
        (b'{"code":1100,"auxInfo":[]}', "auxInfo is"),
        (b'{"code":1100,"detail":"x"}', "detail is a string"),
        (b'{"code":1100,"audioDetail":"x"}', "a string"),
        (b'{"code":1100,"audioDetail":{"auxInfo":5}}', "auxInfo is a number"),
        (b'{"code":1100}', "riskLevel is missing"),
        (b'{"code":1100,"statCode":0,"audioDetail":{}}', "riskLevel is missing"),
        (b'{"code":1100,"statCode":1,"passThrough":"x"}', "passThrough is a string"),
    ],
)
def test_what_cannot_be_read_says_why_and_goes_to_a_person(body: bytes, reason: str) -> None:
    found = reading(body, task_id="task-of-the-raw-record")
    assert fail_safe(found).task_id == "task-of-the-raw-record"
    assert reason in found.faults[0]


def test_a_broken_last_segment_still_tells_that_the_stream_ended() -> None:
    found = reading(b'{"code":1100,"requestId":"t_1","statCode":1,"audioDetail":{"riskLevel":"?"}}')
    assert fail_safe(found).segment_id == "t_1"
    assert [signal.kind for signal in found.signals] == [SignalKind.TASK_ENDED]


def test_a_byte_order_mark_is_skipped_and_of_duplicate_keys_the_last_counts() -> None:
    body = b"\xef\xbb\xbf" + POLITICS.replace(b'"code":1100', b'"code":1903,"code":1100')
    assert verdict(body) == verdict(POLITICS)


def test_a_vendors_retry_makes_the_same_verdict() -> None:
    assert verdict(POLITICS, raw_id="r") == verdict(POLITICS, raw_id="r")
    assert verdict(POLITICS, raw_id="r").id == "r#0"


def test_a_level_at_the_top_stands_in_for_one_missing_in_the_detail() -> None:
    body = b'{"code":1100,"riskLevel":"REJECT","riskLabel1":"porn","audioDetail":{"audioText":"x"}}'
    assert verdict(body).category is Category.PORN
