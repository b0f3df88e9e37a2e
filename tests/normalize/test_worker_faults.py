"""What the normalizer writes when a record cannot be used: a verdict for a person, and a dead letter that says why."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.publisher import Message
from moderato.codec import Header, encode
from moderato.errors import Poison
from moderato.sources import Source
from normalize.mappings import MAPPINGS
from normalize.reading import Raw, Reading
from normalize.worker import Normalizer

AT = "2026-11-21T08:00:00.000Z"


def consumed(value: bytes = b"{}", *more: Header) -> "ConsumerRecord[bytes, bytes]":
    headers = encode("raw", id="r-1", source=Source.SHUMEI_AUDIO, tenant="acme", key="acme/t", time=AT)
    place = (topics.raw(Source.SHUMEI_AUDIO), 3, 41)
    return ConsumerRecord(*place, 0, 0, b"acme/t", value, None, 0, 0, (*headers, *more))


def broken(raw: Raw, out: Reading) -> None:
    raise ZeroDivisionError("a bug")


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MAPPINGS, Source.SHUMEI_AUDIO, replace(MAPPINGS[Source.SHUMEI_AUDIO], read=broken))


async def written(record: "ConsumerRecord[bytes, bytes]") -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The verdicts, and the dead letter's own headers."""
    results = await Normalizer({}, clock=lambda: AT).handle([record])
    assert results.dead_lettered == 1
    verdicts = [orjson.loads(each.value or b"") for each in results.messages if each.topic == topics.VERDICTS]
    [letter] = [each for each in results.messages if each.topic == topics.DEAD_LETTERS]
    return verdicts, own(letter)


def own(letter: Message) -> dict[str, str]:
    return {name: text.decode() for name, text in letter.headers if name.startswith("dl_")}


@pytest.mark.usefixtures("bug")
async def test_a_fault_of_ours_says_where_it_is_and_brings_its_stack() -> None:
    [verdict], letter = await written(consumed())
    assert (verdict["decision"], verdict["severity"], verdict["degraded"]) == ("review", "medium", True)
    assert letter["dl_reason"].startswith("ZeroDivisionError: a bug (test_worker_faults.py:")
    assert 'raise ZeroDivisionError("a bug")' in letter["dl_stack"]
    assert (letter["dl_stage"], letter["dl_attempts"], letter["dl_offset"]) == ("normalizer", "1", "41")


async def test_what_cannot_be_read_has_a_reason_and_no_stack() -> None:
    [verdict], letter = await written(consumed(b"{"))
    assert verdict["degraded"]
    assert letter["dl_reason"]
    assert "dl_stack" not in letter


async def test_a_replayed_record_that_fails_again_counts_its_attempts() -> None:
    _, letter = await written(consumed(b"{", ("dl_attempts", b"2")))
    assert letter["dl_attempts"] == "3"


async def test_a_reading_by_itself_is_that_of_a_batch() -> None:
    body = b'{"code": 1100}'
    reading = Normalizer({}, clock=lambda: AT).reading(consumed(body))
    results = await Normalizer({}, clock=lambda: AT).handle([consumed(body)])
    verdicts = [each.value for each in results.messages if each.topic == topics.VERDICTS]
    assert [orjson.dumps(verdict) for verdict in reading.verdicts] == verdicts


def test_what_is_no_raw_record_has_no_reading() -> None:
    record = consumed()
    bare = ConsumerRecord(record.topic, 0, 0, 0, 0, b"k", b"{}", None, 0, 0, ())
    with pytest.raises(Poison, match="no CloudEvents attribute"):
        Normalizer({}).reading(bare)
