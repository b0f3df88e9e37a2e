"""The eight mappings held against the documents alone: cases derived from docs/severity.md, sentence by sentence, and
from the vendors' documents. What the mappings' own tests hold is not repeated.

Each case is a body and what it must give, in short: a verdict is `decision category severity: rules`, with the judge
unless that is the machine, and `unmapped`; then come the signals, with the vendor's code."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from moderato.sources import Source
from normalize.reading import Reading
from tests.normalize.support import RECEIVED, read_body

FORM = "application/x-www-form-urlencoded"
BLOCK, REVIEW, PASS = "block other high", "review other medium", "pass none none: decision"
FAIL_SAFE = f"{REVIEW}: fail-safe"
FIELDS = {Source.AGORA_VOICE: "content", Source.YIDUN_AUDIO: "callbackData"}


def raw(source: Source, body: Any) -> tuple[bytes, str]:
    """The body and its content type as the vendor sends them. Text stands for bytes that `json` would not write."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    if source in FIELDS:
        return urlencode({"checksum": "x", FIELDS[source]: text}).encode(), FORM
    return text.encode(), "application/json"


def told(out: Reading) -> list[str]:
    lines = []
    for verdict in out.verdicts:
        line = f"{verdict.decision} {verdict.category} {verdict.severity}: {' '.join(verdict.mapping.rules)}"
        line += f" by {verdict.judge}" if verdict.judge != "machine" else ""
        lines.append(line + (" unmapped" if verdict.unmapped else ""))
        assert verdict.degraded == (verdict.mapping.rules == ("fail-safe",))
        assert verdict.severity_level == ["none", "low", "medium", "high", "critical"].index(verdict.severity)
    for signal in out.signals:
        lines.append(" ".join(filter(None, (signal.kind, signal.code))))
    return lines


# --- Bodies of each source -----------------------------------------------------------------------------------------


def voice(label: Any, suggestion: Any, rate: Any = 90, **top: Any) -> dict[str, Any]:
    result = {"scene": "antispam", "label": label, "suggestion": suggestion, "rate": rate}
    return {"code": 200, "dataId": '{"channelName":"c","uid":"5"}', "taskId": "t", "results": [result], **top}


def video(scene: str, suggestion: Any, probability: Any = 0.9, **top: Any) -> dict[str, Any]:
    porn = {"scene": scene, "outputs": {scene: probability}}
    return {"code": 200, "results": {"porn": porn}, "suggestion": suggestion, "channelName": "c", **top}


def notice(product: Any, event: Any, **payload: Any) -> dict[str, Any]:
    return {"noticeId": "n", "productId": product, "eventType": event, "notifyMs": 1, "payload": payload}


def shumei(level: Any, label: Any, /, top: dict[str, Any] | None = None, **detail: Any) -> dict[str, Any]:
    judged = {"riskLevel": level, "riskLabel1": label, **detail}
    return {"code": 1100, "requestId": "task_1", "audioDetail": judged, **(top or {})}


def also(label: str, level: str | None = "REJECT") -> dict[str, Any]:
    return {"riskLabel1": label, "riskLevel": level}


def frame(label: str, level: Any = "REJECT") -> dict[str, Any]:
    return {"imgUrl": "https://i", "riskLevel": level, "riskLabel1": label}


def v3(content_type: Any, risk_type: Any, level: str = "REJECT") -> dict[str, Any]:
    detail = {"riskType": risk_type, "imgUrl": "https://i"}
    return {
        "code": 1100,
        "requestId": "task_1",
        "contentType": content_type,
        "riskLevel": level,
        "detail": detail,
    }


def v5(**video_detail: Any) -> dict[str, Any]:
    return {"code": 1100, "requestId": "task_1", "riskLevel": "REJECT", "videoDetail": video_detail}


def segment(suggest: str, *categories: Any, offset: Any = "0") -> dict[str, Any]:
    found = [
        item if isinstance(item, dict) else {"category": item, "suggest": suggest} for item in categories
    ]
    return {"suggest": suggest, "offsetTime": offset, "duration": 10, "category_list": found, "content": "x"}


def file(suggest: str, *segments: dict[str, Any]) -> dict[str, Any]:
    return {"name": "a.mp3", "suggest": suggest, "detail": {"audios": list(segments)}}


