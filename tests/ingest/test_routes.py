"""The receiver fails closed: what would leave callbacks unauthenticated is found before it listens."""

import pytest

from ingest.receiver import Receiver
from ingest.routes import check_settings
from moderato.bus.connection import Connection
from moderato.errors import Fatal
from moderato.settings import Kafka, Settings
from tests.ingest.support import KEYS, TOKEN, settings


def configured(sources: dict[str, object], *, keys: bool = False) -> Settings:
    return Settings(**{"capability_keys": KEYS if keys else (), "tenants": {"default": {"sources": sources}}})


def test_good_settings_have_no_faults() -> None:
    assert check_settings(settings()) == []


def test_all_faults_are_told_at_once_with_the_setting_to_change() -> None:
    faults = check_settings(
        configured(
            {
                "yidun_audio": {"tokens": [TOKEN], "secrets": {"secret_id": "a"}},
                "agora_voice": {"tokens": [TOKEN], "secrets": {"sead": "s"}},
                "shumei_audio": {"tokens": [TOKEN], "secrets": {"access_key": "k"}},
                "iflytek_audio": {},
            }
        )
    )
    assert faults == [
        "tenants.default.sources.yidun_audio.secrets.secret_key: "
        "missing, so that its signature cannot be verified",
        "tenants.default.sources.agora_voice.secrets.uid: missing, so that its signature cannot be verified",
        "tenants.default.sources.agora_voice.secrets.seed (or seed_key): "
        "missing, so that its signature cannot be verified",
        "tenants.default.sources.agora_voice.secrets.sead: no such secret (there are: uid, seed, seed_key)",
        "tenants.default.sources.shumei_audio.secrets.access_key: no such secret (there are: none)",
        "tenants.default.sources.iflytek_audio.tokens: "
        "none, and there are no capability_keys: no callback could be authenticated",
    ]


@pytest.mark.parametrize(
    ("source", "secret"),
    [
        ("agora_ncs", "secret"),
        ("yidun_audio", "secret_id"),
        ("yunxin_rtc", "app_secret"),
        ("agora_voice", "uid"),
    ],
)
def test_a_source_that_signs_does_not_start_without_its_secret(source: str, secret: str) -> None:
    faults = check_settings(configured({source: {"tokens": [TOKEN]}}))
    assert any(
        fault.startswith(f"tenants.default.sources.{source}.secrets.{secret}: missing") for fault in faults
    )


@pytest.mark.parametrize("name", ["seed", "seed_key"])
def test_one_seed_for_all_rooms_or_a_key_to_make_them(name: str) -> None:
    secrets = {"uid": "1", name: "s"}
    assert check_settings(configured({"agora_voice": {"tokens": [TOKEN], "secrets": secrets}})) == []


def test_optional_secrets_may_be_set() -> None:
    sources = {
        "agora_video": {"tokens": [TOKEN], "secrets": {"callback_addr": "https://us"}},
        "yidun_audio": {
            "tokens": [TOKEN],
            "secrets": {"secret_id": "a", "secret_key": "b", "business_id": "c"},
        },
    }
    assert check_settings(configured(sources)) == []


def test_capability_keys_make_up_for_static_tokens() -> None:
    assert check_settings(configured({"shumei_audio": {}}, keys=True)) == []


def test_an_installation_without_any_source_says_so() -> None:
    expected = ["tenants: no source is configured, so that no callback could be accepted"]
    assert check_settings(Settings()) == expected
    assert check_settings(configured({})) == expected


async def test_the_receiver_does_not_start_on_a_fault_and_stops_all_the_same() -> None:
    faulty = configured({"yidun_audio": {"tokens": [TOKEN]}, "yunxin_rtc": {"tokens": [TOKEN]}})
    receiver = Receiver(faulty, Connection.of(Kafka(bootstrap="127.0.0.1:1")))
    with pytest.raises(Fatal) as caught:
        await receiver.start()
    assert len(str(caught.value).splitlines()) == 3
    assert receiver.unready() == "not listening"
    await receiver.stop()
