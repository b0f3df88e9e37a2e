"""Which callbacks are authentic: source by source, with the vectors of the vendors' documents."""

from collections.abc import Mapping
from urllib.parse import urlencode

import orjson
import pytest
from multidict import CIMultiDict

from ingest.callbacks import CALLBACKS
from ingest.callbacks.contract import Delivery
from ingest.refusals import Refused
from ingest.signatures import agora_video_checksum, aliyun_checksum, room_seed, yidun_signature
from moderato.sources import Source
from tests.ingest import samples
from tests.ingest.support import SECRETS


def verdict(
    source: Source, body: bytes, headers: Mapping[str, str] = {}, secrets: Mapping[str, str] | None = None
) -> str:
    """ "authentic", or the error code and its detail."""
    verify = CALLBACKS[source].verify
    assert verify is not None
    try:
        verify(Delivery(body, "", CIMultiDict(headers)), SECRETS[source] if secrets is None else secrets)
    except Refused as refused:
        return str(refused)
    return "authentic"


@pytest.mark.parametrize("source", [source for source in Source if CALLBACKS[source].needs])
def test_the_vendors_own_vectors_are_authentic(source: Source) -> None:
    sample = samples.SAMPLES[source]
    assert verdict(source, sample.body, sample.headers) == "authentic"


@pytest.mark.parametrize("source", [source for source in Source if CALLBACKS[source].needs])
def test_with_another_secret_they_are_not(source: Source) -> None:
    sample = samples.SAMPLES[source]
    for name in SECRETS[source]:
        secrets = {**SECRETS[source], name: "another"}
        assert verdict(source, sample.body, sample.headers, secrets).startswith("bad_signature: ")


# --- Agora voice


def voice(content: str, checksum: str) -> bytes:
    return urlencode({"checksum": checksum, "content": content}).encode()


def test_an_upper_case_checksum_is_the_same_one() -> None:
    body = voice(samples.AGORA_VOICE_CONTENT, samples.AGORA_VOICE_CHECKSUM.upper())
    assert verdict(Source.AGORA_VOICE, body) == "authentic"


@pytest.mark.parametrize("body", [b"content=x", b"checksum=x", b"checksum=&content=x", b"{}"])
def test_a_voice_form_without_its_fields_has_no_signature(body: bytes) -> None:
    assert verdict(Source.AGORA_VOICE, body).startswith("missing_signature: ")


@pytest.mark.parametrize("key", ["channelName", "channel"])
def test_the_seed_of_a_room_is_made_from_its_name(key: str) -> None:
    content = orjson.dumps({"taskId": "t", "dataId": orjson.dumps({key: "room-1"}).decode()}).decode()
    secrets = {"uid": "1", "seed_key": "accessSecret"}
    checksum = aliyun_checksum("1", room_seed("accessSecret", "room-1"), content)
    assert verdict(Source.AGORA_VOICE, voice(content, checksum), {}, secrets) == "authentic"
    assert verdict(Source.AGORA_VOICE, voice(content + " ", checksum), {}, secrets).startswith(
        "bad_signature"
    )


@pytest.mark.parametrize("content", ["nojson", "{}", '{"dataId":7}', '{"dataId":"{}"}'])
def test_without_a_room_there_is_no_seed_to_match(content: str) -> None:
    checksum = aliyun_checksum("1", room_seed("k", "room-1"), content)
    secrets = {"uid": "1", "seed_key": "k"}
    assert verdict(Source.AGORA_VOICE, voice(content, checksum), {}, secrets).startswith("bad_signature")


# --- Agora's notification service


@pytest.mark.parametrize("header", ["Agora-Signature", "agora-signature-v2"])
def test_one_of_the_two_signatures_is_enough(header: str) -> None:
    digests = {"agora-signature": samples.AGORA_NCS_SHA1, "agora-signature-v2": samples.AGORA_NCS_SHA256}
    headers = {header: digests[header.lower()]}
    assert verdict(Source.AGORA_NCS, samples.AGORA_NCS, headers) == "authentic"


def test_the_weaker_signature_does_not_make_up_for_a_wrong_stronger_one() -> None:
    headers = {"Agora-Signature": samples.AGORA_NCS_SHA1, "Agora-Signature-V2": samples.AGORA_NCS_SHA1}
    found = verdict(Source.AGORA_NCS, samples.AGORA_NCS, headers)
    assert found == "bad_signature: the header Agora-Signature-V2 does not match"


def test_a_notice_without_signature() -> None:
    assert verdict(Source.AGORA_NCS, samples.AGORA_NCS).startswith("missing_signature: ")


