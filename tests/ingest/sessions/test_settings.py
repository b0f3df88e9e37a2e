"""What keeps sessions from being started is told at the start, all of it."""

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


def test_an_api_needs_sessions_behind_it() -> None:
    api = {"tokens": {"one": {"token": "t" * 32, "scopes": ["sessions:read"]}}}
    assert check_settings(Settings(api=api)) == ["api: sessions.callback_base_url is needed as well"]
    assert check_settings(Settings()) == []
