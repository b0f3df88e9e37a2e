"""`moderato policy backtest`."""

import asyncio
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message
from moderato.cli.backtest_report import precision, wilson
from moderato.codec import encode
from moderato.sources import Source
from moderato.times import rfc3339
from sinks.policy.backtest import People
from tests.cli.history_support import publish
from tests.cli.support import Ended, moderato
from tests.sinks.policy.evening import LIBRARY, evening
from tests.sinks.support import verdict

NEW = """\
rules:
  - id: insults
    description: Nobody is insulted.
    match: {category: abuse, judge: machine}
    then: [{action: mute, duration: 10m, max_age: 1m}]
  - id: trial
    match: {category: porn}
    then: [{action: kick}]
    mode: shadow
"""
OLD = """\
rules:
  - id: sex
    match: {category: porn}
    then: [{action: kick}]
"""
NASTY = "<script>alert(1)</script>|`*[x](y)\x1b[31m\u202e"
BEGIN = 1_795_248_000.0


def said(number: int, after: float, **changes: Any) -> dict[str, Any]:
    at = rfc3339(BEGIN + after)
    return verdict(**{"id": f"v-{number}", "occurred_at": at, "normalized_at": at, "user": None} | changes)


VERDICTS = [
    said(1, 0, category="abuse", user=NASTY, text=NASTY, segment_id="a"),
    said(1, 0, category="abuse", user=NASTY, text=NASTY, segment_id="a"),
    said(2, 10, category="abuse", user="u-2", segment_id="b"),
    said(3, 3600, category="porn", user="u-2", segment_id="c"),
    said(4, 3610, decision="pass", severity="none", category="none", source="yidun_audio"),
    said(5, 3700, judge="vendor_human", category="abuse", segment_id="a"),
    said(6, 3700, judge="vendor_human", decision="pass", severity="none", segment_id="b"),
    said(7, 3700, tenant="other", category="abuse", user="u-9"),
]


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "new.yaml").write_text(NEW)
    return tmp_path / "new.yaml"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    (tmp_path / "old.yaml").write_text(OLD)
    return tmp_path / "old.yaml"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, VERDICTS)) + b"\n")
    return path


def backtest(*arguments: object) -> Ended:
    return moderato("policy", "backtest", *arguments)


def rows(text: str, title: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    part = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in part.splitlines() if line.startswith("|")]
    return [found[0], *found[2:]]


def test_the_report_says_what_each_rule_would_have_done(new: Path, old: Path, lines: Path) -> None:
    ended = backtest("--rules", new, "--baseline", old, "--verdicts", lines, "--examples", 1)
    assert (ended.code, ended.err) == (0, "")
    head, insults, trial, gone = rows(ended.out, "Rules")
    assert head[:4] == ["rule", "mode", "verdicts", "before"]
    assert insults == [
        *("insults", "enforce", "3", "no rule", "mute 3", "3", "2", "0", "0", "50 % (1 of 2; 9 to 91 %)")
    ]
    assert trial == ["trial", "shadow", "1", "no rule", "kick 1", "1", "1", "0", "0", "no human verdicts"]
    assert gone[:4] == ["sex (baseline only)", "enforce", "0", "1"]
    assert "insults       █▅  at most 2" in ended.lines
    assert rows(ended.out, "Against the baseline")[1:] == [
        ["both", "0", "", "no human verdicts"],
        ["only the new policy", "3", "3", "50 % (1 of 2; 9 to 91 %)"],
        ["only the baseline", "1", "1", "no human verdicts"],
    ]
    assert ["kick", "0", "1", "1", "0", "0", "0", "1"] in rows(ended.out, "Actions")
    assert rows(ended.out, "Shadow against enforced")[1] == ["kick", "0", "0", "1"]
    assert [row[0] for row in rows(ended.out, "Examples")[1:]] == ["new", "gone"]
    assert rows(ended.out, "Agreement of vendors")[1] == [
        *("shumei_audio", "yidun_audio", "0", "1", "0", "0", "0 %")
    ]
    assert "1 repetitions, 0 that no policy can judge" in ended.out
    # What people wrote cannot become markup, or reach a terminal.
    assert r"\<script\>alert(1)\</script\>\|\`\*\[x\](y)\x1b\[31m" in ended.out.replace("\\\\", "\\")
    assert "<script" not in ended.out.replace("\\<", "")
    assert "\x1b" not in ended.out


def test_brakes_that_would_have_been_pulled_are_told(new: Path, lines: Path) -> None:
    new.write_text(NEW + "brakes: {quotas: [{at_most: 1, within: 1h, per: rule}]}\n")
    ended = backtest("--rules", new, "--verdicts", lines)
    assert rows(ended.out, "Rules")[1] == [
        *("insults", "enforce", "3", "mute 2, review 1", "3", "2", "0", "1", "50 % (1 of 2; 9 to 91 %)")
    ]
    assert "No trip switch pulled one." in ended.out