def files(*listed: dict[str, Any], status: Any = 2, **envelope: Any) -> dict[str, Any]:
    data = {"request_id": "T", "audit_status": status, "result_list": list(listed)}
    return {"code": "000000", "data": data, **envelope}


def yidun(suggestion: Any, label: Any = None, rate: Any = None, /, **more: Any) -> dict[str, Any]:
    """A v4 push; `item` holds fields of `antispam`, the others are those of `evidences`."""
    item = more.pop("item", {})
    evidences: dict[str, Any] = {"suggestion": suggestion, **more}
    if label is not None:
        evidences |= {"label": label, "labels": more.get("labels", [{"label": label, "rate": rate}])}
    return {"antispam": {"taskId": "t", "status": 2, "evidences": evidences, **item}}


def reviewed(action: Any, spam_type: Any = None, **item: Any) -> dict[str, Any]:
    review = {"action": action, "actionTime": 1650000009000, "spamType": spam_type}
    return {"antispam": {"taskId": "t", "reviewEvidences": review, **item}}


def yunxin(audio: Any = None, video: Any = None, /, **data: Any) -> dict[str, Any]:
    evidences = {"audio": audio, "video": video}
    return {"eventType": 400, "data": {"channelName": "c", "taskId": "t", "evidences": evidences, **data}}


def sound(action: Any, *labels: float, **more: Any) -> dict[str, Any]:
    return {"uid": 7, "action": action, "segments": [{"label": label} for label in labels], **more}


def picture(*labels: tuple[int, Any, float]) -> dict[str, Any]:
    found = [{"label": label, "level": level, "rate": rate} for label, level, rate in labels]
    return {"evidence": {"uid": 8, "url": "https://p"}, "labels": found}


OWN_LIST = {"riskDetail": {"matchedLists": [{"name": "l", "words": [{"word": "w"}]}]}}
POLITICS = "block politics critical: decision category grave"
AD = "block ad medium: decision category light"
ABUSE = "block abuse high: decision category"
CUSTOM = "block custom high: decision category"

