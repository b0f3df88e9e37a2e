import fnmatch
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.errors import Poison
from moderato.records import Action, RuleRef, Target
from sinks.policy.evaluate import Evaluator
from sinks.policy.rules import Policy, PolicyFile
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
        {"user": "u-42"},
        {"user": ["u-1", "u-42"], "account": "acc-9"},
        {"time": {"from": "15:00", "to": "17:00", "timezone": "Asia/Shanghai"}},
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
        {"user": "U-42"},
        {"account": ["acc-8", "u-42"]},
        {"time": {"from": "15:00", "to": "17:00", "timezone": "UTC"}},
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


# --- Lists, exceptions, times of day, shares of people --------------------------------------------------------------


def listed(names: list[str], **ids: set[str]) -> Evaluator:
    file = PolicyFile.model_validate({"rules": [rule("r", {"user": {"file": names}})]})
    lists = {f"{name}.txt": frozenset(found) for name, found in ids.items()}
    return Evaluator(Policy.of(file, lists))


def test_a_list_file_holds_those_who_are_in_it_and_nobody_else() -> None:
    evaluator = listed(["one.txt", "two.txt"], one={"u-42"}, two={"u-43"})
    found = [bool(evaluator.evaluate(verdict(user=user), NOW)) for user in ("u-42", "u-43", "u-4", None, "")]
    assert found == [True, True, False, False, False]


def test_an_exception_is_a_match_of_its_own_and_one_is_enough() -> None:
    rules = [rule("r", {}, unless=[{"user": "u-1", "room": "lounge-7"}, {"category": "ad"}])]
    assert fired(rules) == ["r"]
    assert fired(rules, user="u-1") == []
    assert fired(rules, user="u-1", room="hall") == ["r"]
    assert fired(rules, category="ad") == []


def test_an_exception_holds_for_a_pass_that_the_rule_names() -> None:
    a_pass = {"decision": "pass", "severity": "none", "severity_level": 0, "category": "none"}
    rules = [rule("r", {"decision": "pass"}, unless=[{"room": "lounge-*"}])]
    assert fired(rules, **a_pass) == []
    assert fired(rules, **a_pass, room="hall") == ["r"]


NIGHT = {"from": "22:00", "to": "06:00", "timezone": "Asia/Shanghai"}


@pytest.mark.parametrize(
    ("time", "utc", "holds"),
    [
        (NIGHT, "2026-11-21T13:59:59.999Z", False),
        (NIGHT, "2026-11-21T14:00:00.000Z", True),
        (NIGHT, "2026-11-21T21:59:59.000Z", True),
        (NIGHT, "2026-11-21T22:00:00.000Z", False),
        # Friday night, that is until Saturday morning, and not the morning of Friday.
        (NIGHT | {"days": "fri"}, "2026-11-20T14:00:00Z", True),
        (NIGHT | {"days": "fri"}, "2026-11-20T21:00:00Z", True),
        (NIGHT | {"days": "fri"}, "2026-11-19T21:00:00Z", False),
        (NIGHT | {"days": "fri"}, "2026-11-21T15:00:00Z", False),
        (NIGHT | {"days": ["sun", "mon"]}, "2026-11-22T21:00:00Z", True),
        (NIGHT | {"days": ["mon"]}, "2026-11-22T21:00:00Z", False),
        # Whole days, in the place's own days.
        ({"days": ["sat", "sun"], "timezone": "Asia/Shanghai"}, "2026-11-20T16:00:00Z", True),
        ({"days": ["sat", "sun"], "timezone": "Asia/Shanghai"}, "2026-11-22T16:00:00Z", False),
        ({"from": "23:00", "timezone": "UTC"}, "2026-11-21T23:59:59Z", True),
        ({"from": "23:00", "to": "00:00", "timezone": "UTC"}, "2026-11-21T23:59:59Z", True),
        ({"from": "23:00", "to": "00:00", "timezone": "UTC"}, "2026-11-22T00:00:00Z", False),
        ({"to": "24:00", "timezone": "UTC"}, "2026-11-22T00:00:00Z", True),
        # 02:30 comes twice when the clocks go back, and both are before three.
        ({"from": "02:00", "to": "03:00", "timezone": "Europe/Berlin"}, "2026-10-25T00:30:00Z", True),
        ({"from": "02:00", "to": "03:00", "timezone": "Europe/Berlin"}, "2026-10-25T01:30:00Z", True),
        ({"from": "02:00", "to": "03:00", "timezone": "Europe/Berlin"}, "2026-10-25T02:00:00Z", False),
    ],
)
def test_the_time_of_day_is_that_of_the_place_when_it_happened(
    time: dict[str, Any], utc: str, holds: bool
) -> None:
    assert fired([rule("r", {"time": time})], occurred_at=utc) == ["r"] * holds


