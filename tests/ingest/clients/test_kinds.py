"""One contract for every source that can be started."""

from typing import Any

import orjson
import pytest

from ingest.clients import KINDS
from ingest.clients.contract import Parameters, Prepared, Start
from moderato import metrics
from moderato.settings import Tenant
from moderato.sources import Source
from moderato.vendor import Unavailable
from tests.ingest.clients.support import tenant, vendor
from tests.moderato.test_metrics import VENDOR_OPERATIONS

GIVEN: dict[Source, dict[str, Any]] = {
    Source.AGORA_VOICE: {"channel": "c", "uid": "1", "spare_uids": ["2"], "token": "t"},
    Source.AGORA_VIDEO: {
        "channel": "c",
        "uid": "1",
        "combination_policy": "storage_and_moderation",
        "storage": {"access_key": "a", "secret_key": "s", "region": 0, "vendor": "x", "bucket": "b"},
    },
    Source.SHUMEI_AUDIO: {
        "stream": {
            "type": "TRTC",
            "sdk_app_id": 1,
            "demo_sences": 4,
            "user_id": "u",
            "user_sig": "s",
            "room_id": 7,
        },
        "token_id": "t",
        "type": "POLITY",
        "pass_through": {"a": [1, {"b": None}]},
    },
    Source.SHUMEI_VIDEO: {
        "stream": {"type": "ZEGO", "token_id": "t", "room_id": "r"},
        "token_id": "t",
        "img_type": "POLITY",
    },
    Source.IFLYTEK_AUDIO: {"files": [{"file_url": "https://x.example/1.mp3", "name": "n"}], "room": "r"},
    Source.YIDUN_AUDIO: {"channel": "c", "uid": 5, "check_speaker_ids": ["7"], "extra": {"age": 3}},
}
PREPARED = Prepared({"uid": "1", "resource_id": "r", "url": "yunxin://5:t@k/c"})


def parameters(source: Source) -> Parameters:
    return KINDS[source].parameters.model_validate(GIVEN[source])


def test_every_vendor_that_starts_anything_has_a_kind() -> None:
    assert set(KINDS) == set(Source) - {Source.AGORA_NCS, Source.YUNXIN_RTC} == set(GIVEN)


@pytest.mark.parametrize("source", KINDS)
def test_parameters_survive_a_record(source: Source) -> None:
    given = parameters(source)
    written = orjson.dumps(given.model_dump(mode="json"))
    assert type(given).model_validate(orjson.loads(written)) == given


@pytest.mark.parametrize("source", KINDS)
def test_parameters_have_a_schema_in_which_secrets_are_written_only(source: Source) -> None:
    schema = KINDS[source].parameters.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["description"]
    text = orjson.dumps(schema).decode()
    for name in ("token", "secret", "secret_key", "user_sig"):
        for model in (schema, *schema.get("$defs", {}).values()):
            if name in model.get("properties", {}):
                assert model["properties"][name].get("writeOnly") or '"writeOnly":true' in text, name


@pytest.mark.parametrize("source", KINDS)
def test_nothing_is_missing_with_all_credentials_and_something_without_any(source: Source) -> None:
    assert KINDS[source].missing(tenant("http://vendor.example")) == []
    assert all(": is missing" in fault or "missing" in fault for fault in KINDS[source].missing(Tenant()))
    assert KINDS[source].missing(Tenant())


@pytest.mark.parametrize("source", KINDS)
async def test_a_vendor_that_is_away_is_unavailable_and_counted(source: Source) -> None:
    start = Start("s-1", "https://recv.example.com/x", parameters(source))
    async with vendor((503, b"")) as (away, opening):
        with pytest.raises(Unavailable) as caught:
            await KINDS[source].open(opening).start(start, PREPARED)
    error = caught.value
    assert error.operation in VENDOR_OPERATIONS[error.vendor]
    counted = metrics.VENDOR_CALLS.labels(error.vendor, error.operation, "unavailable")._value.get()
    assert counted >= len(away.seen) >= 1