CASES: dict[Source, list[tuple[str, Any, list[str]]]] = {
    Source.AGORA_VOICE: [
        ("grave only on block", voice("politics", "review"), ["review politics medium: decision category"]),
        ("a low rate counts for nothing here", voice("abuse", "block", 10), [ABUSE]),
        ("words with case and spaces", voice(" Politics ", "BLOCK "), [POLITICS]),
        ("a pass keeps no category", voice("ad", "pass"), [PASS]),
        ("a pass tells of an unknown label", voice("moan", "pass"), [f"{PASS} unmapped"]),
        ("code 280 with results is a result", voice("ad", "block", code=280), [AD]),
        ("a code as text or float", voice("ad", "block", code="200.0"), [AD]),
        ("a rate as text", voice("ad", "block", "99.5"), [AD]),
        ("results beside an error", voice("ad", "block", code="592"), [AD, "stream_unreachable 592"]),
        ("an error without results", {"code": 588, "results": None}, ["task_failed 588"]),
        ("results of the wrong kind", voice("ad", "block", results={"a": 1}), [FAIL_SAFE]),
        ("no code", {"results": []}, [FAIL_SAFE]),
        ("the last of duplicate keys", '{"code":500,"code":200,"results":[]}', []),
    ],
    Source.AGORA_VIDEO: [
        ("confidence at the border", video("porn", "block", 0.6), ["block porn high: decision category"]),
        (
            "light, then a step down",
            video("sexy", "block", 0.3),
            ["block suggestive low: decision category light low-confidence"],
        ),
        ("step 5 is for blocks", video("porn", "review", 0.3), ["review porn medium: decision category"]),
        ("a contradiction", video("neutral", "block"), [f"{BLOCK}: decision contradiction"]),
        (
            "a contradiction of low confidence",
            video("neutral", "block", 0.2),
            ["block other medium: decision low-confidence contradiction"],
        ),
        (
            "an unknown scene of low confidence",
            video("gore", "block", 0.2),
            ["block other medium: decision low-confidence unmapped unmapped"],
        ),
        ("words with case and spaces", video(" Porn ", "Block "), ["block porn high: decision category"]),
        (
            "a code as text",
            video("sexy", "review", code="200"),
            ["review suggestive low: decision category light"],
        ),
        ("another code", video("porn", "block", code=201), [FAIL_SAFE]),
        ("no results", video("porn", "review", results=None), [f"{REVIEW}: decision contradiction"]),
        ("supervision", {"code": 200, "msg": " supervise complete"}, []),
        ("no suggestion", video("porn", None), [FAIL_SAFE]),
    ],
    Source.AGORA_NCS: [
        ("numbers as text", notice("3", "201", details={"errorCode": 3}), ["task_failed 3"]),
        ("numbers as floats", notice(3.0, 203.0), ["task_ended"]),
        ("an exit as text", notice(3, 11, details={"exitStatus": "1"}), ["task_failed 1"]),
        ("a kick with the reason as text", notice(1, "108", uid=7, reason="3"), ["user_kicked 3"]),
        ("an error that is not fatal", notice(3, 1, details={"errorLevel": 4, "errorCode": 1}), []),
        ("an event of the other product", notice(1, 201), []),
        ("the check of the address", notice(3, 202, cname="test_webhook"), []),
        ("not JSON", "{", []),
    ],
    Source.SHUMEI_AUDIO: [
        ("a level with case and spaces", shumei(" reject ", " POLITICS "), [POLITICS]),
        ("light on review", shumei("REVIEW", "sing"), ["review quality low: decision category light"]),
        ("no label", shumei("REJECT", ""), [f"{BLOCK}: decision contradiction"]),
        ("the gravest of all at its level", shumei("REJECT", "ad", allLabels=[also("politics")]), [POLITICS]),
        (
            "a graver label at another level",
            shumei("REJECT", "ad", allLabels=[also("politics", "REVIEW")]),
            [AD],
        ),
        ("a graver label without a level", shumei("REJECT", "ad", allLabels=[also("politics", None)]), [AD]),
        ("the first on a tie", shumei("REJECT", "abuse", allLabels=[also("porn")]), [ABUSE]),
        ("not only normal labels", shumei("REJECT", "normal", allLabels=[also("abuse")]), [ABUSE]),
        ("known beats unknown", shumei("REJECT", "new", allLabels=[also("ad")]), [f"{AD} unmapped"]),
        ("an unknown one elsewhere", shumei("REJECT", "ad", allLabels=[also("new", "REVIEW")]), [AD]),
        ("the own list's text", shumei("REJECT", "politics", riskDescription="命中自定义名单"), [CUSTOM]),
        ("the own list, unknown", shumei("REJECT", "new", riskDescription="命中自定义名单"), [CUSTOM]),
        ("the own list, passed", shumei("PASS", "new", riskDescription="命中自定义名单"), [PASS]),
        ("a description is not parsed", shumei("REJECT", "ad", riskDescription="涉政:涉政:涉政"), [AD]),
        ("a hit explains the unknown", shumei("REJECT", "new", **OWN_LIST), [CUSTOM]),
        ("a hit beside the known", shumei("REJECT", "politics", **OWN_LIST), [POLITICS]),
        (
            "a hit and nothing unknown",
            shumei("REJECT", "normal", **OWN_LIST),
            [f"{BLOCK}: decision contradiction"],
        ),
        (
            "a hit, unknown beside light",
            shumei("REJECT", "ad", allLabels=[also("new")], **OWN_LIST),
            [CUSTOM],
        ),
        (
            "business labels raise nothing",
            shumei("PASS", "normal", businessLabels=[{"businessLabel1": "minor"}]),
            [PASS],
        ),
        ("riskType as text", {"code": 1100, "riskLevel": "REJECT", "detail": {"riskType": "300"}}, [AD]),
        ("riskType as float", {"code": 1100, "riskLevel": "REJECT", "detail": {"riskType": 300.0}}, [AD]),
        (
            "riskType unknown",
            {"code": 1100, "riskLevel": "REJECT", "detail": {"riskType": 310}},
            [f"{BLOCK}: decision unmapped unmapped"],
        ),
        ("statCode 1 and a level", {"code": 1100, "statCode": 1, "riskLevel": "REJECT"}, ["task_ended"]),
        (
            "a last segment, its error, the end",
            shumei("REJECT", "ad", {"statCode": "1", "auxInfo": {"errorCode": "3005"}}),
            [AD, "token_expired 3005", "task_ended"],
        ),
        (
            "an undocumented error",
            {"code": 1100, "statCode": 1.0, "auxInfo": {"errorCode": 3999}},
            ["stream_unreachable 3999", "task_ended"],
        ),
        (
            "a running stream's error",
            {"code": 1100, "auxInfo": {"errorCode": 3001}},
            ["stream_unreachable 3001"],
        ),
        ("1904 as text", {"code": "1904", "message": "x"}, ["stream_unreachable 1904"]),
        ("nothing at all", {"code": 1100, "requestId": "t"}, [FAIL_SAFE]),
        ("an unknown level", shumei("WEIRD", "ad"), [FAIL_SAFE]),
        ("a detail of the wrong kind", {"code": 1100, "audioDetail": "x"}, [FAIL_SAFE]),
        (
            "null containers",
            shumei("REJECT", "ad", {"requestParams": None}, riskDetail=None, auxInfo=None),
            [AD],
        ),
        ("no code", {"requestId": "t", "riskLevel": "REJECT"}, [FAIL_SAFE]),
    ],
    Source.SHUMEI_VIDEO: [
        ("400 of a picture", v3(1, 400), ["block terrorism critical: decision category grave"]),
        ("400 of a sound", v3(2, 400), ["block spam medium: decision category light"]),
        ("700 of a sound", v3("2", "700"), [CUSTOM]),
        ("710 of a picture is normal", v3(1, 710), [f"{BLOCK}: decision contradiction"]),
        ("600 is no picture's", v3(1, 600), [f"{BLOCK}: decision unmapped unmapped"]),
        ("310 is no sound's", v3(2, 310), [f"{BLOCK}: decision unmapped unmapped"]),
        ("light on review", v3(1, 210, "REVIEW"), ["review suggestive low: decision category light"]),
        (
            "frames first, each on its own",
            v5(audioDetail=frame("abuse"), frameDetail=[frame("ad"), frame("politics", "REVIEW")]),
            [AD, "review politics medium: decision category", ABUSE],
        ),
        ("sounds as an array", v5(audioDetail=[frame("abuse"), frame("ad", "PASS")]), [ABUSE, PASS]),
        ("a bad frame among good ones", v5(frameDetail=[frame("ad"), frame("ad", "ODD")]), [AD, FAIL_SAFE]),
        ("1904 is the quota", {"code": 1904}, ["task_failed 1904"]),
        (
            "the last frame",
            {"code": 1100, "statCode": 1, "frameDetail": frame("ad"), "pullStreamSuccess": False},
            [AD, "stream_unreachable", "task_ended"],
        ),
        (
            "a hit in the text of a picture",
            {"code": 1100, "frameDetail": frame("new") | {"riskDetail": {"ocrText": OWN_LIST["riskDetail"]}}},
            [CUSTOM],
        ),
    ],
    Source.IFLYTEK_AUDIO: [
        (
            "a file is judged under its own suggest",
            files(file("block", segment("review", "political"))),
            ["review politics medium: decision category", POLITICS],
        ),
        (
            "also when that is milder",
            files(file("review", segment("block", "political"))),
            [POLITICS, "review politics medium: decision category"],
        ),
        ("a passed file", files(file("pass", segment("block", "political"))), [POLITICS, PASS]),
        (
            "passed categories",
            files(
                file(
                    "block", segment("block", {"category": "political", "suggest": " PASS"}, "advertisement")
                )
            ),
            [AD, AD],
        ),
        (
            "passed segments",
            files(file("block", segment("pass", "political"), segment("block", "advertisement"))),
            [PASS, AD, AD],
        ),
        (
            "only passed categories",
            files(file("block", segment("block", {"category": "political", "suggest": "pass"}))),
            [f"{BLOCK}: decision contradiction"] * 2,
        ),
        (
            "a category without a suggest",
            files(file("block", segment("block", {"category": "political"}))),
            [POLITICS] * 2,
        ),
        (
            "unknown beside known",
            files(file("block", segment("block", "new", "advertisement"))),
            [f"{AD} unmapped"] * 2,
        ),
        ("a bare answer", files(file("pass"))["data"], [PASS]),
        ("a status as text", files(file("pass"), status="2"), [PASS]),
        ("a status as float", files(file("pass"), status=2.0), [PASS]),
        ("status 2 and nothing", files(), []),
        ("status 1 and already a list", files(file("block"), status=1), []),
        ("status 3", files(file("pass"), status=3), [FAIL_SAFE]),
        ("no status", {"code": "000000", "data": {}}, [FAIL_SAFE]),
        (
            "status 4, every file",
            files(file("pass"), file("block"), status=4),
            [FAIL_SAFE, FAIL_SAFE, "task_failed 4"],
        ),
        ("status 4, no file", files(status=4), [FAIL_SAFE, "task_failed 4"]),
        ("a refusal as a number", {"code": 100001, "desc": "x"}, [FAIL_SAFE, "task_failed 100001"]),
        ("a refusal while it waits", files(status=0, code="100002"), [FAIL_SAFE, "task_failed 100002"]),
        (
            "an unknown suggest of a segment",
            files(file("block", segment("odd", "political"))),
            [FAIL_SAFE, POLITICS],
        ),
        ("data of the wrong kind", {"code": "000000", "data": []}, [FAIL_SAFE]),
        ("neither code nor status", {"data": {"request_id": "T"}}, [FAIL_SAFE]),
    ],
    Source.YIDUN_AUDIO: [
        ("numbers as text", yidun("2", "500"), [POLITICS]),
        ("numbers as floats", yidun(2.0, 500.0), [POLITICS]),
        ("half a number", yidun(1.5, 500), [FAIL_SAFE]),
        ("a boolean", yidun(True, 500), [FAIL_SAFE]),
        ("suspect at level 2", yidun(1, 600, suggestionLevel=2), ["review abuse medium: decision category"]),
        (
            "suspect-low is not below low",
            yidun(1, 200, suggestionLevel="1"),
            ["review ad low: decision category light"],
        ),
        ("no suspect-low on block", yidun(2, 600, suggestionLevel=1), [ABUSE]),
        (
            "suspect-low and no label",
            yidun(1, suggestionLevel=1),
            ["review other low: decision suspect-low contradiction"],
        ),
        (
            "suspect-low and an unknown label",
            yidun(1, 9999, suggestionLevel=1),
            ["review other low: decision suspect-low unmapped unmapped"],
        ),
        (
            "grave, and a step down",
            yidun(2, 500, 0.3),
            ["block politics high: decision category grave low-confidence"],
        ),
        (
            "light, and a step down",
            yidun(2, 200, 0.3),
            ["block ad low: decision category light low-confidence"],
        ),
        ("a rate as text", yidun(2, 600, "0.59"), ["block abuse medium: decision category low-confidence"]),
        (
            "the rate of the winner counts",
            yidun(2, 200, labels=[{"label": 200, "rate": 0.1}, {"label": 500, "rate": 0.9}]),
            [POLITICS],
        ),
        ("a winner without a rate", yidun(2, 500, labels=[{"label": 200, "rate": 0.1}]), [POLITICS]),
        ("the rate of a voice print", yidun(2, 600, **{"rate": 0.1}), [ABUSE]),
        (
            "vendor's people, ordinary table",
            yidun(2, 600, 0.3, item={"censorSource": "0"}),
            [f"{ABUSE} by vendor_human"],
        ),
        (
            "our people, suspect-low",
            yidun(1, 600, suggestionLevel=1, item={"censorSource": 1}),
            ["review abuse low: decision category suspect-low by customer_human"],
        ),
        (
            "both blocks",
            yidun(2, 600, 0.3, item={"censorSource": 1, **reviewed(3, 512)["antispam"]}),
            [
                "block abuse medium: decision category low-confidence",
                "block politics critical: decision category human by customer_human",
            ],
        ),
        (
            "a review is neither grave nor light",
            reviewed(2, 200),
            ["block ad medium: decision category human by vendor_human"],
        ),
        (
            "a prompt of a grave reason",
            reviewed("4", "500"),
            ["review politics low: decision category human by vendor_human"],
        ),
        ("a cut without a reason", reviewed(3), ["block other high: decision human by vendor_human"]),
        ("a prompt for reason 0", reviewed(4, 0), ["review other low: decision human by vendor_human"]),
        (
            "a cut for an unknown reason",
            reviewed(3, 4242),
            ["block other high: decision human unmapped by vendor_human unmapped"],
        ),
        ("ignored by a person", reviewed(1, 512), [f"{PASS} by vendor_human"]),
        ("the machine is done", reviewed(10.0), ["task_ended 10"]),
        ("still checking, nothing found", {"taskId": "t", "asrStatus": 2}, []),
        (
            "found without an action",
            {"taskId": "t", "asrStatus": 2, "segments": [{"label": 500}]},
            [FAIL_SAFE],
        ),
        (
            "a failure, then the end",
            {"antispam": {"status": "3", "failureReason": "2", "finishType": 0}},
            ["stream_unreachable 2", "task_ended 0"],
        ),
        ("a failure without a status", {"antispam": {"failureReason": 3}}, ["task_failed 3"]),
        ("one bad record of three", [yidun(0, 0), 5, yidun(2, 500)], [PASS, FAIL_SAFE, POLITICS]),
        ("no known block", {"taskId": "t"}, [FAIL_SAFE]),
        ("a block of the wrong kind", {"antispam": "x"}, [FAIL_SAFE]),
        ("a block that judges nobody", {"voice": {"mainGender": "male"}}, []),
        ("a voice that is not silent", {"quality": {"details": {"silent": False}}}, []),
    ],
    Source.YUNXIN_RTC: [
        ("a code as text, numbers as floats", yunxin(sound(2.0, 600.0)) | {"eventType": "401"}, [ABUSE]),
        ("sound and picture", yunxin(sound(2, 200), picture((500, 2, 0.9))), [AD, POLITICS]),
        (
            "the gravest label of a picture under its highest level",
            yunxin(None, picture((500, 1, 0.9), (200, 2, 0.9))),
            [POLITICS],
        ),
        (
            "a picture of low confidence",
            yunxin(None, picture((100, "2", 0.5))),
            ["block porn medium: decision category low-confidence"],
        ),
        ("a picture at level 0", yunxin(None, picture((100, 0, 0.5))), [PASS]),
        (
            "people do not doubt themselves",
            yunxin(None, picture((100, 2, 0.5)), censorSource=0),
            ["block porn high: decision category by vendor_human"],
        ),
        ("sound without an action", yunxin(sound(None, 600, asrStatus=2)), [FAIL_SAFE]),
        (
            "a reviewer's reason is `label`",
            yunxin(reviewEvidences={"action": 3, "label": 824}, censorSource=1),
            ["block minor high: decision category human by customer_human"],
        ),
        (
            "a result, a review, the end",
            yunxin(sound(2, 200), reviewEvidences={"action": 4, "label": 200}, censorSource=0, status="102"),
            [AD, "review ad low: decision category human by vendor_human", "task_ended 102"],
        ),
        ("evidences null", yunxin(evidences=None), []),
        ("no data", {"eventType": 400}, [FAIL_SAFE]),
        ("no eventType", {"data": {}}, [FAIL_SAFE]),
        ("another event", {"eventType": 8, "data": {}}, []),
    ],
}


