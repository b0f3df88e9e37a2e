from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.stage import Results
from moderato.codec import encode
from moderato.metrics import REGISTRY
from moderato.settings import Settings
from moderato.sources import Source
from normalize import worker
from normalize.mappings import MAPPINGS
from normalize.reading import Raw, Reading, SourceMapping
from normalize.worker import Normalizer, tenant_views

FIXTURES = Path(__file__).parents[1] / "fixtures"
AT = "2026-11-21T08:00:05.000Z"
REJECT = orjson.dumps(
    {"code": 1100, "requestId": "t_1", "audioDetail": {"riskLevel": "REJECT", "riskLabel1": "abuse"}}
)


def record(
    body: bytes | None, source: Source = Source.SHUMEI_AUDIO, *, offset: int = 7, **given: Any
) -> "ConsumerRecord[bytes, bytes]":
    fields: dict[str, Any] = {
        "id": "raw-1",
        "tenant": "default",
        "key": "default/t",
        "time": "2026-11-21T08:00:00.000Z",
        "content_type": "application/json",
    }
    headers = encode("raw", source=source, **fields | given)
    topic = topics.raw(source)
    return ConsumerRecord(topic, 3, offset, 0, 0, b"default/t", body, None, 0, 0, tuple(headers))


async def handled(*records: "ConsumerRecord[bytes, bytes]", settings: Settings | None = None) -> Results:
    return await Normalizer(tenant_views(settings or Settings()), lambda: AT).handle(records)


def value(results: Results, place: int = 0) -> dict[str, Any]:
    found = results.messages[place].value
    assert found is not None
    record: dict[str, Any] = orjson.loads(found)
    return record


async def test_a_raw_record_becomes_a_verdict_that_names_its_bytes() -> None:
    results = await handled(record(REJECT, session_id="s-1", room="lounge", traceparent="00-a-b-01"))
    [message] = results.messages
    assert (results.done, results.ignored, results.dead_lettered) == (1, 0, 0)
    assert results.kinds["verdict"] == 1
    verdict = value(results)
    assert verdict["raw"] == {
        "topic": "moderation.raw.shumei_audio",
        "partition": 3,
        "offset": 7,
        "id": "raw-1",
    }
    assert (verdict["id"], verdict["session_id"], verdict["room"]) == ("raw-1#0", "s-1", "lounge")
    assert (verdict["received_at"], verdict["normalized_at"]) == ("2026-11-21T08:00:00.000Z", AT)
    assert (message.topic, message.key) == (topics.VERDICTS, b"default/lounge")
    headers = dict(message.headers)
    assert headers["ce_id"] == b"raw-1#0"
    assert headers["ce_type"] == b"moderato.verdict.v1"
    assert headers["ce_sessionid"] == b"s-1"
    assert headers["ce_traceparent"] == b"00-a-b-01"


async def test_signals_go_to_their_own_topic() -> None:
    ended = orjson.dumps({"code": 1100, "requestId": "t", "statCode": 1})
    results = await handled(record(ended))
    [message] = results.messages
    assert (message.topic, message.key) == (topics.SIGNALS, b"default/t")
    assert value(results)["kind"] == "task_ended"


async def test_what_calls_for_nothing_is_ignored() -> None:
    notice = orjson.dumps(
        {"noticeId": "1", "productId": 1, "eventType": 101, "payload": {"channelName": "test_webhook"}}
    )
    results = await handled(record(notice, Source.AGORA_NCS))
    assert (results.messages, results.ignored) == ([], 1)


async def test_a_body_that_cannot_be_read_gives_a_fail_safe_verdict_and_a_dead_letter() -> None:
    results = await handled(record(b"{", offset=9))
    verdict, letter = results.messages
    assert value(results)["degraded"] is True
    assert (letter.topic, letter.value) == (topics.DEAD_LETTERS, b"{")
    headers = dict(letter.headers)
    assert headers["dl_stage"] == b"normalizer"
    assert b"not JSON" in headers["dl_reason"]
    assert (headers["dl_topic"], headers["dl_partition"], headers["dl_offset"]) == (
        b"moderation.raw.shumei_audio",
        b"3",
        b"9",
    )
    assert headers["ce_id"] == b"raw-1"
    assert results.dead_lettered == 1
    assert verdict.topic == topics.VERDICTS


async def test_a_room_event_that_cannot_be_read_is_a_dead_letter_only() -> None:
    results = await handled(record(b"{", Source.AGORA_NCS))
    assert [message.topic for message in results.messages] == [topics.DEAD_LETTERS]


async def test_a_record_that_is_no_event_is_a_dead_letter() -> None:
    plain = record(REJECT)
    bare = ConsumerRecord(plain.topic, 0, 1, 0, 0, b"k", REJECT, None, 0, 0, ())
    results = await handled(record(None), bare)
    assert [message.topic for message in results.messages] == [topics.DEAD_LETTERS] * 2
    reasons = [dict(letter.headers)["dl_reason"].decode() for letter in results.messages]
    assert "tombstone" in reasons[0]
    assert "no CloudEvents attribute" in reasons[1]
    assert results.dead_lettered == 2


