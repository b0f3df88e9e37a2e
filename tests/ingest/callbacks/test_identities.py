"""Which records are the same, and which ones keep their order: source by source."""

from urllib.parse import urlencode

import orjson
import pytest

from ingest.callbacks import Identity, identify
from ingest.callbacks.fields import digest
from moderato.sources import Source
from tests.ingest import samples

FORM = "application/x-www-form-urlencoded"
BOM = b"\xef\xbb\xbf"


def by_digest(body: bytes, task: str | None = None) -> Identity:
    return Identity(digest(body), task or digest(body))


# --- Shumei


def test_a_shumei_segment_and_the_end_of_its_task_share_the_task() -> None:
    segment = identify(Source.SHUMEI_AUDIO, b'{"requestId":"t1_3","statCode":0}')
    end = identify(Source.SHUMEI_AUDIO, b'{"requestId":"t1","statCode":1}')
    assert (segment, end) == (Identity("t1_3:0", "t1"), Identity("t1:1", "t1"))


def test_shumeis_stat_code_may_be_text_or_missing() -> None:
    assert identify(Source.SHUMEI_VIDEO, b'{"requestId":"t_vs1_2","statCode":"1"}').id == "t_vs1_2:1"
    assert identify(Source.SHUMEI_VIDEO, b'{"requestId":"t_vs1_2","statCode":null}').id == "t_vs1_2"


def test_a_shumei_reviewer_does_not_overwrite_the_machine_nor_an_earlier_reviewer() -> None:
    machine = b'{"requestId":"t1_3","code":1100}'
    first = b'{"requestId":"t1_3","serviceId":"POST_AUDIOSTREAM","result":{"operation":1}}'
    second = b'{"requestId":"t1_3","serviceId":"POST_AUDIOSTREAM","result":{"operation":3}}'
    found = [identify(Source.SHUMEI_AUDIO, body) for body in (machine, first, second)]
    assert len({identity.id for identity in found}) == 3
    assert {identity.task for identity in found} == {"t1"}
    assert found[1].id == f"t1_3:POST_AUDIOSTREAM:{digest(first)}"


def test_a_byte_order_mark_changes_no_id() -> None:
    assert identify(Source.SHUMEI_AUDIO, BOM + samples.SHUMEI_AUDIO) == identify(
        Source.SHUMEI_AUDIO, samples.SHUMEI_AUDIO
    )


def test_numbers_may_be_ids() -> None:
    assert identify(Source.SHUMEI_AUDIO, b'{"requestId":12,"statCode":1.0}') == Identity("12:1", "12")
    assert identify(Source.SHUMEI_AUDIO, b'{"requestId":true}').id == digest(b'{"requestId":true}')


def test_a_task_that_would_be_empty_is_the_id() -> None:
    assert identify(Source.SHUMEI_AUDIO, b'{"requestId":"_1"}') == Identity("_1", "_1")


def test_an_id_longer_than_any_vendors_is_replaced_by_its_digest() -> None:
    long = "x" * 511
    assert identify(Source.AGORA_VIDEO, orjson.dumps({"requestId": long})).id == long
    longer = "x" * 512
    assert identify(Source.AGORA_VIDEO, orjson.dumps({"requestId": longer})).id == digest(longer.encode())
    wide = "房" * 171
    assert identify(Source.AGORA_VIDEO, orjson.dumps({"requestId": wide})).id == digest(wide.encode())


# --- Agora


def test_agora_voice_tells_the_results_of_a_task_apart_by_their_content() -> None:
    contents = ('{"taskId":"vc_s_1","code":200}', '{"taskId":"vc_s_1","code":280}')
    found = [
        identify(Source.AGORA_VOICE, urlencode({"checksum": "c", "content": content}).encode(), FORM)
        for content in contents
    ]
    assert [identity.id for identity in found] == [f"vc_s_1:{digest(text.encode())}" for text in contents]
    assert {identity.task for identity in found} == {"vc_s_1"}


