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
        "16:1: version: unknown field (there are: rules)",
    ]


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


def test_the_example_in_the_documentation_loads(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    [rule] = load(written(tmp_path, example)).rules
    assert rule.stop
    assert rule.then[0].duration == 600