class Page(HTMLParser):
    """Which elements a page has, and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [
            str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "style")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_shows_what_people_wrote_as_text(
    new: Path, old: Path, lines: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.html"
    ended = backtest("--rules", new, "--baseline", old, "--verdicts", lines, "--output", output)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"7 verdicts played; the report is in {output}\n"
    page = Page()
    text = output.read_text(encoding="utf-8")
    page.feed(text)
    assert page.fetched == []
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "<script>alert(1)</script>|`*[x](y)" in page.text
    assert page.tags.count("svg") == 3 + 3  # by rule, by hour, precision, and one for each rule
    assert "prefers-color-scheme: dark" in text
    assert "Content-Security-Policy" in text
    assert "no human verdicts" in page.text


def test_json_says_all_of_it(new: Path, old: Path, lines: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    assert backtest("--rules", new, "--baseline", old, "--verdicts", lines, "--output", output).code == 0
    said = json.loads(output.read_bytes())
    assert (said["read"]["verdicts"], said["read"]["repeated"], said["read"]["unreadable"]) == (7, 1, 0)
    [insults, trial] = said["policy"]["rules"]
    assert (insults["id"], insults["actions"], insults["people"]) == (
        "insults",
        {"mute": 3},
        {"confirmed": 1, "refuted": 1},
    )
    assert insults["hours"] == {rfc3339(BEGIN): 2, rfc3339(BEGIN + 3600): 1}
    assert insults["users"]["top"][0] == [f"acme/{NASTY}", 1]
    assert trial["mode"] == "shadow"
    assert said["difference"]["verdicts"]["new"] == {"count": 3, "people": {"confirmed": 1, "refuted": 1}}
    assert {"source": "shumei_audio", "category": "abuse", "outcome": "confirmed", "count": 1} in said[
        "people"
    ]
    assert backtest("--rules", new, "--verdicts", lines, "--format", "json").out.startswith("{")


def test_one_tenant_can_be_picked_and_no_baseline_is_needed(new: Path, lines: Path) -> None:
    ended = backtest("--rules", new, "--verdicts", lines, "--tenant", "other")
    assert ended.code == 0
    assert rows(ended.out, "Rules")[1] == [
        *("insults", "enforce", "1", "mute 1", "1", "1", "0", "0", "no human verdicts")
    ]
    assert "Against the baseline" not in ended.out
    empty = backtest("--rules", new, "--verdicts", lines, "--tenant", "nobody")
    assert (empty.code, rows(empty.out, "What was played")[3:5]) == (
        0,
        [["made", "no verdict"], ["verdicts", "0 played: "]],
    )
    assert backtest("--rules", new, "--verdicts", lines, "--tenant", "nobody", "--format", "html").code == 0


def test_lines_that_are_no_verdict_are_counted_and_the_first_are_named(new: Path, tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    good = orjson.dumps({"kind": "verdict", "record": VERDICTS[0]})
    broken = [b"{", b"[]", orjson.dumps(verdict(user=None, room=None, id="")), b"x" * 5_000_000, b"\xff\xfe"]
    path.write_bytes(b"\n".join([*broken, b"", good]))  # no newline at the end
    ended = backtest("--rules", new, "--verdicts", path)
    assert ended.code == 0
    found = rows(ended.out, "What was played")
    assert ["left out", "0 repetitions, 5 that no policy can judge"] in found
    assert ["verdicts", "1 played: block 1"] in found
    assert [row[1].partition(":")[0] for row in found if row[0] == ""][1:] == ["line 1", "line 2", "line 3"]
    assert "line 3: text is due in id" in ended.out


def test_a_file_without_a_verdict_is_refused(new: Path) -> None:
    ended = backtest("--rules", new, "--verdicts", new)  # the wrong file
    assert (ended.code, ended.out) == (2, "")
    assert f"none of {len(NEW.splitlines())} records in {new} is a verdict" in ended.err
    assert "line 1: one verdict as JSON is due" in ended.err


def test_both_files_are_read_before_anything_else_and_all_their_faults_are_told(tmp_path: Path) -> None:
    (one := tmp_path / "one.yaml").write_text("rules: [{id: a, match: {severety: high}, then: []}]")
    (two := tmp_path / "two.yaml").write_text("rule: 1")
    ended = backtest(
        "--rules", one, "--baseline", two, "--from", "1h", "--to", "now", "--bootstrap", "127.0.0.1:1"
    )
    assert (ended.code, ended.out) == (2, "")
    faults = ended.err.splitlines()
    assert [line.split(": ")[1].split(":")[0] for line in faults] == [*[str(one)] * 2, *[str(two)] * 2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--from and --to are due, or --verdicts"),
        (["--from", "1h"], "--from and --to are due, or --verdicts"),
        (["--verdicts", "/no/such.jsonl"], "--verdicts /no/such.jsonl: No such file or directory"),
        (["--verdicts", "/tmp"], "--verdicts /tmp: Is a directory"),
        (["--verdicts", "x", "--from", "1h"], "--verdicts excludes --from, --to and --bootstrap"),
        (["--verdicts", "x", "--output", "/no/such/report.html"], "its folder is not there"),
        (["--verdicts", "x", "--output", "/tmp"], "--output /tmp: that is a folder"),
        (["--verdicts", "x", "--format", "pdf"], "pdf"),
        (["--from", "soon", "--to", "now"], "'soon' is neither a time"),
    ],
)
def test_a_wrong_command_is_told(new: Path, arguments: list[str], words: str) -> None:
    ended = backtest("--rules", new, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err


def message(data: dict[str, Any]) -> Message:
    key = f"{data['tenant']}/{data['room']}"
    headers = encode(
        "verdict",
        id=data["id"],
        source=Source.SHUMEI_AUDIO,
        tenant=data["tenant"],
        key=key,
        time=data["occurred_at"],
    )
    return Message(topics.VERDICTS, key.encode(), orjson.dumps(data), headers)


def test_verdicts_come_from_kafka_in_the_order_in_which_they_were_written(
    broker: EmbeddedBroker, new: Path, old: Path, tmp_path: Path
) -> None:
    rooms = [message(each | {"room": f"r-{number % 5}"}) for number, each in enumerate(VERDICTS)]
    publish(broker.bootstrap, [*rooms, message(VERDICTS[0])._replace(value=b"{}")])
    stretch = ("--from", "beginning", "--to", "now", "--bootstrap", broker.bootstrap)
    ended = backtest("--rules", new, "--baseline", old, *stretch)
    assert (ended.code, ended.err) == (0, "")
    assert rows(ended.out, "Rules")[1][:3] == ["insults", "enforce", "3"]
    assert "moderation.verdicts from the beginning to now" in ended.out
    assert "1 repetitions, 1 that no policy can judge" in ended.out
    assert re.search(r"partition \d+ offset \d+: text is due in id", ended.out)


def test_when_it_is_interrupted_nothing_is_told_of_a_part(
    broker: EmbeddedBroker, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def already() -> asyncio.Event:
        ended = asyncio.Event()
        ended.set()
        return ended

    monkeypatch.setattr("moderato.cli.backtest_run.until_signal", already)
    publish(broker.bootstrap, [message(VERDICTS[0])])
    ended = backtest("--rules", new, "--from", "beginning", "--to", "now", "--bootstrap", broker.bootstrap)
    assert (ended.code, ended.out) == (130, "")
    assert "stopped: played up to moderation.verdicts" in ended.err
    path = tmp_path / "many.jsonl"
    path.write_bytes((orjson.dumps(VERDICTS[0]) + b"\n") * 600)
    ended = backtest("--rules", new, "--verdicts", path)
    assert (ended.code, ended.out) == (130, "")
    assert "stopped: played up to line 500" in ended.err


@pytest.mark.kafka
def test_on_real_kafka_a_range_of_time_is_played(kafka_connection: Connection, new: Path) -> None:
    bootstrap = kafka_connection.bootstrap
    publish(bootstrap, [message(each) for each in VERDICTS])
    assert rows(
        backtest("--rules", new, "--from", "1h", "--to", "now", "--bootstrap", bootstrap).out, "Rules"
    )[1][:3] == ["insults", "enforce", "3"]
    nothing = backtest("--rules", new, "--from", "2h", "--to", "1h", "--bootstrap", bootstrap)
    assert (nothing.code, rows(nothing.out, "What was played")[3]) == (0, ["made", "no verdict"])


def test_a_precision_tells_what_its_number_leaves_open() -> None:
    assert precision(People()) == "no human verdicts"
    assert precision(People(95, 5)) == "95 % (95 of 100; 89 to 98 %)"
    assert wilson(0, 1) == (0.0, pytest.approx(0.793, abs=0.001))
    assert wilson(1, 1)[1] == 1.0


def test_the_report_of_the_recorded_evening_in_the_documents_is_what_the_command_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = (LIBRARY / "backtest-evening.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^ +moderato (policy backtest .+)$", document, re.M)
    (tmp_path / "evening.jsonl").write_bytes(b"\n".join(evening()))
    (tmp_path / "docs").symlink_to(LIBRARY.parent)
    monkeypatch.chdir(tmp_path)
    ended = moderato(*command.split())
    assert ended.code == 0, ended.err
    assert document.endswith(ended.out.removeprefix("# Backtest of a policy\n"))