@given(st.integers(0, 1440), st.integers(0, 1440), st.integers(0, 1439), st.integers(0, 6))
def test_a_time_of_day_and_the_rest_of_the_day_make_the_whole(
    begin: int, end: int, minute: int, day: int
) -> None:
    if begin % 1440 == end % 1440:
        return

    def clock(minutes: int) -> str:
        return f"{minutes // 60:02d}:{minutes % 60:02d}"

    rules = [
        rule(name, {"time": {"from": clock(first % 1440), "to": clock(last), "timezone": "UTC"}})
        for name, first, last in (("in", begin, end), ("out", end, begin))
    ]
    at = f"2026-11-{16 + day}T{clock(minute)}:30Z"
    assert len(fired(rules, occurred_at=at)) == 1


def test_a_time_of_day_that_cannot_be_told_is_poison() -> None:
    with pytest.raises(Poison, match="occurred_at 'soon' is not a time"):
        fired([rule("r", {"time": NIGHT})], occurred_at="soon")


def admitted(percent: float, users: range, **more: Any) -> set[int]:
    evaluator = Evaluator(policy(rule("r", {}, rollout=percent, **more)))
    return {user for user in users if evaluator.evaluate(verdict(user=f"u-{user}"), NOW)}


def test_a_rollout_is_for_its_share_of_people_and_the_same_ones_when_it_grows() -> None:
    everybody = range(4000)
    few, more, all_of_them, nobody = (admitted(percent, everybody) for percent in (25, 50, 100, 0))
    assert few < more < all_of_them == set(everybody)
    assert not nobody
    assert abs(len(few) - 1000) < 150
    assert abs(len(more) - 2000) < 150


def test_another_rule_tries_other_people() -> None:
    both = Evaluator(policy(rule("a", {}, rollout=50), rule("b", {}, rollout=50)))
    found = {
        tuple(action.rule.id for action in both.evaluate(verdict(user=f"u-{user}"), NOW))
        for user in range(100)
    }
    assert found == {(), ("a",), ("b",), ("a", "b")}


def test_where_nobody_is_named_a_room_is_in_or_out_as_a_whole() -> None:
    evaluator = Evaluator(policy(rule("r", {}, rollout=50)))
    found = {
        room: {
            bool(evaluator.evaluate(verdict(user=None, room=f"room-{room}", id=f"v-{number}"), NOW))
            for number in range(5)
        }
        for room in range(50)
    }
    assert all(len(each) == 1 for each in found.values())
    assert {True} in found.values()
    assert {False} in found.values()


def test_a_counted_rule_is_rolled_out_to_what_it_counts() -> None:
    counted = rule("r", {}, rollout=50, count={"at_least": 1, "within": "1m", "per": "room"})
    evaluator = Evaluator(policy(counted))
    found = {
        room: {bool(evaluator.subjects(verdict(user=f"u-{user}", room=f"room-{room}"))) for user in range(5)}
        for room in range(50)
    }
    assert all(len(each) == 1 for each in found.values())
    assert {True} in found.values()
    assert {False} in found.values()


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
    "user": ["u", "v"],
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
_more = st.fixed_dictionaries(
    {"mode": st.sampled_from(["enforce", "shadow"]), "stop": st.booleans()},
    optional={
        "priority": st.integers(-2, 2),
        "unless": st.lists(_matches.filter(bool), max_size=2),
    },
)
_policies = st.lists(st.tuples(_matches, _thens, _more), max_size=6)
_verdicts = st.fixed_dictionaries(
    {
        "severity": st.sampled_from(list(_LEVELS)),
        "degraded": st.booleans(),
        "room": st.sampled_from([None, "a", "ab", "bb", "ac", "zz"]),
        "user": st.sampled_from([None, "u"]),
        "session_id": st.sampled_from([None, "s"]),
    }
    | {
        name: st.sampled_from([*words, "new"])
        for name, words in _WORDS.items()
        if name not in ("room", "user")
    }
)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _naively_acts_on(rule: dict[str, Any], found: dict[str, Any]) -> bool:
    match = rule["match"]
    if "decision" not in match and "severity" not in match and found["decision"] == "pass":
        return False
    excepted = any(_naively_matches(each, found) for each in rule.get("unless", ()))
    return _naively_matches(match, found) and not excepted


def _naively_matches(match: dict[str, Any], found: dict[str, Any]) -> bool:
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
    for each in sorted(rules, key=lambda rule: -rule.get("priority", 0)):
        if not _naively_acts_on(each, found):
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
    rules = [rule(f"r{number}", match, *thens, **more) for number, (match, thens, more) in enumerate(made)]
    found = verdict(**words, severity_level=_LEVELS[words["severity"]])
    demanded = actions(rules, found)
    assert [(each.rule.id, each.mode, each.type, each.target.id) for each in demanded] == _naively(
        rules, found
    )
    assert len({each.id for each in demanded}) == len(demanded)
