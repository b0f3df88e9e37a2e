"""`moderato policy check|explain|test`."""

from pathlib import Path

import orjson
import pytest

from tests.cli.support import moderato
from tests.sinks.support import verdict

POLICY = """\
rules:
  - id: vip
    match: {user: {file: vip.txt}}
    then: [{action: review}]
    stop: true
  - id: third-insult
    match: {decision: block, category: abuse, severity: {at_least: low}}
    then: [{action: mute, duration: 10m, max_age: 1m}]
    count: {at_least: 3, within: 10m}
    ladder: [{at_least: 4, then: [{action: kick}]}]
    priority: 5
  - id: everything
    match: {}
    then: [{action: notify, target: room}]
    stop: true
  - id: never
    match: {category: ad}
    then: [{action: kick}]
    mode: shadow
"""
TESTS = """\
given: {room: lounge-7}
cases:
  - name: the third insult mutes, the fourth kicks
    given: {user: u-1, severity: high, category: abuse}
    verdicts:
      - {due: notify-room}
      - {after: 30s, due: [{action: notify, to: lounge-7}]}
      - {after: 30s, due: [notify, {action: mute, duration: 10m, rule: third-insult}]}
      - {after: 30s, due: [notify, kick]}
      - {after: 1h, due: [notify]}
  - name: nothing for a pass
    verdicts: [{severity: none}]
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "vip.txt").write_text("u-9\n")
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.tests.yaml"
    path.write_text(text)
    return path


def test_a_good_file_is_summed_up_and_what_can_never_act_is_named_with_its_line(policy: Path) -> None:
    ended = moderato("policy", "check", policy)
    assert ended.code == 0
    head, *rules = ended.lines
    assert head.startswith(f"{policy}: good, version ")
    assert head.endswith(", 4 rules: 3 enforce, 1 shadow")
    assert [" ".join(line.split()) for line in rules] == [
        "third-insult mute; at 3 within 10m per user; at 4 kick; priority 5",
        "vip review; stop",
        "everything notify; stop",
        "never kick; shadow",
        "list vip.txt: 1 ids",
    ]
    assert ended.err == (
        f"moderato: {policy}:16:5: never can never act: everything stops all that it matches\n"
    )


def test_a_file_with_ten_faults_has_ten_lines_with_line_and_column_and_code_2(tmp_path: Path) -> None:
    bad = tmp_path / "policy.yaml"
    bad.write_text(
        """\
rule: 1
rules:
  - {id: a, match: {severety: high}, then: [{action: kick}]}
  - {id: a, match: {decision: bloc}, then: [{action: kik}]}
  - {id: b, match: {user: {file: gone.txt, fil: x}}, then: []}
  - {id: c, match: {time: {from: 9, timezone: UTD}}, then: [{action: ban, duration: 1 week}]}
