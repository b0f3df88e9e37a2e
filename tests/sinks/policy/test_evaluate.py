import fnmatch
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.errors import Poison
from moderato.records import Action, RuleRef, Target
from sinks.policy.evaluate import Evaluator
from tests.sinks.policy.support import policy, rule
from tests.sinks.support import NOW, verdict


def actions(rules: list[dict[str, Any]], found: dict[str, Any]) -> list[Action]:
    return Evaluator(policy(*rules)).evaluate(found, NOW)


def fired(rules: list[dict[str, Any]], **changes: Any) -> list[str]:
    return [action.rule.id for action in actions(rules, verdict(**changes))]


# --- What an action carries ------------------------------------------------------------------------------------------


def test_an_action_says_everything_about_itself() -> None:
    kick = {"action": "kick", "duration": "1h", "max_age": "90s", "message": "Out."}
    the_policy = policy(rule("r1", {"severity": "critical"}, kick))
    [action] = Evaluator(the_policy).evaluate(verdict(brand_new_field=1), NOW)
    assert action.id.startswith("act_")
    assert (action.tenant, action.type, action.mode) == ("acme", "kick", "enforce")
    assert action.target == Target("user", "u-42")
    assert action.rule == RuleRef("r1", the_policy.version)
    assert (action.source, action.session_id, action.task_id) == ("shumei_audio", "ses-1", "task-1")
    assert (action.room, action.user, action.account) == ("lounge-7", "u-42", "acc-9")
    assert (action.duration, action.message) == (3600.0, "Out.")
    assert (action.occurred_at, action.created_at) == ("2026-11-21T08:00:00.000Z", NOW)
    assert action.expires_at == "2026-11-21T08:01:30.000Z"
    # What a later version adds to a verdict reaches whoever reads the action.
    assert orjson.loads(orjson.dumps(action))["verdict"] == verdict(brand_new_field=1)


def test_a_replay_makes_the_same_ids_whatever_the_time_and_the_policy_around_the_rule() -> None:
    one = Evaluator(policy(rule("r", {}, "kick"))).evaluate(verdict(), NOW)
    two = Evaluator(policy(rule("other"), rule("r", {}, "kick"))).evaluate(
        verdict(), "2026-11-22T00:00:00.000Z"
    )
    assert one[0].id == two[1].id


@pytest.mark.parametrize(
    "other",
    [
        actions([rule("r2", {}, "kick")], verdict()),
        actions([rule("r", {}, "mute")], verdict()),
        actions([rule("r", {}, "kick")], verdict(id="req-2#0")),
        actions([rule("r", {}, "kick")], verdict(user="u-43")),
        actions([rule("r", {}, "kick")], verdict(tenant="umbrella")),
        actions([rule("r", {}, "kick")], verdict(source="yidun_audio")),
        actions([rule("r", {}, {"action": "kick", "target": "account"})], verdict(account="u-42")),
    ],
)
def test_another_rule_type_verdict_target_tenant_or_source_has_another_id(other: list[Action]) -> None:
    [action] = actions([rule("r", {}, "kick")], verdict())
    assert [each.id for each in other] != [action.id]


def test_without_max_age_an_action_does_not_expire() -> None:
    [action] = actions([rule("r", {}, "kick")], verdict(occurred_at="whenever"))
    assert action.expires_at is None


@pytest.mark.parametrize("text", ["whenever", "2026-11-21T08:00:00", "9999-12-31T23:59:59Z"])
def test_an_age_that_cannot_be_told_is_poison(text: str) -> None:
    with pytest.raises(Poison, match=r"occurred_at .* is not a time"):
        actions([rule("r", {}, {"action": "kick", "max_age": "1m"})], verdict(occurred_at=text))


# --- Targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "target"),
    [
        ("kick", Target("user", "u-42")),
        ("mute", Target("user", "u-42")),
        ("ban", Target("user", "u-42")),
        ("warn", Target("user", "u-42")),
        ({"action": "ban", "target": "account"}, Target("account", "acc-9")),
        ("close_room", Target("room", "lounge-7")),
        ("stop_session", Target("session", "ses-1")),
        ("review", Target("user", "u-42")),
        ("notify", Target("user", "u-42")),
        ({"action": "review", "target": "room"}, Target("room", "lounge-7")),
        ({"action": "notify", "target": "session"}, Target("session", "ses-1")),
    ],
)
def test_each_action_hits_its_natural_or_its_named_target(then: Any, target: Target) -> None:
    [action] = actions([rule("r", {}, then)], verdict())
    assert action.target == target


