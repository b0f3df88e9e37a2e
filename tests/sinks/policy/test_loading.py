from pathlib import Path
from textwrap import dedent

import pytest

from moderato.errors import Fatal
from sinks.policy.faults import _nodes
from sinks.policy.loading import BUILT_IN, load

BAD = """\
rules:
  - id: one
    match: {severity: {at_leest: high}, catgory: abuse, decision: blok, media: [audio, vidio], room: 123}
    then:
      - {action: kik}
      - {action: notify, duration: 10m}
      - {action: close_room, target: user, max_age: 10}
    mode: shadows
  - id: one
    match:
    then: []
  - id: two words
    match: {severity: [hihg], degraded: perhaps, tenant: []}
    then: [{action: kick, max_age: 90x, message: ""}, {action: kick}]
  - nonsense
version: 1
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def faults_of(path: Path) -> list[str]:
    with pytest.raises(Fatal) as caught:
        load(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).split("\n")]


def test_a_file_with_many_faults_lists_them_all_with_line_place_and_suggestion(tmp_path: Path) -> None:
    assert faults_of(written(tmp_path, BAD)) == [
        "3:13: rules.0.match.severity.at_least: this field is missing",
        "3:24: rules.0.match.severity.at_leest: unknown field; did you mean 'at_least'? (there are: at_least)",
        "3:41: rules.0.match.catgory: unknown field; did you mean 'category'? (there are: severity, decision,"
        " category, source, judge, media, tenant, room, degraded, user, account, time)",
        "3:57: rules.0.match.decision.0: 'blok' is not known here; did you mean 'block'? (there are: pass, review,"
        " block)",
        "3:88: rules.0.match.media.1: 'vidio' is not known here; did you mean 'audio'? (there are: audio, image,"
        " text)",
        "3:96: rules.0.match.room.0: text is due; put it in quotes",
        "5:10: rules.0.then.0.action: 'kik' is not known here; did you mean 'kick'? (there are: notify, review, warn,"
        " mute, kick, ban, close_room, stop_session)",
        "6:26: rules.0.then.1.duration: notify has no duration, only: mute, kick, ban",
        "7:30: rules.0.then.2.target: close_room cannot hit a user, only: room",
        "7:44: rules.0.then.2.max_age: a number with its unit is due: 90s, 10m, 2h or 7d",
        "8:5: rules.0.mode: 'shadows' is not known here; did you mean 'shadow'? (there are: enforce, shadow)",
        "9:5: rules.1.id: the id 'one' is that of rules.0 already",
        "10:5: rules.1.match: nothing stands here; write a value or leave the line out",
        "11:5: rules.1.then: the list is empty",
        "12:5: rules.2.id: 1 to 63 characters of A-Z a-z 0-9 . _ - are due, beginning with a letter or a digit",
        "13:24: rules.2.match.severity.0: 'hihg' is not known here; did you mean 'high'? (there are: none, low,"
        " medium, high, critical)",
        "13:31: rules.2.match.degraded: true or false is due",
        "13:50: rules.2.match.tenant: the list is empty",
        "14:27: rules.2.then.0.max_age: a number with its unit is due: 90s, 10m, 2h or 7d",
        "14:41: rules.2.then.0.message: the text is empty",
        "14:55: rules.2.then.1: this rule has the same action and target already",
        "15:5: rules.3: a mapping (name: value) is due",
        "16:1: version: unknown field (there are: rules, brakes)",
    ]


BAD_TOO = """\
rules:
  - id: one
    match: {user: {fiel: a.txt}, account: [], time: {from: 22:00, to: "06:00", timezone: Asia/Shangai, days: [mo]}}
    unless: [{}, {rom: x}]
    agreement: {sources: 1, within: 2d, per: account}
    rollout: 120
    priority: high
    then: [{action: kick}]
  - id: two
    match: {time: {from: "06:00", to: "06:00", timezone: UTC}}
    unless: {room: x}
    count: {at_least: 3, within: 10m}
    agreement: {within: 1m}
    then: [{action: kick}]
  - id: three
    match: {time: {from: "22:00"}}
    stop: true
    agreement: {within: 1m}
    then: [{action: kick}]
