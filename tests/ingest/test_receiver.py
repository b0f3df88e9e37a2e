"""What a vendor's callback becomes: acknowledged in the vendor's form, and in Kafka byte for byte."""

import gzip
import time
from collections.abc import AsyncIterator

import pytest

from ingest.signatures import agora_video_checksum
from ingest.tokens import Capabilities, Capability
from moderato.bus.embedded import EmbeddedBroker
from moderato.sources import Source
from moderato.times import epoch
from tests.ingest import samples
from tests.ingest.samples import SAMPLES
from tests.ingest.support import KEYS, OLD_TOKEN, SECRETS, Bench, receiving, settings

SHUMEI = SAMPLES[Source.SHUMEI_AUDIO]


@pytest.mark.parametrize("source", Source)
async def test_a_callback_is_acknowledged_as_its_vendor_wants_and_kept_as_it_came(
    bench: Bench, source: Source
) -> None:
    sample = SAMPLES[source]
    before = time.time()
    status, answer, headers = await bench.post(source, sample.body, sample.headers)
    assert (status, answer) == (200, sample.answer)
    assert headers["Content-Type"] == "application/json"
    [(key, event)] = await bench.records(source)
    assert event.data == sample.body
    assert event.id == sample.id
    assert key.decode() == sample.key == event.attribute("partitionkey")
    assert (event.kind, event.version, event.source) == ("raw", "v1", source)
    assert event.attribute("tenant") == "default"
    received = epoch(event.time or "")
    assert received is not None
    assert before - 0.002 <= received <= time.time()
    assert bench.counted() == {"received": 1, "published": 1}


async def test_the_content_type_that_came_is_kept(bench: Bench) -> None:
    await bench.post(Source.SHUMEI_AUDIO, SHUMEI.body, {"Content-Type": "text/plain; charset=utf-8"})
    await bench.post(Source.SHUMEI_AUDIO, SHUMEI.body, {})
    await bench.post(Source.SHUMEI_AUDIO, SHUMEI.body, {"Content-Type": "application/json; charset=\xff"})
    types = [event.content_type for _, event in await bench.records(Source.SHUMEI_AUDIO)]
    assert types == ["text/plain; charset=utf-8", "application/json", "application/json"]


async def test_a_form_without_content_type_is_kept_as_a_form(bench: Bench) -> None:
    status, _, _ = await bench.post(Source.YIDUN_AUDIO, samples.YIDUN, {})
    assert status == 200
    [(_, event)] = await bench.records(Source.YIDUN_AUDIO)
    assert event.content_type == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("source", [Source.SHUMEI_AUDIO, Source.SHUMEI_VIDEO, Source.IFLYTEK_AUDIO])
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"],
)
async def test_vendors_who_do_not_say_what_they_send_may_label_it_as_they_like(
    bench: Bench, source: Source, content_type: str
) -> None:
    status, _, _ = await bench.post(source, SAMPLES[source].body, {"Content-Type": content_type})
    assert status == 200


async def test_a_packed_body_is_verified_and_kept_unpacked(bench: Bench) -> None:
    sample = SAMPLES[Source.AGORA_NCS]
    headers = {**sample.headers, "Content-Encoding": "gzip"}
    status, _, _ = await bench.post(Source.AGORA_NCS, gzip.compress(sample.body), headers)
    assert status == 200
    [(_, event)] = await bench.records(Source.AGORA_NCS)
    assert event.data == sample.body


async def test_the_old_token_works_until_it_is_taken_out(bench: Bench) -> None:
    status, _, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI.body, token=OLD_TOKEN)
    assert status == 200


async def test_tenants_do_not_share_tokens(bench: Bench) -> None:
    status, _, _ = await bench.post(
        Source.SHUMEI_AUDIO, SHUMEI.body, tenant="other", token="a-token-of-another-tenant"
    )
    assert status == 200
    status, error, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI.body, token="a-token-of-another-tenant")
    assert (status, error["error"]) == (401, "bad_token")
    [(key, event)] = await bench.records(Source.SHUMEI_AUDIO)
    assert (key.split(b"/")[0], event.attribute("tenant")) == (b"other", "other")


async def test_a_capability_brings_its_session_room_and_user(bench: Bench) -> None:
    capability = Capability(
        Source.SHUMEI_AUDIO, "default", "s-1", "房间 1", "u-9", expires=int(time.time()) + 60
    )
    token = Capabilities(KEYS[1:]).sign(capability)  # by the older of our two keys
    for _ in range(2):
        status, _, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI.body, token=token)
        assert status == 200
    for _, event in await bench.records(Source.SHUMEI_AUDIO):
        found = [event.attribute(name) for name in ("sessionid", "room", "user")]
        assert found == ["s-1", "房间 1", "u-9"]


async def test_an_expired_or_foreign_capability_is_refused(bench: Bench) -> None:
    now = int(time.time())
    expired = Capabilities(KEYS).sign(Capability(Source.SHUMEI_AUDIO, "default", "s", None, None, now - 1))
    foreign = Capabilities(["k" * 32]).sign(
        Capability(Source.SHUMEI_AUDIO, "default", "s", None, None, now + 60)
    )
    for token in (expired, foreign):
        status, error, _ = await bench.post(Source.SHUMEI_AUDIO, SHUMEI.body, token=token)
        assert (status, error["error"]) == (401, "bad_token")


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (TRACE, TRACE),
        (TRACE.upper(), None),
        (TRACE.replace("00-4", "ff-4"), None),
        ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", None),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
        (TRACE + "-more", None),
        ("nonsense", None),
    ],
)
async def test_a_valid_traceparent_rides_along(bench: Bench, given: str, kept: str | None) -> None:
    await bench.post(Source.SHUMEI_AUDIO, SHUMEI.body, {"TraceParent": given})
    [(_, event)] = await bench.records(Source.SHUMEI_AUDIO)
    assert event.attribute("traceparent") == kept


async def test_a_vendors_retry_makes_the_same_record_again(bench: Bench) -> None:
    for _ in range(3):
        await bench.post(Source.YIDUN_AUDIO, samples.YIDUN, samples.FORM)
    records = await bench.records(Source.YIDUN_AUDIO)
    assert len(records) == 3
    assert len({(key, event.id, event.data) for key, event in records}) == 1


@pytest.fixture
async def observing(broker: EmbeddedBroker) -> AsyncIterator[Bench]:
    secrets = {**SECRETS, Source.AGORA_VIDEO: {"callback_addr": "https://us/cb"}}
    async with receiving(broker, settings(secrets=secrets)) as running:
        yield running


async def test_agora_videos_signature_is_counted_and_never_refused(observing: Bench) -> None:
    checksum = agora_video_checksum("https://us/cb", "200", "a.jpg", "r")
    matching = f'{{"requestId":"r","code":200,"object":"a.jpg","checksum":"{checksum}"}}'
    for body in (matching.encode(), samples.AGORA_VIDEO, b"{}"):
        status, _, _ = await observing.post(Source.AGORA_VIDEO, body)
        assert status == 200
    assert observing.counted() == {"received": 3, "published": 3, "match": 1, "mismatch": 2}


async def test_without_a_callback_address_nothing_is_observed(bench: Bench) -> None:
    await bench.post(Source.AGORA_VIDEO, samples.AGORA_VIDEO)
    assert bench.counted() == {"received": 1, "published": 1}


async def test_a_running_receiver_is_ready_and_never_stuck(bench: Bench) -> None:
    assert bench.receiver.unready() is None
    assert bench.receiver.stuck() is None
