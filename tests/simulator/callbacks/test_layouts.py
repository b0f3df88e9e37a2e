"""That each vendor's layouts and quirks occur, as its documents show them."""

import json
from typing import Any

from moderato.sources import Source
from simulator.callbacks import make, yidun_audio
from tests.simulator.support import TASK, callbacks, content, moment

SEEDS = range(120)


def contents(source: Source) -> list[Any]:
    return [content(callback) for callback, _ in callbacks(source, SEEDS)]


def test_agora_voice_is_one_object_whose_data_id_is_json_text() -> None:
    bodies = contents(Source.AGORA_VOICE)
    rooms = [json.loads(body["dataId"]) for body in bodies]
    assert {frozenset(room) for room in rooms} == {
        frozenset({"channelName", "uid", "streamType"}),
        frozenset({"channel", "uid", "streamType"}),
    }
    results = [body["results"][0] for body in bodies if "results" in body]
    assert {result["suggestion"] for result in results} == {"pass", "review", "block"}
    assert all(0 <= result["rate"] <= 100 for result in results)
    starts = [result["details"][0]["startTime"] for result in results]
    assert any(start >= 1_000_000_000 for start in starts)
    assert any(start < 1000 for start in starts)
    assert {body["code"] for body in bodies} >= {200, 280, 480, 592}


def test_agora_video_names_the_object_as_documented() -> None:
    bodies = contents(Source.AGORA_VIDEO)
    for body in bodies:
        head, _, rest = body["object"].rpartition("__uid_s_")
        uid, _, tail = rest.partition("__uid_e_video_")
        assert head.endswith(f"/{TASK}_{body['channelName']}")
        assert uid == body["userId"]
        assert tail == f"{body['timestamp']}.jpg"
        assert body["timestamp"] > 2**53
    assert any("result" in body for body in bodies)
    assert {body.get("suggestion") for body in bodies} >= {"pass", "Pass", "review", "block", "Block", None}
    for body in bodies:
        if judged := body.get("results") or body.get("result"):
            outputs = judged["porn"]["outputs"]
            assert abs(sum(outputs.values()) - 1) < 1e-6


def test_agora_ncs_tells_of_tasks_and_of_channels() -> None:
    events = {(body["productId"], body["eventType"]) for body in contents(Source.AGORA_NCS)}
    assert events >= {(3, event) for event in (1, 11, 31, 201, 202, 203)}
    assert events >= {(1, event) for event in (101, 102, 103, 104, 105, 106, 107, 108)}
    reasons = {body["payload"].get("reason") for body in contents(Source.AGORA_NCS)}
    assert 3 in reasons  # kicked through the banning API


def test_shumei_audio_has_all_its_layouts() -> None:
    bodies = contents(Source.SHUMEI_AUDIO)
    nested = [body["audioDetail"] for body in bodies if "audioDetail" in body]
    flat = [body for body in bodies if "riskLabel1" in body]
    v2 = [body["detail"] for body in bodies if "detail" in body]
    ends = [body for body in bodies if body.get("statCode") == 1]
    reviews = [body for body in bodies if "serviceId" in body]
    assert all((nested, flat, v2, ends, reviews))
    assert {detail["riskLevel"] for detail in nested} == {"PASS", "REVIEW", "REJECT"}
    assert any(isinstance(detail["auxInfo"].get("userId"), int) for detail in nested)
    assert any(isinstance(detail["auxInfo"].get("strUserId"), str) for detail in nested)
    assert any(body["message"] == "Success" for body in bodies if "message" in body)
    assert all("audioEndtime" in body["riskDetail"] and "btid" in body for body in flat)
    assert all("audio_starttime" in detail and isinstance(detail["riskType"], int) for detail in v2)
    assert {end["auxInfo"].get("errorCode") for end in ends} >= {None, 3005}
    assert {body.get("code") for body in bodies} >= {1100, 1903, 1904}


def test_shumei_times_are_shanghais() -> None:
    callback, _ = make(Source.SHUMEI_VIDEO, "http://x", moment(Source.SHUMEI_VIDEO, 1, decision="block"))
    assert "2025-11-21 15:59:59" in callback.body.decode()