async def test_a_record_of_another_kind_or_of_an_unknown_source_is_a_dead_letter() -> None:
    verdict = encode("verdict", id="1", source=Source.AGORA_NCS, tenant="t", key="k", time=AT)
    other = ConsumerRecord("moderation.raw.agora_ncs", 0, 1, 0, 0, b"k", b"{}", None, 0, 0, tuple(verdict))
    strange = [
        (name, b"/sources/acme" if name == "ce_source" else text) for name, text in record(REJECT).headers
    ]
    unknown = ConsumerRecord("moderation.raw.acme", 0, 1, 0, 0, b"k", REJECT, None, 0, 0, tuple(strange))
    results = await handled(other, unknown)
    reasons = [dict(letter.headers)["dl_reason"].decode() for letter in results.messages]
    assert "not a raw record: ce_type 'moderato.verdict.v1'" in reasons[0]
    assert "unknown source 'acme'" in reasons[1]


async def test_one_bad_record_stops_no_other() -> None:
    results = await handled(record(REJECT, offset=1), record(None, offset=2), record(REJECT, offset=3))
    assert (results.done, results.dead_lettered) == (2, 1)
    assert results.kinds["verdict"] == 2


async def test_a_fault_of_ours_reaches_a_person_and_is_kept_for_a_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(raw: Raw, out: Reading) -> None:
        raise ZeroDivisionError("a bug")

    mapping = MAPPINGS[Source.SHUMEI_AUDIO]
    monkeypatch.setitem(MAPPINGS, Source.SHUMEI_AUDIO, SourceMapping(crash, mapping.table, mapping.media))
    results = await handled(record(REJECT))
    assert value(results)["mapping"]["rules"] == ["fail-safe"]
    assert b"a bug" in b"".join(text for name, text in results.messages[1].headers if name.startswith("dl_"))


async def test_a_verdict_too_large_for_its_topic_becomes_a_fail_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_MAX_VALUE_BYTES", 1_000_000)
    labels = [{"riskLabel1": f"label{number}", "riskLevel": "REJECT"} for number in range(20_000)]
    body = orjson.loads(REJECT)
    body["audioDetail"]["allLabels"] = labels
    results = await handled(record(orjson.dumps(body)))
    assert value(results)["degraded"] is True
    assert b"bytes long" in dict(results.messages[1].headers)["dl_reason"]


async def test_a_tenants_tables_and_zone_count(tmp_path: Path) -> None:
    overrides = tmp_path / "acme.yaml"
    overrides.write_text("version: acme.1\nshumei: {labels: {riskLabel1: {abuse: spam}}}\n")
    settings = Settings(tenants={"acme": {"tables": str(overrides), "timezone": "UTC"}})
    body = orjson.loads(REJECT)
    body["audioDetail"]["auxInfo"] = {
        "audioStartTime": "2026-11-21 08:00:00",
        "audioEndTime": "2026-11-21 08:00:10",
    }
    raw = orjson.dumps(body)
    results = await handled(record(raw, tenant="acme"), record(raw, tenant="other"), settings=settings)
    ours, theirs = value(results, 0), value(results, 1)
    assert (ours["category"], ours["mapping"]["version"]) == ("spam", "2026.11.1+acme.1")
    assert ours["occurred_at"] == "2026-11-21T08:00:10.000Z"
    assert (theirs["category"], theirs["mapping"]["version"]) == ("abuse", "2026.11.1")
    assert theirs["occurred_at"] == "2026-11-21T00:00:10.000Z"


async def test_a_task_is_named_only_where_one_is_known() -> None:
    known = await handled(record(b"{", key="default/task-9"))
    assert value(known)["task_id"] == "task-9"
    unknown = await handled(record(b"{", key="default/raw-1"))
    assert value(unknown)["task_id"] is None


async def test_business_metrics_are_counted_once_the_batch_is_settled() -> None:
    labels = {"source": "shumei_audio", "severity": "high", "category": "abuse"}
    before = REGISTRY.get_sample_value("moderato_verdicts_total", labels) or 0
    results = await handled(record(REJECT), record(REJECT), record(b"{"))
    assert (REGISTRY.get_sample_value("moderato_verdicts_total", labels) or 0) == before
    assert results.count is not None
    results.count()
    assert REGISTRY.get_sample_value("moderato_verdicts_total", labels) == before + 2
    assert (
        REGISTRY.get_sample_value("moderato_degraded_verdicts_total", {"source": "shumei_audio"}) or 0
    ) >= 1


@pytest.mark.parametrize("source", Source)
async def test_every_fixture_of_every_source_is_read_published_or_ignored_and_never_lost(
    source: Source,
) -> None:
    bodies = [path.read_bytes() for path in sorted((FIXTURES / source).iterdir())]
    results = await handled(*(record(body, source, offset=place) for place, body in enumerate(bodies)))
    assert results.done + results.ignored + results.dead_lettered == len(bodies)
    assert results.done