def test_the_raw_bytes_are_signed_not_what_they_mean() -> None:
    respelled = orjson.dumps(orjson.loads(samples.AGORA_NCS)) + b" "
    headers = {"Agora-Signature-V2": samples.AGORA_NCS_SHA256}
    assert verdict(Source.AGORA_NCS, respelled, headers).startswith("bad_signature")


# --- Yidun


def push(fields: Mapping[str, str], *, key: str = "a-secret-key-1") -> bytes:
    return urlencode({**fields, "signature": yidun_signature(fields, key)}).encode()


@pytest.mark.parametrize("method", ["", "MD5", "sha1", "SHA256", "Sm3"])
def test_yidun_names_its_digest_and_signs_the_name(method: str) -> None:
    body = push({**samples.YIDUN_FIELDS, "signatureMethod": method})
    assert verdict(Source.YIDUN_AUDIO, body) == "authentic"


def test_yiduns_sha256_push() -> None:
    fields = {**samples.YIDUN_FIELDS, "signatureMethod": "SHA256", "signature": samples.YIDUN_SHA256}
    assert verdict(Source.YIDUN_AUDIO, urlencode(fields).encode()) == "authentic"


def test_unknown_fields_are_signed_too() -> None:
    body = push({**samples.YIDUN_FIELDS, "scene": "live", "added_later": "x"})
    assert verdict(Source.YIDUN_AUDIO, body) == "authentic"
    assert verdict(Source.YIDUN_AUDIO, body + b"&more=1").startswith("bad_signature")


def test_of_a_repeated_field_the_first_counts() -> None:
    body = push(samples.YIDUN_FIELDS) + b"&callbackData=%7B%7D&secretId=another"
    assert verdict(Source.YIDUN_AUDIO, body) == "authentic"


def test_a_push_for_another_business_is_refused_when_ours_is_set() -> None:
    body = push(samples.YIDUN_FIELDS)
    ours = {**SECRETS[Source.YIDUN_AUDIO], "business_id": "a-business-id-1"}
    assert verdict(Source.YIDUN_AUDIO, body, {}, ours) == "authentic"
    other = {**ours, "business_id": "another"}
    assert (
        verdict(Source.YIDUN_AUDIO, body, {}, other)
        == "bad_signature: the form field businessId does not match"
    )


def test_yiduns_unknown_digest_is_refused_by_name() -> None:
    body = urlencode({**samples.YIDUN_FIELDS, "signatureMethod": "CRC32", "signature": "x"}).encode()
    assert verdict(Source.YIDUN_AUDIO, body).startswith("bad_signature: signatureMethod is none of MD5")


@pytest.mark.parametrize("body", [b"secretId=a-secret-id-1", b"signature=&secretId=a-secret-id-1", b"{}"])
def test_a_push_without_signature(body: bytes) -> None:
    assert verdict(Source.YIDUN_AUDIO, body).startswith("missing_signature: ")


@pytest.mark.parametrize("body", [b"signature=%ff", b"\xff=1", b"&".join([b"a=1"] * 201)])
def test_a_form_that_cannot_be_read(body: bytes) -> None:
    assert verdict(Source.YIDUN_AUDIO, body).startswith("bad_form: ")


# --- Yunxin


@pytest.mark.parametrize("without", ["CheckSum", "CurTime"])
def test_a_copy_without_its_headers(without: str) -> None:
    headers = {name: value for name, value in samples.YUNXIN_HEADERS.items() if name != without}
    assert verdict(Source.YUNXIN_RTC, samples.YUNXIN, headers).startswith("missing_signature: ")


def test_the_md5_header_does_not_stand_in_for_the_body() -> None:
    assert verdict(Source.YUNXIN_RTC, samples.YUNXIN + b" ", samples.YUNXIN_HEADERS).startswith(
        "bad_signature"
    )


# --- Agora video


def test_the_assumed_checksum_of_agora_video() -> None:
    body = orjson.loads(samples.AGORA_VIDEO)
    body["checksum"] = agora_video_checksum("https://us/cb", "200", body["object"], body["requestId"])
    secrets = {"callback_addr": "https://us/cb"}
    assert verdict(Source.AGORA_VIDEO, orjson.dumps(body), {}, secrets) == "authentic"
    assert verdict(Source.AGORA_VIDEO, samples.AGORA_VIDEO, {}, secrets).startswith("bad_signature")
    assert verdict(Source.AGORA_VIDEO, b"{}", {}, secrets).startswith("missing_signature")
