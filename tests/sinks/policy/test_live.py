"""The policy file changes while the policy works."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from moderato.bus.embedded import EmbeddedBroker
from moderato.errors import Fatal
from moderato.metrics import REGISTRY
from moderato.settings import Policy, Settings
from sinks.policy import live
from sinks.policy.live import LivePolicy
from sinks.policy.worker import role

_RULE = "- {{id: {name}, match: {{severity: [critical]}}, then: [{{action: notify}}]}}\n"


def written(path: Path, names: Sequence[str]) -> Path:
    path.write_text("rules:\n" + "".join(_RULE.format(name=name) for name in names))
    return path


def refused() -> float | None:
    return REGISTRY.get_sample_value("moderato_policy_refused")


def rules(policy: LivePolicy) -> list[str]:
    return [rule.id for rule in policy.evaluator.policy.rules]


def test_a_good_file_takes_effect(tmp_path: Path) -> None:
    policy = LivePolicy(written(tmp_path / "policy.yaml", ["one"]))
    before = policy.evaluator.policy.version
    written(tmp_path / "policy.yaml", ["one", "two"])
    policy.look()
    assert rules(policy) == ["one", "two"]
    assert policy.evaluator.policy.version != before
    assert refused() == 0


def test_a_bad_file_is_refused_and_the_policy_of_before_stays(tmp_path: Path) -> None:
    path = written(tmp_path / "policy.yaml", ["one"])
    policy = LivePolicy(path)
    path.write_text("rules:\n- {id: two, math: {}}\n")
    with capture_logs() as logs:
        policy.look()
        policy.look()
    assert rules(policy) == ["one"]
    assert policy.refused is not None
    assert "math" in policy.refused
    assert refused() == 1
    assert [entry["event"] for entry in logs] == ["policy_refused"]
    written(path, ["three"])
    policy.look()
    assert (rules(policy), policy.refused, refused()) == (["three"], None, 0)


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "policy.yaml", ["one"])
    policy = LivePolicy(path)
    path.unlink()
    policy.look()
    assert rules(policy) == ["one"]
    assert "policy.yaml" in str(policy.refused)


def test_a_config_map_is_swapped_by_a_symbolic_link(tmp_path: Path) -> None:
    for number, name in ((1, "one"), (2, "two")):
        (tmp_path / f"v{number}").mkdir()
        written(tmp_path / f"v{number}" / "policy.yaml", [name])
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "policy.yaml").symlink_to("data/policy.yaml")
    policy = LivePolicy(tmp_path / "policy.yaml")
    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").rename(tmp_path / "data")
    policy.look()
    assert rules(policy) == ["two"]


def test_the_first_file_has_to_be_good(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("rules: 1\n")
    with pytest.raises(Fatal, match="rules"):
        LivePolicy(tmp_path / "policy.yaml")


async def test_the_role_follows_its_file_and_says_what_is_wrong_with_it(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_PERIOD", 0.02)
    path = written(tmp_path / "policy.yaml", ["one"])
    settings = Settings(policy=Policy(file=path))
    running = role(settings, broker.connection(settings.kafka))
    await running.start()
    try:
        assert running.note() is None
        path.write_text("rules: {}\n")
        async with asyncio.timeout(60):
            while running.note() is None:  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.01)
        assert "stays in effect" in str(running.note())
        assert running.unready() is None
    finally:
        await running.stop()


def test_a_list_beside_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path, banned = tmp_path / "policy.yaml", tmp_path / "banned.txt"
    path.write_text("rules: [{id: a, match: {user: {file: banned.txt}}, then: [{action: kick}]}]\n")
    banned.write_text("u-1\n")
    policy = LivePolicy(path)
    first = policy.evaluator.policy
    assert first.lists == {"banned.txt": {"u-1"}}
    policy.look()
    assert policy.evaluator.policy is first
    banned.write_text("u-1\nu-2\n")
    policy.look()
    second = policy.evaluator.policy
    assert second.lists == {"banned.txt": {"u-1", "u-2"}}
    assert second.version != first.version
    banned.unlink()
    policy.look()
    assert policy.evaluator.policy is second
    assert "'banned.txt': the list cannot be read: No such file" in str(policy.refused)
    # The policy file itself has not changed, and the list may come back as it was.
    banned.write_text("u-1\nu-2\n")
    policy.look()
    assert (policy.refused, refused(), policy.evaluator.policy) == (None, 0, second)
