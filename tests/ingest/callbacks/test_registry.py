"""What holds for every source: identities and verifiers bear any bytes."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from ingest.callbacks import CALLBACKS, identify
from ingest.callbacks.contract import Delivery, Family, family
from ingest.callbacks.fields import digest
from ingest.refusals import Refused
from moderato.sources import Source
from tests.ingest.samples import SAMPLES
from tests.ingest.support import SECRETS

sources = st.sampled_from(list(Source))
content_types = st.sampled_from(
    ["", "application/json", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"]
)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text()
NAMES = """antispam evidences reviewEvidences asr taskId segmentId startTime speakerId censorSource requestId statCode
    serviceId data request_id audit_status payload sid sequence eventType noticeId object channelName channelId
    content checksum callbackData signature secretId dataId code"""
keys = st.sampled_from(NAMES.split())
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(), inner, max_size=5)
)


def test_every_source_is_registered() -> None:
    assert set(CALLBACKS) == set(Source)


@pytest.mark.parametrize("source", Source)
def test_the_samples_of_the_vendors_documents_are_known_by_their_own_ids(source: Source) -> None:
    sample = SAMPLES[source]
    identity = identify(source, sample.body, sample.headers.get("Content-Type", ""))
    assert identity.id == sample.id
    assert f"default/{identity.task}" == sample.key


@pytest.mark.parametrize("source", Source)
def test_an_acknowledgement_is_json(source: Source) -> None:
    assert orjson.loads(CALLBACKS[source].acknowledgement) == SAMPLES[source].answer


@given(sources, st.binary(), content_types)
def test_any_bytes_have_an_identity_and_the_same_one_again(source: Source, body: bytes, kind: str) -> None:
    identity = identify(source, body, kind)
    assert identity.id
    assert identity.task
    assert len(identity.id.encode()) < 512
    assert len(identity.task.encode()) < 512
    assert identify(source, body, kind) == identity


@given(sources, json_values, content_types)
def test_any_json_has_an_identity(source: Source, value: object, kind: str) -> None:
    try:
        body = orjson.dumps(value)
    except TypeError:
        return  # half a surrogate pair is no JSON
    identity = identify(source, body, kind)
    assert 0 < len(identity.id.encode()) < 512
    assert 0 < len(identity.task.encode()) < 512


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"taskId":"t","a":' + b"[" * 400])
def test_a_json_bomb_is_known_by_its_digest(source: Source, body: bytes) -> None:
    assert identify(source, body).id == digest(body)


@given(
    sources,
    st.binary(),
    st.dictionaries(st.sampled_from(["CheckSum", "CurTime", "Agora-Signature"]), st.text()),
)
def test_a_verifier_refuses_any_bytes_and_raises_nothing_else(
    source: Source, body: bytes, headers: dict[str, str]
) -> None:
    verify = CALLBACKS[source].verify
    if verify is None:
        return
    secrets = SECRETS[source] or {"callback_addr": "http://a"}
    with pytest.raises(Refused) as caught:
        verify(Delivery(body, "", CIMultiDict(headers)), secrets)
    assert caught.value.code in ("missing_signature", "bad_signature", "bad_form")


@given(
    st.sampled_from([source for source in Source if CALLBACKS[source].verify and CALLBACKS[source].enforced]),
    st.integers(min_value=0),
    st.integers(min_value=1, max_value=255),
)
def test_no_changed_body_keeps_its_signature(source: Source, place: int, change: int) -> None:
    sample = SAMPLES[source]
    body = bytearray(sample.body)
    body[place % len(body)] ^= change
    delivery = Delivery(bytes(body), "", CIMultiDict(sample.headers))
    verify = CALLBACKS[source].verify
    assert verify is not None
    try:
        same_form = delivery.form == Delivery(sample.body, "", {}).form
    except Refused:
        same_form = False
    if same_form and source in (Source.AGORA_VOICE, Source.YIDUN_AUDIO):
        return  # another spelling of the same form
    with pytest.raises(Refused):
        verify(delivery, SECRETS[source])


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", Family.NONE),
        ("application/json", Family.JSON),
        (" Application/JSON ; charset=utf-8", Family.JSON),
        ("application/cloudevents+json", Family.JSON),
        ("text/json", Family.JSON),
        ("application/x-www-form-urlencoded;charset=UTF-8", Family.FORM),
        ("text/plain", Family.PLAIN),
        ("application/octet-stream", Family.PLAIN),
        ("multipart/form-data; boundary=x", Family.OTHER),
        ("text/html", Family.OTHER),
        ("application/xml", Family.OTHER),
        ("image/png", Family.OTHER),
        ("image/svg+json", Family.OTHER),
        ("application/json, text/html", Family.OTHER),
    ],
)
def test_content_types(header: str, expected: Family) -> None:
    assert family(header) is expected