def test_a_kick_without_a_user_becomes_a_review_of_the_room_that_says_why_and_does_not_expire() -> None:
    [action] = actions([rule("r", {}, {"action": "kick", "max_age": "1m"})], verdict(user=None))
    assert (action.type, action.target) == ("review", Target("room", "lounge-7"))
    assert action.message == "kick: the verdict names no user"
    assert action.expires_at is None


def test_several_actions_that_miss_their_target_become_one_review() -> None:
    found = actions(
        [rule("r", {}, "kick", "mute", "stop_session", "notify")], verdict(user="", session_id=None)
    )
    assert [action.type for action in found] == ["notify", "review"]
    assert found[1].message == (
        "kick: the verdict names no user; mute: the verdict names no user; stop_session: the verdict names no session"
    )


def test_a_rule_that_asks_for_the_review_itself_gets_no_second_one() -> None:
    [action] = actions([rule("r", {}, "kick", "review")], verdict(user=None))
    assert (action.type, action.message) == ("review", None)


def test_the_room_of_an_unknown_room_cannot_be_closed_so_somebody_looks_at_the_user() -> None:
    [action] = actions([rule("r", {}, "close_room")], verdict(room=None))
    assert (action.type, action.target) == ("review", Target("user", "u-42"))


def test_reviews_reach_somebody_however_little_is_known() -> None:
    review = [rule("r", {}, "review")]

    def target(**known: str | None) -> Target:
        nothing = dict.fromkeys(("user", "room", "session_id", "account", "task_id"))
        return actions(review, verdict(**(nothing | known)))[0].target

    assert target(room="r", session_id="s") == Target("room", "r")
    assert target(session_id="s", account="a") == Target("session", "s")
    assert target(account="a", task_id="t") == Target("account", "a")
    assert target(task_id="t") == Target("task", "t")
    assert target() == Target("task", "req-1#0")


def test_targets_that_turn_out_to_be_the_same_are_hit_once() -> None:
    both = ({"action": "review", "target": "user"}, {"action": "review", "target": "room"})
    [action] = actions([rule("r", {}, *both)], verdict(user=None))
    assert action.target == Target("room", "lounge-7")


# --- Matching --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "match",
    [
        {"severity": "critical"},
        {"severity": {"at_least": "high"}},
        {"severity": ["low", "critical"]},
        {"decision": "block"},
        {"category": ["abuse", "politics"]},
        {"source": "shumei_audio"},
        {"judge": "machine"},
        {"media": ["audio", "image"]},
        {"tenant": "acme"},
        {"room": "lounge-*"},
        {"room": ["hall", "lounge-[5-9]"]},
        {"degraded": False},
        {},
    ],
)
def test_a_rule_matches_when_all_that_it_names_fits(match: dict[str, Any]) -> None:
    assert fired([rule("r", match)]) == ["r"]


@pytest.mark.parametrize(
    "match",
    [
        {"severity": "high"},
        {"severity": "critical", "decision": "review"},
        {"category": ["abuse", "ad"]},
        {"source": "yidun_audio"},
        {"judge": ["vendor_human", "customer_human"]},
        {"media": "image"},
        {"tenant": "umbrella"},
        {"room": "Lounge-*"},
        {"room": "ounge"},
        {"degraded": True},
        {"category": "politics", "media": "image"},
    ],
)
def test_a_rule_does_not_match_when_one_thing_that_it_names_differs(match: dict[str, Any]) -> None:
    assert fired([rule("r", match)]) == []


def test_a_room_pattern_does_not_match_where_no_room_is_known() -> None:
    assert fired([rule("r", {"room": "*"})], room=None) == []


def test_a_pass_matches_only_a_rule_that_names_decision_or_severity() -> None:
    a_pass = {"decision": "pass", "severity": "none", "severity_level": 0, "category": "none"}
    rules = [
        rule("all", {}),
        rule("room", {"room": "*"}),
        rule("pass", {"decision": "pass"}),
        rule("none", {"severity": {"at_least": "none"}}),
        rule("both", {"decision": ["pass", "block"], "severity": "high"}),
    ]
    assert fired(rules, **a_pass) == ["pass", "none"]


def test_rules_act_in_the_order_of_the_file_until_one_stops() -> None:
    rules = [rule("a"), rule("b", {"media": "image"}, stop=True), rule("c", stop=True), rule("d")]
    assert fired(rules) == ["a", "c"]


def test_a_shadow_rule_never_stops_what_is_enforced() -> None:
    rules = [rule("trial", {}, "kick", mode="shadow", stop=True), rule("real", {}, "mute")]
    assert [(action.rule.id, action.mode) for action in actions(rules, verdict())] == [
        ("trial", "shadow"),
        ("real", "enforce"),
    ]


# --- Words from a later version --------------------------------------------------------------------------------------


