"""Every worked vector of the vendors' documents, and properties that a signature must have."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import signatures
from tests.ingest import samples

SDK_FIELDS = {
    "x": "",
    "y": "",
    "arg0": "value-of-arg0",
    "param1": "value-of-param1",
    "input2": "value-of-input2",
    "secretId": "a-secret-id-1",
}
CHECK = {
    "businessId": "a-business-id-1",
    "callback": "room1001",
    "callbackUrl": "https://recv.example.com/yidun",
    "nonce": "12345678",
    "secretId": "a-secret-id-1",
    "signatureMethod": "MD5",
    "timestamp": "1650000000000",
    "url": "yunxin://900000000001:42753e0ade9b4ebfbe31c363a8177ce3@appkey1/room1001",
    "version": "v3.1",
}
FEEDBACK = {
    "version": "v1.0",
    "feedbacks": '[{"taskId":"38e08da8d2574df4bd2eca9b5153df72","status":100}]',
    "timestamp": "1650000000000",
    "nonce": "12345678",
    "secretId": "a-secret-id-1",
    "businessId": "a-business-id-1",
}


def test_aliyuns_checksum() -> None:
    given = signatures.aliyun_checksum("1234567890123456", "test", samples.AGORA_VOICE_CONTENT)
    assert given == samples.AGORA_VOICE_CHECKSUM


def test_a_rooms_own_seed() -> None:
    seed = signatures.room_seed("accessSecret", "httpClient463224")
    assert seed == "27fcaf9a579a489f1d216fc88d125fce491548bd5a9720348172a7247abda011"


NCS_SHORT = (
    b'{"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","notifyMs":1560408533119,'
    b'"payload":{"a":"1","b":2},"productId":1}'
)


@pytest.mark.parametrize(
    ("body", "sha1", "sha256"),
    [
        (samples.AGORA_NCS, samples.AGORA_NCS_SHA1, samples.AGORA_NCS_SHA256),
        (
            NCS_SHORT,
            "5a3bb6a6d9fad2ea9ae3fb707a14c9d7f3136df1",
            "de96da5acf03b0021ac3b4fa2225e7ae6f3533a30d50bb02c08ea4fa748bda24",
        ),
    ],
)
def test_agoras_notification_service(body: bytes, sha1: str, sha256: str) -> None:
    assert signatures.ncs_hmac("secret", body, "sha1") == sha1
    assert signatures.ncs_hmac("secret", body, "sha256") == sha256


@pytest.mark.parametrize(
    ("method", "digest"),
    [
        (None, "24080052f8f2a630cfb17d4c5426784d"),
        ("md5", "f367a2956a80ae92eded1d8798357513"),
        ("sha1", "cb14b0d023925b91e90bb24acc93ce206ebd42ce"),
        ("sha256", "36a8270f76d769e120e6d178b6d0ded81093ca11cb930e4bdbf5559a34f4c222"),
    ],
)
def test_yiduns_own_test_vectors(method: str | None, digest: str) -> None:
    fields = SDK_FIELDS if method is None else {**SDK_FIELDS, "signatureMethod": method}
    assert signatures.yidun_signature(fields, "a-secret-key-1") == digest


def test_yiduns_document_example() -> None:
    fields = {"foo": "1", "bar": "2", "foo_bar": "3", "baz": "4"}
    signature = signatures.yidun_signature(fields, "6308afb129ea00301bd7c79621d07591")
    assert signature == "730b0588690874dde18fa58cb1301787"


@pytest.mark.parametrize(
    ("fields", "digest"),
    [
        (CHECK, "2578fd994b636e45cdbce4469d30bca5"),
        (FEEDBACK, "0a651c4e321a4e5581f15c018df85a0f"),
        (samples.YIDUN_FIELDS, samples.YIDUN_MD5),
        ({**samples.YIDUN_FIELDS, "signatureMethod": "SHA256"}, samples.YIDUN_SHA256),
    ],
)
def test_yiduns_requests_and_pushes(fields: dict[str, str], digest: str) -> None:
    assert signatures.yidun_signature(fields, "a-secret-key-1") == digest
    # The signature itself is not signed.
    assert signatures.yidun_signature({**fields, "signature": "x"}, "a-secret-key-1") == digest


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("a-string-to-hash", "10bd18e0e96b6e9d79f8726c04df6c5aecdda4cf3f8e5c227c76eb3d3c850498"),
        ("abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    ],
)
def test_yiduns_sm3(text: str, digest: str) -> None:
    # What is hashed is "signatureMethodSM3" and the key, so that the vector is a key without the prefix.
    assert signatures._YIDUN_DIGESTS["SM3"](text.encode()) == digest
    signed = signatures.yidun_signature({"signatureMethod": "sm3"}, "key")
    assert signed == signatures._YIDUN_DIGESTS["SM3"](b"signatureMethodsm3key")


def test_yiduns_unknown_method_says_which_are_known() -> None:
    with pytest.raises(ValueError, match="MD5, SHA1, SHA256, SM3"):
        signatures.yidun_signature({"signatureMethod": "CRC32"}, "key")


def test_yunxins_copy_callback() -> None:
    assert hashlib.md5(samples.YUNXIN).hexdigest() == samples.YUNXIN_HEADERS["MD5"]
    checksum = signatures.yunxin_checksum("app-secret-1", samples.YUNXIN, "1440570500855")
    assert checksum == samples.YUNXIN_HEADERS["CheckSum"]


def test_agoras_video_checksum_joins_its_four_values_as_listed() -> None:
    expected = hashlib.md5(b"http://a/cb200a.jpgr-1").hexdigest()
    assert signatures.agora_video_checksum("http://a/cb", "200", "a.jpg", "r-1") == expected


@given(st.text())
def test_digests_compare_without_case_and_never_raise(text: str) -> None:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    assert signatures.same_digest(digest, f" {digest.upper()} ")
    assert not signatures.same_digest(digest, text)


@given(st.dictionaries(st.text(), st.text()), st.text(), st.text(min_size=1))
def test_any_change_of_a_signed_field_changes_yiduns_signature(
    fields: dict[str, str], key: str, more: str
) -> None:
    fields = {name: value for name, value in fields.items() if name != "signatureMethod"}
    fields["zz"] = ""
    try:
        before = signatures.yidun_signature(fields, key)
        after = signatures.yidun_signature({**fields, "zz": more}, key)
    except UnicodeEncodeError:
        return  # no form decodes to half a surrogate pair
    assert before != after