@pytest.mark.parametrize(
    ("body", "task"),
    [
        (b'{"resourceId":"r","sid":"38f8","serverResponse":{}}', "38f8"),
        (b'{"taskId":"vc_s_1","sid":"38f8"}', "vc_s_1"),
        (b"{}", None),
    ],
)
def test_an_agora_voice_query_is_known_by_its_digest(body: bytes, task: str | None) -> None:
    assert identify(Source.AGORA_VOICE, body, "application/json") == by_digest(body, task)


def test_agora_voice_content_has_one_id_in_a_form_and_in_json() -> None:
    as_json = orjson.dumps({"checksum": "c", "content": samples.AGORA_VOICE_CONTENT})
    assert identify(Source.AGORA_VOICE, as_json) == identify(Source.AGORA_VOICE, samples.AGORA_VOICE, FORM)


@pytest.mark.parametrize(
    "body", [b"content=", b"content=nojson", b"checksum=1", b"content=%ff", b"content=%5B1%5D"]
)
def test_an_agora_voice_form_without_a_task_is_known_by_its_digest(body: bytes) -> None:
    assert identify(Source.AGORA_VOICE, body, FORM) == by_digest(body)


@pytest.mark.parametrize(
    ("file", "task"),
    [
        (
            "a/20201216/38f8e3cfdc474cd56fc1ceba380d7e1a_room_1__uid_s_91__uid_e_video_2020.jpg",
            "38f8e3cfdc474cd56fc1ceba380d7e1a",
        ),
        ("38f8e3cfdc474cd56fc1ceba380d7e1a", "38f8e3cfdc474cd56fc1ceba380d7e1a"),
        ("38f8e3cfdc474cd56fc1ceba380d7e1ab_room.jpg", "room-1"),
        ("short_room.jpg", "room-1"),
        (None, "room-1"),
    ],
)
def test_the_agora_video_task_is_the_session_id_in_the_file_name(file: str | None, task: str) -> None:
    body = orjson.dumps({"requestId": "r", "object": file, "channelName": "room-1"})
    assert identify(Source.AGORA_VIDEO, body) == Identity("r", task)


def test_an_agora_notice_keeps_its_id_when_it_is_sent_again() -> None:
    again = samples.AGORA_NCS_ERROR.replace(b"1611566412672", b"1611566499999")
    expected = Identity("2000001428:4330:107", "38f8e3cfdc474cd56fc1ceba380d7e1a")
    assert identify(Source.AGORA_NCS, samples.AGORA_NCS_ERROR) == expected
    assert identify(Source.AGORA_NCS, again) == expected


def test_an_agora_notice_without_id_is_known_by_its_place_in_the_session() -> None:
    body = b'{"eventType":41,"payload":{"sid":"s1","sequence":7,"cname":"room"}}'
    assert identify(Source.AGORA_NCS, body) == Identity("s1:7:41", "s1")
    partial = b'{"eventType":103,"payload":{"channelName":"room","clientSeq":1}}'
    assert identify(Source.AGORA_NCS, partial) == by_digest(partial, "room")


# --- Yidun


def push(data: object) -> bytes:
    text = data if isinstance(data, str) else orjson.dumps(data).decode()
    return urlencode({"secretId": "a", "callbackData": text, "signature": "s"}).encode()


def test_a_yidun_push_and_the_polled_item_of_the_same_result_have_one_id() -> None:
    item = orjson.loads(samples.YIDUN_DATA)
    polled = orjson.dumps(dict(reversed(item.items())))
    assert polled != samples.YIDUN_DATA.encode()
    pushed = identify(Source.YIDUN_AUDIO, samples.YIDUN, FORM)
    assert identify(Source.YIDUN_AUDIO, polled, "application/json") == pushed
    assert identify(Source.YIDUN_AUDIO, polled) == pushed


def without_digest(identity: Identity) -> str:
    return identity.id.rpartition(":")[0]


