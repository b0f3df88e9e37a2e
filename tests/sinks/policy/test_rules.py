import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.records import ActionType
from sinks.policy.rules import TARGETS, seconds
from tests.sinks.policy.support import policy, rule


@pytest.mark.parametrize(
    ("text", "length"), [("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604800), ("0.5s", 0.5)]
)
def test_durations_have_a_number_and_a_unit(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "10", "m", "10 m", "-5s", "1h30m", "1e3s", "٣s", "0s", "3651d", "9999999999s", 10, None]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"due$|7d$"):
        seconds(text)


@given(st.text(max_size=30))
def test_any_text_gives_a_duration_in_bounds_or_is_refused(text: str) -> None:
    try:
        length = seconds(text)
    except ValueError:
        return
    assert 0 < length <= 3650 * 86400


def test_every_type_of_action_has_a_natural_target() -> None:
    assert set(TARGETS) == set(ActionType) - {ActionType.LIFT}
    assert all(TARGETS.values())


def test_the_version_follows_the_content_and_nothing_else() -> None:
    first = policy(rule("a", {"severity": "high"}, "kick"))
    assert first.version == policy(rule("a", {"severity": ["high"]}, "kick", stop=False)).version
    assert first.version != policy(rule("a", {"severity": "critical"}, "kick")).version
    assert first.version != policy(rule("a", {"severity": "high"}, "mute")).version
    assert len(first.version) == 12


def test_the_order_of_rules_is_content() -> None:
    one, two = rule("a"), rule("b")
    assert policy(one, two).version != policy(two, one).version


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        policy(rule()).rules[0].stop = True  # type: ignore[misc]