@pytest.mark.parametrize(
    ("source", "body", "expected"),
    [
        pytest.param(source, body, expected, id=f"{source}: {name}")
        for source, cases in CASES.items()
        for name, body, expected in cases
    ],
)
def test_a_body_gives_what_the_documents_say(source: Source, body: Any, expected: list[str]) -> None:
    assert told(read_body(source, *raw(source, body))) == expected


# --- JSON: a good body of each source, spoilt in the ways that RFC 8259 forbids --------------------------------------

GOOD: dict[Source, dict[str, Any]] = {
    Source.AGORA_VOICE: voice("ad", "block"),
    Source.AGORA_VIDEO: video("porn", "block"),
    Source.AGORA_NCS: notice(3, 202),
    Source.SHUMEI_AUDIO: shumei("REJECT", "ad"),
    Source.SHUMEI_VIDEO: v3(1, 400),
    Source.IFLYTEK_AUDIO: files(file("pass")),
    Source.YIDUN_AUDIO: yidun(2, 500),
    Source.YUNXIN_RTC: yunxin(sound(2, 200)),
}
SPOILT = {
    "NaN": lambda text: text.replace("{", '{"x":NaN,', 1),
    "Infinity": lambda text: text.replace("{", '{"x":-Infinity,', 1),
    "a lone surrogate": lambda text: text.replace("{", r'{"x":"\ud800",', 1),
    "a raw control character": lambda text: text.replace("{", '{"x":"a\tb",', 1),
    "a comment": lambda text: text.replace("{", "{ // x\n", 1),
    "a trailing comma": lambda text: text[:-1] + ",}",
    "something after it": lambda text: text + " x",
    "half of it": lambda text: text[:-1],
    "a string on top": json.dumps,
    "null on top": lambda text: "null",
    "an array on top": lambda text: f"[[{text}]]",
}


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_what_is_not_json_of_the_source_is_unreadable(source: Source, spoil: Any) -> None:
    out = read_body(source, *raw(source, spoil(json.dumps(GOOD[source], ensure_ascii=False))))
    assert told(out) == ([] if source is Source.AGORA_NCS else [FAIL_SAFE])
    assert len(out.faults) == 1


