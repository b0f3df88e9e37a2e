"""What keeps sessions from being started is told at the start, all of it."""

from typing import Any

from ingest.sessions.controller import check_settings
from moderato.settings import Settings

YIDUN = {"secret_id": "s", "secret_key": "k", "business_id": "b", "results": "poll"}


def test_every_fault_is_named() -> None:
    settings = Settings(
        sessions={"callback_base_url": "https://moderation.example.com"},
        api={"tokens": {"one": {"token": "t" * 32, "scopes": ["sessions:read"], "tenants": ["nobody"]}}},
        tenants={"a": {"credentials": {"yidun": YIDUN}}, "b": {"credentials": {"yidun": YIDUN}}},
    )
    assert [fault.partition(":")[0] for fault in check_settings(settings)] == [
        "api.tokens.one.tenants",
        "tenants.b.credentials.yidun.results",
        "capability_keys",
    ]


def test_an_api_may_stand_alone_and_its_tenants_are_looked_at() -> None:
    api: dict[str, Any] = {"tokens": {"one": {"token": "t" * 32, "scopes": ["actions:read"]}}}
    assert check_settings(Settings(api=api)) == []
    api["tokens"]["one"]["tenants"] = ["nobody"]
    assert check_settings(Settings(api=api)) == ["api.tokens.one.tenants: 'nobody' is no tenant"]
    assert check_settings(Settings()) == []
