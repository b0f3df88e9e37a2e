from pathlib import Path

import pytest

from moderato.errors import Fatal
from moderato.sources import Source
from simulator.callbacks import SOURCES
from simulator.targets import example_targets, load_targets


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "targets.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_example_targets_have_every_secret_that_is_signed_with() -> None:
    targets = example_targets(tenant="acme", token="t1")
    assert {target.source for target in targets} == set(Source)
    assert all(set(SOURCES[target.source].secrets) <= set(target.secrets) for target in targets)
    assert {target.url("http://h:1/") for target in targets} == {
        f"http://h:1/v1/callbacks/{source}/acme/t1" for source in Source
    }


def test_a_file_of_targets(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        targets:
          - {source: agora_voice, tenant: acme, token: tok, secrets: {uid: 1234567890123456, seed: test}}
          - {source: shumei_audio, token: tok2}
        """,
    )
    voice, shumei = load_targets(path)
    assert (voice.source, voice.tenant, voice.token) == (Source.AGORA_VOICE, "acme", "tok")
    assert voice.secrets == {"uid": "1234567890123456", "seed": "test"}
    assert (shumei.tenant, shumei.secrets) == ("default", {})


def test_secrets_and_tokens_do_not_show() -> None:
    for target in example_targets(token="tok-hidden"):
        assert "tok-hidden" not in repr(target)
        assert "simulated-secret-key" not in repr(target)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targets: [{source: agora_ncs, token: t}]", r"targets\.0\.secrets\.secret: agora_ncs signs with it"),
        ("targets: [{source: nobody, token: t}]", r"targets\.0\.source"),
        ("targets: [{source: shumei_audio}]", r"targets\.0\.token"),
        ("targets: [{source: shumei_audio, token: ''}]", r"targets\.0\.token"),
        ("targets: []", "targets"),
        ("", "mapping|dictionary"),
        ("targets: [", "not YAML"),
        ("targets: [{source: shumei_audio, token: t, colour: red}]", r"targets\.0\.colour"),
    ],
)
def test_a_bad_file_says_what_is_wrong_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Fatal, match=message):
        load_targets(written(tmp_path, text))


def test_every_missing_secret_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(Fatal) as raised:
        load_targets(
            written(tmp_path, "targets: [{source: yidun_audio, token: t, secrets: {secret_id: hush}}]")
        )
    assert "secrets.business_id" in str(raised.value)
    assert "secrets.secret_key" in str(raised.value)
    assert "hush" not in str(raised.value)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="No such file"):
        load_targets(tmp_path / "none.yaml")
