"""What stands beside the actions of rules on trial."""

from dataclasses import replace

from sinks.policy.playing import Player
from sinks.policy.shadow import besides
from tests.sinks.policy.support import policy, rule
from tests.sinks.support import NOW, verdict


def test_each_shadow_action_is_compared_with_what_is_enforced() -> None:
    player = Player(
        policy(
            rule("trial", {}, "kick", "mute", mode="shadow"),
            rule("live", {}, "kick"),
            rule("lounge", {"room": "lounge-*"}, {"action": "mute", "target": "account"}),
        )
    )
    actions = player.play(verdict(), NOW)
    # The same of another target is something else.
    assert besides(actions) == ["same", "other", None, None]
    # What a brake holds is done to nobody.
    assert besides([replace(action, braked="rule") for action in actions]) == [
        "nothing",
        "nothing",
        None,
        None,
    ]


def test_a_trial_that_stands_alone_and_a_policy_without_one() -> None:
    assert besides(Player(policy(rule("t", {}, "ban", mode="shadow"))).play(verdict(), NOW)) == ["nothing"]
    assert besides(Player(policy(rule("t", {}, "ban"))).play(verdict(), NOW)) == [None]
    assert besides([]) == []