@pytest.mark.parametrize("source", Source)
def test_invalid_utf_8_is_unreadable(source: Source) -> None:
    body, content_type = raw(source, json.dumps(GOOD[source] | {"x": "@"}))
    spoilt = body.replace(b"%40" if source in FIELDS else b"@", b"%FF" if source in FIELDS else b"\xff")
    out = read_body(source, spoilt, content_type)
    assert told(out) == ([] if source is Source.AGORA_NCS else [FAIL_SAFE])


@pytest.mark.parametrize("source", Source)
def test_a_byte_order_mark_spaces_and_a_repeated_key_are_read(source: Source) -> None:
    good = told(read_body(source, *raw(source, GOOD[source])))
    assert good
    for key in GOOD[source]:
        text = f'\ufeff {{"{key}":[],' + json.dumps(GOOD[source], ensure_ascii=False)[1:] + "\r\n"
        assert told(read_body(source, *raw(source, text))) == good


# --- Who, where and when -------------------------------------------------------------------------------------------

TIMES = {"audioStartTime": "2022-10-27 21:08:32", "audioEndTime": "2022-10-27 21:08:42"}

FOUND: list[tuple[Source, str, Any, dict[str, Any]]] = [
    (
        Source.AGORA_VOICE,
        "channel for channelName",
        voice("ad", "block", dataId='{"channel":12}'),
        {"room": "12", "user": None},
    ),
    (
        Source.AGORA_VOICE,
        "a broken dataId",
        voice("ad", "block", dataId="{"),
        {"room": "of the token", "user": None},
    ),
    (Source.AGORA_VOICE, "a rate", voice("ad", "block", 99.91), {"confidence": 0.9991}),
    (Source.AGORA_VIDEO, "ids as floats", video("porn", "block", userId=91.0), {"user": "91"}),
    (
        Source.AGORA_VIDEO,
        "a time as text",
        video("porn", "block", timestamp="20190611073246073"),
        {"occurred_at": "2019-06-11T07:32:46.073Z"},
    ),
    (
        Source.AGORA_VIDEO,
        "a time above 2**53",
        video("porn", "block", timestamp=20190611073246073),
        {"occurred_at": "2019-06-11T07:32:46.073Z"},
    ),
    (Source.AGORA_VIDEO, "a probability as text", video("porn", "block", "0.25"), {"confidence": 0.25}),
    (
        Source.SHUMEI_AUDIO,
        "nobody is user 0",
        shumei("PASS", "normal", auxInfo={"userId": "0"}),
        {"user": None},
    ),
    (
        Source.SHUMEI_AUDIO,
        "an empty user",
        shumei("PASS", "normal", auxInfo={"strUserId": "", "userId": 5}),
        {"user": "5"},
    ),
    (
        Source.SHUMEI_AUDIO,
        "the room in auxInfo first",
        shumei(
            "PASS",
            "normal",
            {"requestParams": {"room": "p", "tokenId": 9}, "passThrough": {"room": "q"}},
            auxInfo={"room": 42},
        ),
        {"room": "42", "account": "9"},
    ),
    (
        Source.SHUMEI_AUDIO,
        "then in requestParams",
        shumei("PASS", "normal", {"requestParams": {"room": "p"}, "passThrough": {"room": "q"}}),
        {"room": "p"},
    ),
    (
        Source.SHUMEI_AUDIO,
        "then in passThrough",
        shumei("PASS", "normal", auxInfo={"passThrough": {"room": "q"}}),
        {"room": "q"},
    ),
    (
        Source.SHUMEI_AUDIO,
        "then in the token",
        shumei("PASS", "normal"),
        {"room": "of the token", "user": None, "task_id": "task", "segment_id": "task_1"},
    ),
    (
        Source.SHUMEI_AUDIO,
        "times of China",
        shumei("PASS", "normal", auxInfo=TIMES),
        {"occurred_at": "2022-10-27T13:08:42.000Z"},
    ),
    (
        Source.SHUMEI_AUDIO,
        "times that are none",
        shumei("PASS", "normal", auxInfo={"audioStartTime": "soon", "audioEndTime": {}}),
        {"occurred_at": RECEIVED, "span": None},
    ),
    (
        Source.SHUMEI_AUDIO,
        "text as sent",
        shumei("PASS", "normal", audioText="  a\n b "),
        {"text": "  a\n b ", "confidence": None},
    ),
    (
        Source.IFLYTEK_AUDIO,
        "the token's room and user",
        files(file("pass")),
        {"room": "of the token", "user": "of the token", "file": "a.mp3", "final": True, "segment_id": None},
    ),
    (
        Source.IFLYTEK_AUDIO,
        "an offset as float",
        files(file("pass", segment("pass", offset=10.0))),
        {"segment_id": "a.mp3#10", "final": False, "occurred_at": RECEIVED},
    ),
    (Source.YIDUN_AUDIO, "an empty speaker", yidun(2, 500, speakerId=""), {"user": None}),
    (Source.YIDUN_AUDIO, "a speaker as a number", yidun(2, 500, speakerId=20001), {"user": "20001"}),
    (
        Source.YIDUN_AUDIO,
        "the echoed room first",
        yidun(2, 500, item={"callback": '{"room":7}'}),
        {"room": "7"},
    ),
    (
        Source.YIDUN_AUDIO,
        "an echo that is no JSON",
        yidun(2, 500, item={"callback": "7"}),
        {"room": "of the token"},
    ),
    (
        Source.YIDUN_AUDIO,
        "the time of a review",
        reviewed(3, 512),
        {"occurred_at": "2022-04-15T05:20:09.000Z"},
    ),
    (
        Source.YIDUN_AUDIO,
        "the winner's rate",
        yidun(2, 200, labels=[{"label": 200, "rate": 0.9}, {"label": 500, "rate": 0.7}]),
        {"confidence": 0.7},
    ),
    (
        Source.YUNXIN_RTC,
        "the largest uid",
        yunxin(sound(2, 200) | {"uid": 2**64 - 1}),
        {"user": "18446744073709551615", "room": "c"},
    ),
    (
        Source.YUNXIN_RTC,
        "a picture's user",
        yunxin(None, picture((100, 2, 0.9))),
        {"user": "8", "media": "image", "confidence": 0.9},
    ),
]


@pytest.mark.parametrize(
    ("source", "body", "fields"),
    [pytest.param(source, body, fields, id=f"{source}: {name}") for source, name, body, fields in FOUND],
)
def test_a_verdict_tells_who_where_and_when(source: Source, body: Any, fields: dict[str, Any]) -> None:
    content, content_type = raw(source, body)
    out = read_body(source, content, content_type, room="of the token", user="of the token")
    assert out.faults == []
    assert {name: getattr(out.verdicts[0], name) for name in fields} == fields


@pytest.mark.parametrize(
    ("source", "body"),
    [
        (Source.AGORA_NCS, notice(1, 101, channelName="c")),
        (Source.AGORA_NCS, notice(1, 108, channelName="c", uid=7, reason=3)),
        (Source.YUNXIN_RTC, {"eventType": 5, "data": {"channelName": "c", "uid": 7}}),
    ],
)
def test_an_event_of_a_room_names_no_task(source: Source, body: dict[str, Any]) -> None:
    (signal,) = read_body(source, *raw(source, body), task_id="c").signals
    assert (signal.room, signal.task_id) == ("c", None)