def test_shumei_positions_point_at_the_keyword() -> None:
    seen = 0
    for body in contents(Source.SHUMEI_AUDIO):
        detail = body.get("audioDetail", {})
        for segment in detail.get("riskDetail", {}).get("riskSegments", []):
            text = "".join(detail["audioText"][position] for position in segment["position"])
            assert text == segment["segment"]
            seen += 1
    assert seen > 20


def test_shumei_video_has_frames_and_audio_in_three_versions() -> None:
    bodies = contents(Source.SHUMEI_VIDEO)
    assert {body.get("contentType") for body in bodies} >= {1, 2}
    assert any("frameDetail" in body for body in bodies)
    assert any("audioDetail" in body for body in bodies)
    assert any("imgUrl" in body.get("detail", {}) for body in bodies)
    assert any("audioUrl" in body.get("detail", {}) for body in bodies)
    assert any("videoDetail" in body for body in bodies)
    assert any(body.get("pullStreamSuccess") is False for body in bodies)


def test_iflytek_judges_each_segment_and_the_file() -> None:
    for callback, _ in callbacks(Source.IFLYTEK_AUDIO, SEEDS):
        data = content(callback).get("data", content(callback))
        decisions = [
            judged["suggest"]
            for file in data.get("result_list", [])
            for judged in (*file["detail"]["audios"], file)
        ]
        assert decisions == [judged.decision for judged in callback.expected.judgements]


def test_iflytek_comes_with_and_without_its_envelope_and_with_both_kinds_of_offset() -> None:
    bodies = contents(Source.IFLYTEK_AUDIO)
    assert {"code" in body for body in bodies} == {True, False}
    data = [body.get("data", body) for body in bodies]
    assert {item["audit_status"] for item in data} == {0, 1, 2, 4}
    offsets = [
        audio["offsetTime"]
        for item in data
        for file in item.get("result_list", [])
        for audio in file["detail"]["audios"]
    ]
    assert {type(offset) for offset in offsets} == {int, str}


def test_yidun_has_all_its_shapes() -> None:
    bodies = contents(Source.YIDUN_AUDIO)
    objects = [body for body in bodies if isinstance(body, dict)]
    assert len(objects) < len(bodies)  # arrays of several results
    antispam = [body["antispam"] for body in objects if "antispam" in body]
    assert {type(item) for item in antispam} == {dict, list}
    v4 = [item for item in antispam if isinstance(item, dict)]
    assert any("evidences" in item for item in v4)
    assert any("reviewEvidences" in item for item in v4)
    assert any(item["status"] == 3 for item in v4)
    assert any("finishType" in item for item in v4)
    assert any("evidences" in body for body in objects)  # v3, flat
    assert any("action" in body for body in objects)  # v1
    assert {name for body in objects for name in body} >= {"asr", "quality", "voice", "language"}


def test_yidun_echoes_the_room_in_its_callback() -> None:
    told = yidun_audio.v4(moment(Source.YIDUN_AUDIO, decision="block"))
    assert json.loads(told.content["antispam"]["callback"])["room"] == "live-1001"
    assert len(told.content["antispam"]["callback"]) <= 512


def test_yunxin_copies_hits_and_room_events_only() -> None:
    bodies = contents(Source.YUNXIN_RTC)
    assert {body["eventType"] for body in bodies} == {1, 2, 4, 5, 8, 400}
    hits = [body["data"] for body in bodies if body["eventType"] == 400]
    evidences = [hit["evidences"] for hit in hits if "evidences" in hit]
    assert all(evidence["audio"]["action"] for evidence in evidences if "audio" in evidence)
    assert any("video" in evidence for evidence in evidences)
    assert any("reviewEvidences" in hit for hit in hits)
    assert any(hit["status"] == 102 for hit in hits)
    assert any(isinstance(item["audio"]["action"], float) for item in evidences if "audio" in item)


def test_a_label_that_nobody_knows_yet_turns_up_now_and_then() -> None:
    labels = {
        judged.label
        for callback, _ in callbacks(Source.IFLYTEK_AUDIO, range(300))
        for judged in callback.expected.judgements
    }
    assert "deepSynthesis" in labels
