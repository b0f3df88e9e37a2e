from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.records import ActionType
from sinks.policy.fields import seconds
from sinks.policy.rules import TARGETS, Policy, PolicyFile
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


def test_what_later_versions_added_changes_neither_the_version_nor_the_windows_of_a_file_without_it() -> None:
    counted = rule("b", {"decision": "block"}, "mute", count={"at_least": 3, "within": "10m"})
    found = policy(rule("a", {"severity": {"at_least": "high"}, "room": "x*"}, "kick", stop=True), counted)
    assert found.version == "c8db88abb7ce"
    assert found.rules[1].window == (
        '{"count":{"at_least":3,"within":600.0},"id":"b","match":{"decision":["block"]}}'
    )


@pytest.mark.parametrize(
    "more",
    [
        {"unless": [{"room": "x"}]},
        {"rollout": 50},
        {"match": {"user": "u"}},
        {"count": {"at_least": 3, "within": "1m", "per": "room"}},
    ],
)
def test_other_conditions_are_counted_in_other_windows(more: dict[str, Any]) -> None:
    plain = rule(count={"at_least": 3, "within": "1m"})
    assert policy(plain).rules[0].window != policy(plain | more).rules[0].window
    assert policy(plain).version != policy(plain | more).version


def test_an_agreement_is_a_count_of_sources_in_other_words() -> None:
    agreed = policy(rule(agreement={"sources": 3, "within": "60s", "per": "user"}))
    counted = policy(rule(count={"at_least": 3, "within": "1m", "per": "user", "distinct": "source"}))
    assert agreed.rules[0].count == counted.rules[0].count
    assert agreed.rules[0].window == counted.rules[0].window
    assert agreed.version == counted.version


def test_an_agreement_is_by_default_of_two_about_a_room() -> None:
    [found] = policy(rule(agreement={"within": "60s"})).rules
    assert found.count is not None
    assert (found.count.at_least, found.count.per) == (2, "room")


def test_rules_of_a_higher_priority_come_first_and_equal_ones_as_in_the_file() -> None:
    found = policy(rule("a", priority=-1), rule("b"), rule("c", priority=5), rule("d"), rule("e", priority=5))
    assert [each.id for each in found.rules] == ["c", "e", "b", "d", "a"]


def test_the_ids_of_lists_are_content_and_their_order_is_not() -> None:
    file = PolicyFile.model_validate({"rules": [rule(match={"user": {"file": "list.txt"}})]})
    one, two, three = (
        Policy.of(file, {"list.txt": frozenset(ids)}).version for ids in (["a", "b"], ["b", "a"], ["a"])
    )
    assert one == two != three
