from pathlib import Path

import pytest

from moderato.errors import Fatal
from moderato.settings import load
from moderato.sources import Source

TOKEN = "t0k3n-t0k3n-t0k3n-t0k3n"


def written(folder: Path, text: str) -> Path:
    path = folder / "moderato.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_hold() -> None:
    settings = load()
    assert settings.kafka.bootstrap is None
    assert settings.http.port == 8080
    assert settings.tenants == {}


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERATO_CONFIG", str(written(tmp_path, "http: {port: 1, host: 127.0.0.1}")))
    monkeypatch.setenv("MODERATO_HTTP__PORT", "2")
    settings = load()
    assert (settings.http.port, settings.http.host) == (2, "127.0.0.1")


def test_a_spool_is_kept_where_a_directory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().spool is None
    monkeypatch.setenv("MODERATO_SPOOL__DIRECTORY", "/var/lib/moderato")
    spool = load().spool
    assert spool is not None
    assert (spool.directory, spool.max_bytes, spool.max_age) == (Path("/var/lib/moderato"), 2 << 30, 86_400)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("spool: {max_age: 60}", "spool.directory: Field required"),
        ("spool: {directory: /a, max_bytes: 1000}", "spool.max_bytes: .*greater than or equal to 1048576"),
        ("spool: {directory: /a, max_age: 0}", "spool.max_age: .*greater than 0"),
    ],
)
def test_a_spool_that_could_hold_nothing_is_a_fault(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Fatal, match=fault):
        load(written(tmp_path, text))


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cr3t-s3cr3t\n")
    config = f"""
kafka:
  bootstrap: one:9092, two:9092
  sasl: {{username: moderato, password: {{file: {tmp_path}/secret}}}}
tenants:
  acme:
    timezone: Europe/Paris
    sources:
      agora_voice: {{tokens: [{TOKEN}], secrets: {{uid: "1", seed: seedseed}}}}
"""
    settings = load(written(tmp_path, config))
    assert settings.kafka.bootstrap == "one:9092,two:9092"
    assert settings.kafka.sasl is not None
    assert settings.kafka.sasl.password.get_secret_value() == "s3cr3t-s3cr3t"
    source = settings.tenants["acme"].sources[Source.AGORA_VOICE]
    assert source.tokens[0].get_secret_value() == TOKEN
    assert "seedseed" not in repr(settings)
    assert "s3cr3t" not in repr(settings)
    assert TOKEN not in repr(settings)


def test_all_faults_are_told_at_once_and_no_secret_among_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERATO_TYPO", "1")
    (tmp_path / "empty").write_text("")
    config = f"""
kafka:
  bootstrap: "no-port"
  tls: {{ca_file: /absent/ca.pem, key_file: /absent/key.pem}}
  sasl: {{username: u, password: {{file: /absent/password}}}}
http: {{port: 70000}}
capability_keys: [hunter2-too-short]
nonsense: 1
tenants:
  "Bad Name": {{}}
  acme:
    timezone: Mars/One
    sources:
      shumei_audio: {{tokens: [hunter2]}}
      agora_voice: {{tokens: [{TOKEN}], secrets: {{seed: {{file: {tmp_path}/empty}}, uid: {{path: x}}}}}}
      nosuch: {{}}
    webhook: {{url: "ftp://x", secrets: [hunter2]}}
"""
    with pytest.raises(Fatal) as caught:
        load(written(tmp_path, config))
    text = str(caught.value)
    for fault in (
        "MODERATO_TYPO: no such section",
        "kafka.bootstrap: 'no-port' is not host:port",
        "kafka.tls: ca_file: no such file: /absent/ca.pem; key_file: no such file: /absent/key.pem; "
        "certificate_file and key_file go together",
        "kafka.sasl.password: cannot read the secret file /absent/password: No such file or directory",
        "http.port: Input should be less than or equal to 65535",
        "capability_keys: key 0: at least 32 characters are due",
        "nonsense: Extra inputs are not permitted",
        "tenants.acme.timezone: no such time zone: 'Mars/One'",
        "tenants.acme.sources.shumei_audio.tokens: token 0: 16 to 256 characters",
        "tenants.acme.sources.agora_voice.secrets.seed: the secret is empty",
        "tenants.acme.sources.agora_voice.secrets.uid: a secret is text, or {file: /path}",
        "tenants.acme.sources.nosuch",
        "tenants.acme.webhook.url",
        "tenants.acme.webhook.secrets: secret 0: base64 of 24 to 64 bytes is due",
    ):
        assert fault in text, fault
    assert "hunter2" not in text


