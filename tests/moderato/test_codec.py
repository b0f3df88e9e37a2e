import base64
import json

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from moderato.codec import decode, encode
from moderato.errors import Poison
from moderato.sources import Source

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=40)


def headers(**changes: str) -> list[tuple[str, bytes]]:
    fields = {
        "id": "req_1",
        "source": Source.SHUMEI_AUDIO,
        "tenant": "default",
        "key": "default/task",
        "time": "2026-11-21T08:00:00.000Z",
    } | changes
    return encode("raw", **fields)  # type: ignore[arg-type]


@given(
    id=PLAIN, tenant=PLAIN, key=PLAIN, session_id=st.none() | PLAIN, room=st.none() | PLAIN, data=st.binary()
)
def test_what_is_encoded_is_decoded(
    id: str, tenant: str, key: str, session_id: str | None, room: str | None, data: bytes
) -> None:
    encoded = encode(
        "raw",
        id=id,
        source=Source.YIDUN_AUDIO,
        tenant=tenant,
        key=key,
        time="2026-11-21T08:00:00.000Z",
        session_id=session_id,
        content_type="text/plain",
        room=room,
        user=None,
    )
    event = decode(encoded, data)
    assert (event.id, event.kind, event.version, event.source) == (id, "raw", "v1", "yidun_audio")
    assert (event.data, event.content_type) == (data, "text/plain")
    assert event.attribute("tenant") == tenant
    assert event.attribute("partitionkey") == key
    assert event.attribute("sessionid") == session_id
    assert event.attribute("room") == room
    assert event.attribute("user") is None


def test_the_official_sdk_reads_a_raw_message_in_binary_mode() -> None:
    encoded = headers(content_type="application/json", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    event = from_binary_event(
        KafkaMessage(headers=dict(encoded), key=b"default/task", value=b'{"a": 1}'), JSONFormat()
    )
    assert event.get_id() == "req_1"
    assert event.get_source() == "/sources/shumei_audio"
    assert event.get_type() == "moderato.raw.v1"
    assert event.get_extension("tenant") == "default"
    assert event.get_extension("partitionkey") == "default/task"
    assert event.get_data() == {"a": 1}


def test_structured_mode_is_read_as_the_sdk_writes_it() -> None:
    envelope = {
        "specversion": "1.0",
        "id": "1",
        "source": "/sources/iflytek_audio",
        "type": "moderato.raw.v1",
        "tenant": "acme",
        "datacontenttype": "application/json",
        "data": {"code": "000000"},
    }
    value = json.dumps(envelope).encode()
    content_type = ("content-type", b"application/cloudevents+json; charset=utf-8")
    event = decode([content_type], value)
    assert (event.id, event.kind, event.source) == ("1", "raw", "iflytek_audio")
    assert event.attribute("tenant") == "acme"
    assert json.loads(event.data) == {"code": "000000"}
    again = from_structured_event(
        KafkaMessage(headers=dict([content_type]), key=None, value=value), JSONFormat()
    )
    assert again.get_id() == event.id


def test_structured_mode_carries_bytes_as_base64() -> None:
    envelope = {"specversion": "1.0", "id": "1", "source": "s", "type": "moderato.raw.v1"}
    value = json.dumps(envelope | {"data_base64": base64.b64encode(b"\xff\x00").decode()}).encode()
    assert decode([("content-type", b"application/cloudevents+json")], value).data == b"\xff\x00"


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b'{"data_base64": "%"}', "broken data_base64"),
        (b'{"data_base64": 7}', "broken data_base64"),
        (b'{"specversion": "1.0", "id": 7, "source": "s", "type": "t"}', "no CloudEvents attribute id"),
        (b"{}", "no CloudEvents attribute specversion, id, source, type"),
    ],
)
def test_a_broken_structured_event_is_poison(envelope: bytes, reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        decode([("content-type", b"application/cloudevents+json")], envelope)


def test_a_tombstone_is_poison() -> None:
    with pytest.raises(Poison, match="tombstone"):
        decode(headers(), None)


def test_a_record_without_headers_is_poison() -> None:
    with pytest.raises(Poison, match="no CloudEvents attribute"):
        decode([], b"{}")


def test_a_header_that_is_not_text_is_poison() -> None:
    with pytest.raises(Poison, match="UTF-8"):
        decode([*headers(), ("x", b"\xff")], b"{}")


def test_another_version_of_cloudevents_is_poison() -> None:
    with pytest.raises(Poison, match=r"version '0\.3'"):
        decode([("ce_specversion", b"0.3"), *headers()[1:]], b"{}")


def test_a_type_of_somebody_else_has_no_kind() -> None:
    others = [header for header in headers() if header[0] != "ce_type"]
    event = decode([*others, ("ce_type", b"com.example.thing")], b"{}")
    assert (event.kind, event.version) == (None, None)


@given(
    st.lists(st.tuples(st.sampled_from(["ce_id", "ce_type", "content-type", "x"]), st.binary(max_size=30))),
    st.none() | st.binary(max_size=60),
)
def test_any_message_is_an_event_or_poison(found: list[tuple[str, bytes]], value: bytes | None) -> None:
    try:
        event = decode(found, value)
    except Poison:
        return
    assert event.id