def test_a_graver_severity_than_we_know_is_at_least_what_we_know() -> None:
    rules = [
        rule("at-least", {"severity": {"at_least": "critical"}}),
        rule("exact", {"severity": "critical"}),
    ]
    assert fired(rules, severity="catastrophic", severity_level=5) == ["at-least"]


def test_a_severity_that_cannot_be_placed_is_poison() -> None:
    with pytest.raises(Poison, match="'odd' is not known here"):
        fired([rule()], severity="odd", severity_level=None)


def test_words_that_we_do_not_know_match_no_list_and_break_nothing() -> None:
    unknown = {"decision": "escalate", "category": "deepfake", "source": "newcomer", "judge": "jury"}
    rules = [
        rule("any"),
        rule("named", {"decision": ["pass", "review", "block"]}),
        rule("c", {"category": "ad"}),
    ]
    assert fired(rules, **unknown) == ["any"]


# --- Against a naive model -------------------------------------------------------------------------------------------

_LEVELS = {"none": 0, "low": 1, "medium": 2, "high": 3, "critical": 4, "beyond": 5}
_WORDS = {
    "decision": ["pass", "review", "block"],
    "category": ["none", "abuse", "ad", "politics"],
    "source": ["shumei_audio", "yidun_audio"],
    "judge": ["machine", "vendor_human"],
    "media": ["audio", "image"],
    "tenant": ["acme", "umbrella"],
    "room": ["a*", "?b", "ab", "[ab]c"],
}
_severities = st.sampled_from(list(_LEVELS)[:5])
_matches = st.fixed_dictionaries(
    {},
    optional={name: st.lists(st.sampled_from(words), min_size=1) for name, words in _WORDS.items()}
    | {
        "severity": _severities
        | st.lists(_severities, min_size=1)
        | st.builds(lambda severity: {"at_least": severity}, _severities),
        "degraded": st.booleans(),
    },
)
_thens = st.lists(
    st.sampled_from(["kick", "close_room", "stop_session", "review", "notify"]), min_size=1, unique=True
)
_policies = st.lists(
    st.tuples(_matches, _thens, st.sampled_from(["enforce", "shadow"]), st.booleans()), max_size=6
)
_verdicts = st.fixed_dictionaries(
    {
        "severity": st.sampled_from(list(_LEVELS)),
        "degraded": st.booleans(),
        "room": st.sampled_from([None, "a", "ab", "bb", "ac", "zz"]),
        "user": st.sampled_from([None, "u"]),
        "session_id": st.sampled_from([None, "s"]),
    }
    | {name: st.sampled_from([*words, "new"]) for name, words in _WORDS.items() if name != "room"}
)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _naively_matches(match: dict[str, Any], found: dict[str, Any]) -> bool:
    if "decision" not in match and "severity" not in match and found["decision"] == "pass":
        return False
    for name, wanted in match.items():
        value = found[name]
        if name == "degraded":
            holds = value == wanted
        elif name == "room":
            holds = value is not None and any(fnmatch.fnmatchcase(value, pattern) for pattern in wanted)
        elif isinstance(wanted, dict):
            holds = _LEVELS[value] >= _LEVELS[wanted["at_least"]]
        else:
            holds = value in _as_list(wanted)
        if not holds:
            return False
    return True


def _naively(rules: list[dict[str, Any]], found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    demanded = []
    for each in rules:
        if not _naively_matches(each["match"], found):
            continue
        near = found["user"] or found["room"] or found["session_id"] or found["account"]
        here = []
        for then in each["then"]:
            name = {"kick": "user", "close_room": "room", "stop_session": "session_id"}.get(then["action"])
            target = found[name] if name else near
            here.append((then["action"], target) if target else ("review", near))
        # Fallen-back reviews come last, and no action hits a target twice.
        plain = [each for each, then in zip(here, each["then"], strict=True) if each[0] == then["action"]]
        fallen = [("review", near)] if len(plain) < len(here) else []
        for hit in dict.fromkeys(plain + fallen):
            demanded.append((each["id"], each["mode"], *hit))
        if each["stop"] and each["mode"] == "enforce":
            break
    return demanded


@given(_policies, _verdicts)
def test_the_compiled_rules_do_what_a_naive_reading_of_the_file_does(
    made: list[Any], words: dict[str, Any]
) -> None:
    rules = [
        rule(f"r{number}", match, *thens, mode=mode, stop=stop)
        for number, (match, thens, mode, stop) in enumerate(made)
    ]
    found = verdict(**words, severity_level=_LEVELS[words["severity"]])
    demanded = actions(rules, found)
    assert [(each.rule.id, each.mode, each.type, each.target.id) for each in demanded] == _naively(
        rules, found
    )
    assert len({each.id for each in demanded}) == len(demanded)