"""


def test_the_further_conditions_say_what_is_due_too(tmp_path: Path) -> None:
    assert faults_of(written(tmp_path, BAD_TOO)) == [
        "3:13: rules.0.match.user.file: this field is missing",
        "3:20: rules.0.match.user.fiel: unknown field; did you mean 'file'? (there are: file)",
        "3:34: rules.0.match.account: the list is empty",
        '3:54: rules.0.match.time.from: a time of day in quotes is due: "06:30" or "22:00", "24:00" at most',
        "3:80: rules.0.match.time.timezone: a time zone is due; did you mean 'Asia/Shanghai'?",
        "3:111: rules.0.match.time.days.0: 'mo' is not known here; did you mean 'mon'? (there are: mon, tue,"
        " wed, thu, fri, sat, sun)",
        "4:14: rules.0.unless.0: an exception without a condition would except everything",
        "4:19: rules.0.unless.1.rom: unknown field; did you mean 'room'? (there are: severity, decision,"
        " category, source, judge, media, tenant, room, degraded, user, account, time)",
        "5:17: rules.0.agreement.sources: at least 2 is due",
        "5:29: rules.0.agreement.within: at most 1d is due: windows are rebuilt from two days of strikes",
        "5:41: rules.0.agreement.per: 'account' is not known here (there are: user, room)",
        "6:5: rules.0.rollout: at most 100 is due",
        "7:5: rules.0.priority: a whole number is due",
        "10:35: rules.1.match.time.to: from and to are the same; leave both out for the whole day",
        "11:5: rules.1.unless: a list is due",
        "12:5: rules.1.count: count and agreement exclude each other",
        "16:13: rules.2.match.time.timezone: this field is missing",
        "18:5: rules.2.agreement: a rule that counts cannot stop: whether it acts is known only later",
    ]


def listing(tmp_path: Path, names: str, content: bytes | None) -> Path:
    if content is not None:
        (tmp_path / "vip.txt").write_bytes(content)
    return written(
        tmp_path,
        f"rules: [{{id: a, match: {{}}, unless: [{{user: {{file: {names}}}}}], then: [{{action: kick}}]}}]",
    )


def test_a_list_has_one_id_a_line_beside_the_policy(tmp_path: Path) -> None:
    content = "\ufeff# our own people\nu-1\r\n\n  用户 2 \nu-1\n".encode()
    assert load(listing(tmp_path, "vip.txt", content)).lists == {"vip.txt": {"u-1", "用户 2"}}


def test_a_list_that_is_empty_is_one_of_nobody(tmp_path: Path) -> None:
    assert load(listing(tmp_path, "vip.txt", b"")).lists == {"vip.txt": frozenset()}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "the list cannot be read: No such file or directory"),
        (b"\xff\xfe", "the list is not UTF-8"),
        (b"a\n" + b"x" * 501, "line 2 has over 500 characters; one id a line is due"),
        (b"\n".join(b"%d" % id_ for id_ in range(100_001)), "over 100,000 ids; match them by something else"),
    ],
)
def test_a_list_that_cannot_be_used_is_a_fault_of_its_line(
    tmp_path: Path, content: bytes | None, fault: str
) -> None:
    [found] = faults_of(listing(tmp_path, "[vip.txt]", content))
    assert found == f"1:52: rules.0.unless.0.user.file.0: 'vip.txt': {fault}"


def test_a_list_of_the_most_ids_is_taken(tmp_path: Path) -> None:
    content = b"\n".join(b"%d" % id_ for id_ in range(100_000))
    assert len(load(listing(tmp_path, "vip.txt", content)).lists["vip.txt"]) == 100_000


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1:1: rules: this field is missing"),
        ("rules: 5", "1:1: rules: a list is due"),
        ("rules:\n", "1:1: rules: nothing stands here; write a value or leave the line out"),
        ("rules: [{id: a, match: {severity: high}}]", "1:9: rules.0.then: this field is missing"),
        ("rules: [{id: a, match: {}, then: 5}]", "1:28: rules.0.then: a list is due"),
        (
            "rules: [{id: a, match: {decision: {a: b}}, then: [{action: warn}]}]",
            "1:25: rules.0.match.decision.0: {'a': 'b'} is not known here",
        ),
        (
            f"rules: [{{id: a, match: {{source: {'x' * 200}}}, then: [{{action: warn}}]}}]",
            f"1:25: rules.0.match.source.0: '{'x' * 56}... is not known here",
        ),
    ],
)
def test_single_faults_say_what_is_due(tmp_path: Path, text: str, fault: str) -> None:
    [found] = faults_of(written(tmp_path, text))
    assert found.startswith(fault)


def test_a_fault_behind_a_merge_key_has_the_line_of_what_holds_it(tmp_path: Path) -> None:
    text = """\
    rules:
      - id: a
        match: {}
        then:
          - &base {action: kick, max_age: 9}
          - {<<: *base, action: warn}
    """
    faults = faults_of(written(tmp_path, text))
    assert [fault.partition(": ")[0] for fault in faults] == ["5:30", "6:9"]


def test_an_alias_that_stands_in_itself_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    [fault] = faults_of(written(tmp_path, "rules: &a [*a]"))
    assert fault == "1:8: found unconstructable recursive node"


def test_yaml_faults_and_missing_files_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"policy\.yaml:1:8"):
        load(written(tmp_path, "rules: ]"))
    with pytest.raises(Fatal, match=r"none\.yaml: No such file"):
        load(tmp_path / "none.yaml")


def test_faults_stay_readable_when_the_file_vanishes_while_it_is_read(tmp_path: Path) -> None:
    assert _nodes(tmp_path / "gone.yaml") is None


def test_a_policy_without_rules_is_one_that_does_nothing(tmp_path: Path) -> None:
    assert load(written(tmp_path, "rules: []")).rules == ()


def test_the_same_content_in_another_layout_has_the_same_version(tmp_path: Path) -> None:
    one = load(
        written(tmp_path, "rules: [{id: a, match: {category: ad}, then: [{action: warn, max_age: 60s}]}]")
    )
    two = load(
        written(
            tmp_path,
            """\
            # why
            rules:
              - then:
                  - max_age: 1m
                    action: warn
                match:
                  category: [ad]
                id: a
            """,
        )
    )
    assert one == two


def test_the_policy_that_ships_loads() -> None:
    assert len(load(BUILT_IN).rules) >= 5


def test_the_examples_in_the_documentation_load(tmp_path: Path) -> None:
    (tmp_path / "moderators.txt").write_text("u-1\n")
    text = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
    examples = [block.split("```")[0] for block in text.split("```yaml\n")[1:]]
    rules = [
        rule
        for example in examples
        if example.startswith("rules:")
        for rule in load(written(tmp_path, example)).rules
    ]
    assert [rule.id for rule in rules] == ["loud-lounge", "night-abuse"]
    assert rules[0].then[0].duration == 600


def test_a_brake_that_names_no_rule_or_has_no_sense_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "rules:\n"
        "  - {id: kicks, match: {decision: block}, then: [{action: kick}]}\n"
        "brakes:\n"
        "  quotas:\n"
        "    - {at_most: 0, within: 2d, rules: [kcks]}\n"
        "    - {at_most: 1, within: 1h, per: rules, actions: lift}\n"
        "  trips:\n"
        "    - {share: 20, within: 10m, rules: kikcs, of: room}\n"
    )
    with pytest.raises(Fatal) as refused:
        load(file)
    assert [line.partition(":")[2] for line in str(refused.value).splitlines()] == [
        "5:8: brakes.quotas.0.at_most: at least 1 is due",
        "5:20: brakes.quotas.0.within: at most 1d is due: windows are rebuilt from two days of strikes",
        "5:40: brakes.quotas.0.rules.0: no rule is named 'kcks'; did you mean 'kicks'? (there are: kicks)",
        "6:32: brakes.quotas.1.per.0: 'rules' is not known here; did you mean 'rule'? (there are: rule, "
        "tenant, action)",
        "6:44: brakes.quotas.1.actions.0: 'lift' is not known here (there are: notify, review, warn, mute, "
        "kick, ban, close_room, stop_session)",
        "8:8: brakes.trips.0.share: less than 1 is due",
        "8:32: brakes.trips.0.rules: no rule is named 'kikcs'; did you mean 'kicks'? (there are: kicks)",
        "8:46: brakes.trips.0.of: 'room' is not known here; did you mean 'rooms'? (there are: rooms, users)",
    ]