"""
    )
    ended = moderato("policy", "check", bad)
    assert (ended.code, ended.out) == (2, "")
    prefix = f"moderato: {bad}:"
    assert all(line.startswith(prefix) for line in ended.err.splitlines())
    assert [line.removeprefix(prefix) for line in ended.err.splitlines()] == [
        "1:1: rule: unknown field; did you mean 'rules'? (there are: rules, brakes)",
        "3:21: rules.0.match.severety: unknown field; did you mean 'severity'? (there are: severity,"
        " decision, category, source, judge, media, tenant, room, degraded, user, account, time)",
        "4:6: rules.1.id: the id 'a' is that of rules.0 already",
        "4:21: rules.1.match.decision.0: 'bloc' is not known here; did you mean 'block'? (there are: pass,"
        " review, block)",
        "4:46: rules.1.then.0.action: 'kik' is not known here; did you mean 'kick'? (there are: notify,"
        " review, warn, mute, kick, ban, close_room, stop_session)",
        "5:44: rules.2.match.user.fil: unknown field; did you mean 'file'? (there are: file)",
        "5:54: rules.2.then: the list is empty",
        '6:28: rules.3.match.time.from: a time of day in quotes is due: "06:30" or "22:00", "24:00" at most',
        "6:37: rules.3.match.time.timezone: a time zone is due; did you mean 'UTC'?",
        "6:75: rules.3.then.0.duration: a number with its unit is due: 90s, 10m, 2h or 7d",
    ]


@pytest.mark.parametrize("arguments", [("check",), ("explain", "-"), ("test", "tests.yaml")])
def test_a_file_that_is_not_there_is_named(arguments: tuple[str, ...]) -> None:
    ended = moderato("policy", arguments[0], "/no/such.yaml", *arguments[1:], stdin=b"{}")
    assert (ended.code, ended.out) == (2, "")
    assert "moderato: /no/such.yaml: No such file or directory" in ended.err


def test_each_rule_says_whether_it_matched_a_verdict_and_what_did_not_hold(policy: Path) -> None:
    given = orjson.dumps({"kind": "verdict", "record": verdict(category="abuse")})
    ended = moderato("policy", "explain", policy, "-", stdin=given)
    assert (ended.code, ended.err) == (0, "")
    assert [" ".join(line.split()) for line in ended.lines] == [
        "shumei_audio block abuse critical room lounge-7 user u-42",
        "third-insult matches, and counts: acts at 3 within 10m per user",
        "vip does not match: user is u-42",
        "everything matches, and stops the search",
        "-> notify room lounge-7 by everything",
        "never does not match: category is abuse",
    ]


def test_a_strike_of_nobody_does_not_count_and_that_is_told(policy: Path) -> None:
    given = orjson.dumps(verdict(category="abuse", user=None))
    ended = moderato("policy", "explain", policy, "-", stdin=given)
    assert " ".join(ended.lines[1].split()) == (
        "third-insult matches, and does not count: a pass, or no user is named"
    )


def test_what_is_stopped_and_what_is_lacking_is_told_from_a_file(policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_bytes(orjson.dumps(verdict(category="ad", user="u-9\x1b[2J")))
    (tmp_path / "vip.txt").write_text("u-9\x1b[2J\n")
    ended = moderato("policy", "explain", policy, path)
    assert [" ".join(line.split()) for line in ended.lines][1:] == [
        "third-insult does not match: category is ad",
        "vip matches, and stops the search",
        "-> review user u-9\\x1b[2J by vip",
        "everything is not asked: vip stopped the search",
        "never is not asked: vip stopped the search",
    ]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (b"{", "one verdict as JSON is due"),
        (b"[]", "one verdict as a JSON object is due"),
        (b"{}", "text is due in id, source, tenant"),
        (orjson.dumps(verdict(severity="odd", severity_level=None)), "severity 'odd' is not known here"),
    ],
)
def test_what_is_no_verdict_is_one_line(policy: Path, given: bytes, fault: str) -> None:
    ended = moderato("policy", "explain", policy, "-", stdin=given)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"moderato: -: {fault}")
    assert ended.err.count("\n") == 1


def test_tests_that_hold_are_counted(policy: Path, tmp_path: Path) -> None:
    tests = written(tmp_path, TESTS.replace("{due: notify-room}", "{due: [notify]}"))
    ended = moderato("policy", "test", policy, tests)
    assert (ended.code, ended.out) == (0, f"{tests}: 2 cases, 6 verdicts, all as due\n")


def test_what_is_not_as_due_is_shown_with_its_line_and_code_1(policy: Path, tmp_path: Path) -> None:
    text = TESTS.replace("{due: notify-room}", "{due: [notify]}").replace("at_least: 3", "at_least: 2")
    tests = written(tmp_path, text)
    policy.write_text(POLICY.replace("at_least: 3", "at_least: 2"))
    ended = moderato("policy", "test", policy, tests)
    assert ended.code == 1
    case = "the third insult mutes, the fourth kicks"
    assert ended.lines == [
        f"{tests}:7:9: {case}: verdict 2, block abuse high at 2026-11-21T08:00:30.000Z",
        "  demanded, and not due: mute user u-1 for 10m by third-insult",
        f"{tests}: 2 cases, 6 verdicts, 1 not as due",
    ]
    policy.write_text(POLICY.replace("at_least: 4", "at_least: 5"))
    assert moderato("policy", "test", policy, tests).lines[1:3] == [
        "  due, and not demanded: kick",
        "  demanded, and not due: mute user u-1 for 10m by third-insult",
    ]


def test_the_faults_of_both_files_are_listed_together(policy: Path, tmp_path: Path) -> None:
    policy.write_text("rules: 1\n")
    tests = written(
        tmp_path,
        """\
cases:
  - name: a
    verdicts:
      - {due: [kik, {action: kick, durations: 1m}]}
      - {severity: high, at: soon, after: 3s}
      - {severity: high, at: 2026-11-21T08:00:00Z, after: 3s}
  - {name: b, verdicts: []}
""",
    )
    ended = moderato("policy", "test", policy, tests)
    assert (ended.code, ended.out) == (2, "")
    assert [line.removeprefix(f"moderato: {tmp_path}/") for line in ended.err.splitlines()] == [
        "policy.yaml:1:1: rules: a list is due",
        "policy.tests.yaml:4:9: cases.0.verdicts.0: severity is missing here, in the case and at the top",
        "policy.tests.yaml:4:16: cases.0.verdicts.0.due.0.action: 'kik' is not known here; did you mean 'kick'?"
        " (there are: notify, review, warn, mute, kick, ban, close_room, stop_session)",
        "policy.tests.yaml:4:36: cases.0.verdicts.0.due.1.durations: unknown field; did you mean 'duration'? (there"
        " are: action, rule, target, to, duration, mode)",
        "policy.tests.yaml:5:26: cases.0.verdicts.1.at: a time with its zone is due: 2026-11-21T22:15:00+08:00",
        "policy.tests.yaml:6:52: cases.0.verdicts.2.after: at and after exclude each other",
        "policy.tests.yaml:7:15: cases.1.verdicts: the list is empty",
    ]
