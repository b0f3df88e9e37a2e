"""Every signature vector of the vendors' documents, and that what is posted bears the signature it should."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.sources import Source
from simulator.callbacks import agora_ncs, agora_video, agora_voice, yidun_audio, yunxin_rtc
from tests.simulator.support import TARGETS, callbacks, form

ALIYUN_CONTENT = (
    r'{"code":200,"dataId":"{\"channelName\":\"httpClient463224\",\"uid\":\"527841\",\"streamType\":\"audio\"}",'
    '"msg":"OK","results":[{"details":[{"endTime":5,"label":"abuse","startTime":1,"text":"xx"}],"label":"abuse",'
    '"rate":99.91,"scene":"antispam","suggestion":"block"}],"taskId":"vc_s_x","url":"rtmp://x"}'
)

NCS_BODIES = [
    (
        b'{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f",'
        b'"notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}',
        "033c62f40f687675f17f0f41f91a40c71c0f134c",
        "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99",
    ),
    (
        b'{"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","notifyMs":1560408533119,'
        b'"payload":{"a":"1","b":2},"productId":1}',
        "5a3bb6a6d9fad2ea9ae3fb707a14c9d7f3136df1",
        "de96da5acf03b0021ac3b4fa2225e7ae6f3533a30d50bb02c08ea4fa748bda24",
    ),
]

YIDUN_PARAMETERS = {
    "x": "",
    "y": "",
    "arg0": "value-of-arg0",
    "param1": "value-of-param1",
    "input2": "value-of-input2",
    "secretId": "a-secret-id-1",
}

YIDUN_PUSH = (
    '{"antispam":{"taskId":"38e08da8d2574df4bd2eca9b5153df72","dataId":"room-1001",'
    r'"callback":"{\"room\":\"1001\"}",'
    '"censorSource":2,"status":2,"riskLevel":0,"riskScore":0,"evidences":{"suggestion":2,"label":600,'
    '"startTime":1650000000000,"endTime":1650000003200,"content":"示例","speakerId":"20001","segmentId":"seg-1",'
    '"labels":[{"label":600,"level":2,"rate":0.98,"subLabels":[{"subLabel":"600018","rate":0.98,'
    '"details":{"hitInfos":[{"value":"示例"}]}}]}]}},"asr":{"taskId":"38e08da8d2574df4bd2eca9b5153df72",'
    '"startTime":1650000000000,"endTime":1650000003200,"content":"示例","speakerId":"20001"}}'
)


def test_aliyun_checksum_of_the_worked_example() -> None:
    expected = "33e10daf0de23076dd15233ad9a809d7d6968aab2c560ce7631c49bfd6c18d59"
    assert agora_voice.checksum("1234567890123456", "test", ALIYUN_CONTENT) == expected


@pytest.mark.parametrize(("body", "sha1", "sha256"), NCS_BODIES)
def test_ncs_signatures_of_the_documents_examples(body: bytes, sha1: str, sha256: str) -> None:
    assert agora_ncs.signatures("secret", body) == {"Agora-Signature": sha1, "Agora-Signature-V2": sha256}


@pytest.mark.parametrize(
    ("method", "digest"),
    [
        (None, "24080052f8f2a630cfb17d4c5426784d"),
        ("md5", "f367a2956a80ae92eded1d8798357513"),
        ("sha1", "cb14b0d023925b91e90bb24acc93ce206ebd42ce"),
        ("sha256", "36a8270f76d769e120e6d178b6d0ded81093ca11cb930e4bdbf5559a34f4c222"),
    ],
)
def test_yidun_signatures_of_the_vendors_sdk(method: str | None, digest: str) -> None:
    parameters = YIDUN_PARAMETERS | ({"signatureMethod": method} if method else {})
    assert yidun_audio.signature(parameters, "a-secret-key-1") == digest


def test_yidun_sm3_of_the_vendors_sdk() -> None:
    # A form whose signed text is `a-string-to-hash`, but for the method that has to be named in it.
    signed = yidun_audio.signature({"signatureMethod": "SM3", "z": ""}, "")
    assert signed == hashlib.new("sm3", b"signatureMethodSM3z").hexdigest()
    assert yidun_audio._sm3(b"a-string-to-hash") == (
        "10bd18e0e96b6e9d79f8726c04df6c5aecdda4cf3f8e5c227c76eb3d3c850498"
    )
    assert yidun_audio._sm3(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_yidun_signature_of_the_documents_text_example() -> None:
    parameters = {"foo": "1", "bar": "2", "foo_bar": "3", "baz": "4"}
    digest = yidun_audio.signature(parameters, "6308afb129ea00301bd7c79621d07591")
    assert digest == "730b0588690874dde18fa58cb1301787"


@pytest.mark.parametrize(
    ("parameters", "digest"),
    [
        (
            {
                "businessId": "a-business-id-1",
                "callback": "room1001",
                "callbackUrl": "https://recv.example.com/yidun",
                "nonce": "12345678",
                "secretId": "a-secret-id-1",
                "signatureMethod": "MD5",
                "timestamp": "1650000000000",
                "url": "yunxin://900000000001:42753e0ade9b4ebfbe31c363a8177ce3@appkey1/room1001",
                "version": "v3.1",
            },
            "2578fd994b636e45cdbce4469d30bca5",
        ),
        (
            {
                "version": "v1.0",
                "feedbacks": '[{"taskId":"38e08da8d2574df4bd2eca9b5153df72","status":100}]',
                "timestamp": "1650000000000",
                "nonce": "12345678",
                "secretId": "a-secret-id-1",
                "businessId": "a-business-id-1",
            },
            "0a651c4e321a4e5581f15c018df85a0f",
        ),
        (
            {"businessId": "a-business-id-1", "callbackData": YIDUN_PUSH, "secretId": "a-secret-id-1"},
            "414ae585371921b8fadf54dbcd30e1c2",
        ),
        (
            {
                "businessId": "a-business-id-1",
                "callbackData": YIDUN_PUSH,
                "secretId": "a-secret-id-1",
                "signatureMethod": "SHA256",
            },
            "0498f61e1e7183d87882616e8f09b071efd416d70ee7144f12a0a0baada6e354",
        ),
    ],
)
def test_yidun_signatures_of_the_worked_requests(parameters: dict[str, str], digest: str) -> None:
    assert yidun_audio.signature(parameters, "a-secret-key-1") == digest


def test_yunxin_checksum_of_the_worked_example() -> None:
    body = b'{"eventType":400,"data":{"channelId":43677571680222}}'
    assert yunxin_rtc.signatures("app-secret-1", body, 1440570500855) == {
        "CurTime": "1440570500855",
        "MD5": "528dd175c56d03a85bd5f1dc893e8f19",
        "CheckSum": "73a569b0f213e7e3a85a81b800cc38fe91c95d90",
        "type": "G2",
    }


def test_agora_voice_posts_a_form_with_a_checksum_over_the_content_as_it_stands() -> None:
    secrets = TARGETS[Source.AGORA_VOICE].secrets
    for malformed in (False, True):
        for callback, _ in callbacks(Source.AGORA_VOICE, malformed=malformed):
            assert callback.content_type == "application/x-www-form-urlencoded"
            fields = form(callback.body)
            assert set(fields) == {"checksum", "content"}
            signed = f"{secrets['uid']}{secrets['seed']}{fields['content']}"
            assert fields["checksum"] == hashlib.sha256(signed.encode()).hexdigest()


def test_agora_ncs_signs_the_raw_body_twice() -> None:
    key = TARGETS[Source.AGORA_NCS].secrets["secret"].encode()
    for malformed in (False, True):
        for callback, _ in callbacks(Source.AGORA_NCS, malformed=malformed):
            sha1 = hmac.new(key, callback.body, "sha1").hexdigest()
            sha256 = hmac.new(key, callback.body, "sha256").hexdigest()
            assert callback.headers == {"Agora-Signature": sha1, "Agora-Signature-V2": sha256}


def test_yidun_signs_every_field_but_the_signature_by_each_method() -> None:
    key = TARGETS[Source.YIDUN_AUDIO].secrets["secret_key"]
    methods = set()
    for malformed in (False, True):
        for callback, _ in callbacks(Source.YIDUN_AUDIO, malformed=malformed):
            fields = form(callback.body)
            signature = fields.pop("signature")
            text = "".join(name + fields[name] for name in sorted(fields)) + key
            method = fields.get("signatureMethod", "MD5")
            assert signature == hashlib.new(method.lower(), text.encode()).hexdigest()
            methods.add(fields.get("signatureMethod"))
    assert methods == {None, "MD5", "SHA1", "SHA256", "SM3"}


def test_yunxin_signs_with_milliseconds() -> None:
    secret = TARGETS[Source.YUNXIN_RTC].secrets["app_secret"]
    for callback, _ in callbacks(Source.YUNXIN_RTC):
        md5 = hashlib.md5(callback.body).hexdigest()
        assert callback.headers["CurTime"] == "1763712000000"
        assert callback.headers["MD5"] == md5
        signed = f"{secret}{md5}1763712000000"
        assert callback.headers["CheckSum"] == hashlib.sha1(signed.encode()).hexdigest()


def test_agora_video_puts_its_checksum_inside() -> None:
    address = TARGETS[Source.AGORA_VIDEO].secrets["callback_addr"]
    for callback, _ in callbacks(Source.AGORA_VIDEO):
        body = json.loads(callback.body)
        signed = f"{address}{body['code']}{body['object']}{body['requestId']}"
        assert body["checksum"] == hashlib.md5(signed.encode()).hexdigest()


@pytest.mark.parametrize("source", [Source.SHUMEI_AUDIO, Source.SHUMEI_VIDEO, Source.IFLYTEK_AUDIO])
def test_shumei_and_iflytek_sign_nothing(source: Source) -> None:
    assert all(callback.headers == {} for callback, _ in callbacks(source))


@given(uid=st.text(max_size=20), seed=st.text(max_size=64), content=st.text(max_size=200))
def test_a_changed_character_changes_the_aliyun_checksum(uid: str, seed: str, content: str) -> None:
    assert agora_voice.checksum(uid, seed, content) != agora_voice.checksum(uid, seed, content + "x")


@given(
    st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=50), max_size=8), st.text(max_size=30)
)
def test_yidun_signature_does_not_depend_on_the_order_of_fields(fields: dict[str, str], key: str) -> None:
    fields.pop("signatureMethod", None)
    reordered = dict(reversed(fields.items()))
    assert yidun_audio.signature(fields, key) == yidun_audio.signature(reordered, key)


def test_agora_videos_checksum_covers_all_four_values() -> None:
    base = ("http://a", 200, "o.jpg", "r1")
    changed = [
        ("http://b", 200, "o.jpg", "r1"),
        ("http://a", 201, "o.jpg", "r1"),
        ("http://a", 200, "p.jpg", "r1"),
    ]
    values = {agora_video.checksum(*base), agora_video.checksum("http://a", 200, "o.jpg", "r2")}
    values |= {agora_video.checksum(*other) for other in changed}
    assert len(values) == 5