def test_a_tenants_name_is_checked(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="'Bad Name': a tenant's name is 1 to 63 characters"):
        load(written(tmp_path, "tenants: {'Bad Name': {}}"))


def test_a_secret_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(Fatal, match="is not UTF-8"):
        load(written(tmp_path, f"capability_keys: [{{file: {tmp_path}/binary}}]"))


def test_a_broken_file_and_a_broken_variable_are_told_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERATO_HTTP__PORT", "many")
    with pytest.raises(Fatal) as caught:
        load(written(tmp_path, "a: ["))
    assert "moderato.yaml:1:" in str(caught.value)
    assert "http.port" in str(caught.value)


def test_a_variable_that_is_not_json_where_json_is_due_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERATO_TENANTS", "acme")
    with pytest.raises(Fatal, match="tenants"):
        load()


@pytest.mark.parametrize("addresses", [" , ", "host:0", "host:x", ":9092", "host:99999"])
def test_addresses_of_brokers_are_checked(tmp_path: Path, addresses: str) -> None:
    with pytest.raises(Fatal, match=r"kafka\.bootstrap"):
        load(written(tmp_path, f"kafka: {{bootstrap: '{addresses}'}}"))


def test_the_credentials_of_every_vendor_can_be_set_with_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cr3t-s3cr3t-s3cr3t\n")
    secret = f"{{file: {tmp_path}/secret}}"
    text = f"""
tenants:
  acme:
    credentials:
      agora: {{app_id: a1, customer_id: c1, customer_secret: {secret}, base_urls: [http://127.0.0.1:8090/agora/]}}
      aliyun: {{access_key: k, secret_key: {secret}}}
      shumei: {{access_key: {secret}, secret_key: {secret}, region: gg}}
      iflytek: {{app_id: a, access_key_id: k, access_key_secret: {secret}}}
      yidun: {{secret_id: i, secret_key: {secret}, business_id: b, version: v3, signature_method: SM3}}
      yunxin: {{app_key: k, app_secret: {secret}}}
"""
    credentials = load(written(tmp_path, text)).tenants["acme"].credentials
    assert credentials.agora is not None
    assert credentials.agora.base_urls == ("http://127.0.0.1:8090/agora",)
    assert credentials.agora.customer_secret.get_secret_value() == "s3cr3t-s3cr3t-s3cr3t"
    assert "s3cr3t" not in repr(credentials)
    assert credentials.shumei is not None
    assert credentials.shumei.url("video") == "http://api-videostream-gg.fengkongcloud.com"


@pytest.mark.parametrize(
    ("credentials", "place"),
    [
        ("agora: {customer_id: c, customer_secret: s}", "agora.app_id"),
        ("agora: {app_id: a/b, customer_id: c, customer_secret: s}", "agora.app_id"),
        ("agora: {app_id: a, customer_id: c, customer_secret: s, base_urls: []}", "agora.base_urls"),
        ("agora: {app_id: a, customer_id: c, customer_secret: s, base_urls: [ftp://x]}", "agora.base_urls.0"),
        (
            "agora: {app_id: a, customer_id: c, customer_secret: s, base_urls: ['http://u:p@x']}",
            "agora.base_urls.0",
        ),
        ("agora: {app_id: a, customer_id: '', customer_secret: ''}", "agora.customer_secret"),
        ("shumei: {access_key: k, secret_key: short-s3cr3t}", "shumei.secret_key"),
        ("shumei: {access_key: k, region: bj}", "shumei.region"),
        ("yidun: {secret_id: i, secret_key: k, business_id: b, version: v5}", "yidun.version"),
        ("iflytek: {app_id: a, access_key_id: 'a b', access_key_secret: k}", "iflytek.access_key_id"),
        ("tencent: {}", "tencent"),
    ],
)
def test_wrong_credentials_name_the_field_and_no_secret(tmp_path: Path, credentials: str, place: str) -> None:
    with pytest.raises(Fatal) as caught:
        load(written(tmp_path, f"tenants: {{acme: {{credentials: {{{credentials}}}}}}}"))
    assert f"tenants.acme.credentials.{place}: " in str(caught.value)
    assert "short-s3cr3t" not in str(caught.value)