@pytest.mark.parametrize(
    ("data", "id"),
    [
        ({"antispam": {"taskId": "t", "status": 3, "failureReason": 2}}, "t:result:::"),
        (
            {
                "antispam": {
                    "taskId": "t",
                    "censorSource": 0,
                    "reviewEvidences": {"action": 3, "speakerId": "7"},
                }
            },
            "t:reviewEvidences::7:0",
        ),
        ({"asr": {"taskId": "t", "startTime": 10, "endTime": 20, "speakerId": 7}}, "t:asr:10-20:7:"),
        ({"language": {"taskId": "t", "segmentId": "9", "startTime": 1}}, "t:language:9::"),
        # Version 3: two arrays; before that, flat, maybe in an array.
        ({"antispam": [{"taskId": "t", "evidences": {"segmentId": "1"}}], "asr": []}, "t:evidences:1::"),
        ({"antispam": [], "asr": [{"taskId": "t", "startTime": 5}]}, "t:asr:5-::"),
        (
            {"taskId": "t", "censorSource": 2, "evidences": {"startTime": 1, "endTime": 2}},
            "t:evidences:1-2::2",
        ),
        ([{"taskId": "t", "evidences": {}}, {"taskId": "u"}], "t:result:::"),
        ({"taskId": "t", "action": 2, "startTime": 3, "endTime": 4, "segments": []}, "t:result:3-4::"),
    ],
)
def test_every_yidun_layout_says_what_it_is_about(data: object, id: str) -> None:
    identity = identify(Source.YIDUN_AUDIO, push(data), FORM)
    assert without_digest(identity) == id
    assert identity.task == "t"


def test_two_yidun_results_of_one_segment_differ() -> None:
    first = {"antispam": {"taskId": "t", "evidences": {"segmentId": "1", "suggestion": 1}}}
    second = {"antispam": {"taskId": "t", "evidences": {"segmentId": "1", "suggestion": 2}}}
    assert (
        identify(Source.YIDUN_AUDIO, push(first), FORM).id
        != identify(Source.YIDUN_AUDIO, push(second), FORM).id
    )


@pytest.mark.parametrize(
    "body", [push("nojson"), push("[]"), push("{}"), b"secretId=a", b"callbackData=%ff", b"[]"]
)
def test_a_yidun_push_without_a_task_is_known_by_its_digest(body: bytes) -> None:
    assert identify(Source.YIDUN_AUDIO, body, FORM) == by_digest(body)


def test_a_yidun_result_nested_deeper_than_can_be_written_is_known_by_its_text() -> None:
    text = '{"taskId":"t","a":' + "[" * 300 + "]" * 300 + "}"
    identity = identify(Source.YIDUN_AUDIO, push(text), FORM)
    assert identity == Identity(f"t:result::::{digest(text.encode())}", "t")


# --- iFlytek and Yunxin


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":"000000","data":{"request_id":"T1","audit_status":2}}',
        b'{"request_id":"T1","audit_status":"2","result_list":[]}',
    ],
)
def test_iflytek_with_and_without_its_envelope(body: bytes) -> None:
    assert identify(Source.IFLYTEK_AUDIO, body) == Identity("T1:2", "T1")


def test_iflytek_without_status_keeps_its_task() -> None:
    body = b'{"data":{"request_id":"T1"}}'
    assert identify(Source.IFLYTEK_AUDIO, body) == by_digest(body, "T1")


@pytest.mark.parametrize(
    ("body", "task"),
    [
        (b'{"eventType":400,"data":{"taskId":"66","channelId":1,"channelName":"r"}}', "66"),
        (b'{"eventType":1,"data":{"channelId":43677571680222,"channelName":"r"}}', "43677571680222"),
        (b'{"eventType":"5","channelName":"r"}', "r"),
        (b'{"eventType":1,"data":[]}', None),
    ],
)
def test_yunxin_is_known_by_its_digest_and_ordered_by_task_or_room(body: bytes, task: str | None) -> None:
    assert identify(Source.YUNXIN_RTC, body) == by_digest(body, task)
