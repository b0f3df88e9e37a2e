"""What stands beside the actions of rules on trial."""

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
    # The same of another target is something else.
    assert besides(player.play(verdict(), NOW)) == {("kick", "same"): 1, ("mute", "other"): 1}


def test_a_trial_that_stands_alone_and_a_policy_without_one() -> None:
    assert besides(Player(policy(rule("t", {}, "ban", mode="shadow"))).play(verdict(), NOW)) == {
        ("ban", "nothing"): 1
    }
    assert not besides(Player(policy(rule("t", {}, "ban"))).play(verdict(), NOW))
