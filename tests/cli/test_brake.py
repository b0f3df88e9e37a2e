"""`moderato brake` on a broker's topics."""

from pathlib import Path

import orjson
import pytest

from moderato.bus.embedded import EmbeddedBroker
from moderato.records import Hit, Tally
from moderato.times import now
from sinks.policy.brake_records import tally_message
from tests.cli.history_support import publish
from tests.cli.support import moderato

_POLICY = """
rules:
  - id: kicks
    match: {decision: block}
    then: [{action: kick}]
brakes:
  quotas: [{at_most: 5, within: 1h}]
"""


def test_a_rule_is_stopped_shown_and_let_go(broker: EmbeddedBroker) -> None:
    at = ("--bootstrap", broker.bootstrap)
    assert moderato("brake", "status", *at).lines == ["no brake holds"]
    ended = moderato(
        "brake", "trip", "high-kick", "--reason", "gone mad", "--by", "ada", "--tenant", "acme", *at
    )
    assert (ended.code, ended.lines) == (0, ["the rule high-kick for the tenant acme: stopped"])
    ended = moderato("brake", "trip", "*", "--reason", "all of them", "--by", "ada", *at)
    assert (ended.code, ended.lines) == (0, ["every rule for all tenants: stopped"])
    shown = moderato("brake", "status", *at)
    assert shown.code == 1
    assert "high-kick" in shown.out
    assert "gone mad" in shown.out
    ended = moderato("brake", "release", "*", *at)
    assert (ended.code, ended.lines) == (0, ["every rule for all tenants: goes on"])
    found = orjson.loads(moderato("brake", "status", "--json", *at).out)
    [pulled] = found["pulled"]
    assert (pulled["tenant"], pulled["rule"], pulled["by"]) == ("acme", "high-kick", "ada")
    ended = moderato("brake", "release", "high-kick", *at)
    assert (ended.code, ended.err) == (1, "moderato: no brake holds the rule high-kick for all tenants\n")


def test_how_much_of_a_quota_is_used_up(broker: EmbeddedBroker, tmp_path: Path) -> None:
    hits = tuple(Hit(f"act_{number}", "kicks", "acme", "kick", "r", "u") for number in range(3))
    publish(broker.bootstrap, [tally_message(Tally("a", now(), hits, ()))])
    (tmp_path / "policy.yaml").write_text(_POLICY)
    (tmp_path / "moderato.yaml").write_text(f"policy: {{file: {tmp_path / 'policy.yaml'}}}\n")
    at = ("--bootstrap", broker.bootstrap, "--config", str(tmp_path / "moderato.yaml"))
    ended = moderato("brake", "status", *at)
    assert ended.code == 0
    assert ended.out.split()[-7:] == ["5", "within", "3600", "s", "kicks", "acme", "3"]
    [quota] = orjson.loads(moderato("brake", "status", "--json", *at).out)["quotas"]
    assert quota == {"at_most": 5, "within": 3600.0, "of": {"rule": "kicks", "tenant": "acme"}, "used": 3}


def test_a_rule_that_the_policy_does_not_have_is_stopped_with_a_warning(broker: EmbeddedBroker) -> None:
    ended = moderato("brake", "trip", "hihg-kick", "--reason", "mad", "--bootstrap", broker.bootstrap)
    assert ended.code == 0
    assert ended.err == "moderato: the configured policy has no rule hihg-kick\n"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (("trip", "", "--reason", "mad"), "RULE: the id of a rule or '*' is due"),
        (("trip", "a\nb", "--reason", "mad"), "RULE: the id of a rule or '*' is due"),
        (("trip", "a", "--reason", " "), "--reason: one line of at most 300 characters is due"),
        (("trip", "a", "--reason", "mad", "--tenant", ""), "--tenant: the name of a tenant or '*' is due"),
        (("release", "a", "--by", "x" * 101), "--by: a name of at most 100 characters is due"),
    ],
)
def test_what_makes_no_sense_is_refused_before_kafka_is_asked(given: tuple[str, ...], fault: str) -> None:
    ended = moderato("brake", *given, "--bootstrap", "127.0.0.1:1")
    assert (ended.code, ended.err) == (2, f"moderato: {fault}\n")
