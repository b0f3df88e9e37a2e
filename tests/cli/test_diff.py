"""`moderato diff`: what other tables would change, over records that there are."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.cli.moves import ABSENT, Moves, as_json, weight
from moderato.records import Category, Decision, Label, Media, RawRef
from moderato.sources import Source
from normalize.reading import Raw, Reading, TenantView
from normalize.scale import BUILT_IN, Judgement, VendorTable, built_in
from tests.cli.history_support import publish, raw
from tests.cli.support import Ended, body, moderato

SHUMEI = body("shumei_audio", "v4_nested_reject_normal.json")
POLITICS = body("shumei_audio", "built_v4_nested_reject_politics.json")
YIDUN = body("yidun_audio", "built_politics_block.json")
NOTICE = body("agora_ncs", "channel_created.json")

LAX = "version: lax.1\nscale: {base: {block: medium}}\n"
STRICT = "version: strict.1\nscale: {base: {block: critical}}\n"


@pytest.fixture
def bootstrap(broker: EmbeddedBroker) -> str:
    publish(
        broker.bootstrap,
        [
            *(raw(Source.SHUMEI_AUDIO, number, SHUMEI) for number in range(5)),
            raw(Source.SHUMEI_AUDIO, 5, POLITICS, tenant="other"),
            raw(Source.YIDUN_AUDIO, 6, YIDUN),
            raw(Source.AGORA_NCS, 7, NOTICE),
        ],
    )
    return broker.bootstrap


@pytest.fixture
def lax(tmp_path: Path) -> Path:
    (path := tmp_path / "lax.yaml").write_text(LAX)
    return path


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    (path := tmp_path / "strict.yaml").write_text(STRICT)
    return path


def diff(bootstrap: str, *tables: Path, source: str = "all", more: tuple[object, ...] = ()) -> Ended:
    given = [word for path in tables for word in ("--tables", path)]
    return moderato(
        "diff", "--source", source, "--from", "beginning", "--to", "now", "--bootstrap", bootstrap, *given, *more
    )  # fmt: skip


def test_what_loses_severity_ends_with_3_and_is_shown(bootstrap: str, lax: Path) -> None:
    ended = diff(bootstrap, lax)
    assert ended.code == 3, ended.err
    lines = [" ".join(line.split()) for line in ended.lines]
    assert lines[0] == "A: as configured, version 2026.11.1"
    assert lines[1] == f"B: {lax}, version 2026.11.1+lax.1"
    assert any(
        line.startswith("shumei_audio: 6 verdicts of 6 records; 5 lower, 0 higher, 0 of") for line in lines
    )
    assert "A \\ B none low medium high critical" in lines
    assert "high · · 5 · ·" in lines
    assert "critical · · · · 1" in lines
    assert "agora_ncs: no verdict in 1 records" in lines
    assert lines[-1] == "5 verdicts would lose severity: exit code 3"
    examples = [line for line in lines if line.startswith("high -> medium")]
    assert len(examples) == 3
    assert all("(moderation.raw.shumei_audio partition" in example for example in examples)
    rules = [line for line in lines if line.startswith(("A decision", "B decision"))]
    assert rules[:2] == [
        "A decision, contradiction -> block, other, high",
        "B decision, contradiction -> block, other, medium",
    ]


def test_what_only_gains_severity_ends_with_0(bootstrap: str, strict: Path) -> None:
    ended = diff(bootstrap, strict)
    assert ended.code == 0
    assert "5 lower" not in ended.out
    assert "0 lower, 5 higher" in ended.out
    assert ended.lines[-1] == "no verdict would lose severity"


def test_two_tables_are_compared_with_each_other(bootstrap: str, strict: Path, lax: Path) -> None:
    assert diff(bootstrap, lax, strict).code == 0
    assert diff(bootstrap, strict, lax).code == 3
    assert diff(bootstrap, lax, lax).code == 0


def test_a_folder_stands_for_the_tables_that_ship(bootstrap: str, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    shutil.copytree(BUILT_IN, folder)
    same = diff(bootstrap, folder)
    assert same.code == 0
    assert "->" not in same.out
    scale = folder / "scale.yaml"
    scale.write_text(scale.read_text().replace("critical", "high"))
    ended = diff(bootstrap, folder, more=("--json",))
    assert ended.code == 3
    sources = json.loads(ended.out)["sources"]
    assert sources["shumei_audio"]["matrix"] == {"critical": {"high": 1}, "high": {"high": 5}}


def test_a_tenants_own_tables_stay_on_top_of_a_folder(bootstrap: str, tmp_path: Path, lax: Path) -> None:
    config = tmp_path / "moderato.yaml"
    config.write_text(f"tenants: {{acme: {{tables: {lax}}}, other: {{}}}}")
    # The configured tables are lax for acme: a folder changes nothing of that, an override of nothing takes it back.
    assert diff(bootstrap, BUILT_IN, more=("--config", config)).code == 0
    none = tmp_path / "none.yaml"
    none.write_text("version: none.1\n")
    ended = diff(bootstrap, none, more=("--config", config, "--json"))
    assert ended.code == 0
    assert json.loads(ended.out)["sources"]["shumei_audio"]["higher"] == 5


def test_json_says_all_of_it(bootstrap: str, lax: Path) -> None:
    ended = diff(bootstrap, lax, source="shumei_audio", more=("--json", "--examples", "1"))
    assert ended.code == 3
    said = json.loads(ended.out)
    assert said["a"] == {"tables": "as configured", "version": "2026.11.1"}
    assert (said["lower"], said["skipped"]) == (5, 0)
    source = said["sources"]["shumei_audio"]
    assert set(said["sources"]) == {"shumei_audio"}
    assert (source["records"], source["verdicts"], source["lower"]) == (6, 6, 5)
    [example] = source["examples"]
    assert example["before"]["severity"] == "high"
    assert example["after"] == {
        "decision": "block",
        "category": "other",
        "severity": "medium",
        "rules": ["decision", "contradiction"],
    }
    assert example["raw"].startswith("moderation.raw.shumei_audio partition ")


def test_one_tenant_can_be_picked(bootstrap: str, lax: Path) -> None:
    assert diff(bootstrap, lax, more=("--tenant", "other")).code == 0
    empty = diff(bootstrap, lax, more=("--tenant", "nobody"))
    assert (empty.code, empty.lines[-1]) == (0, "there is no record in this range")


def test_what_is_no_raw_record_is_counted_and_left_out(bootstrap: str, lax: Path) -> None:
    publish(bootstrap, [raw(Source.YIDUN_AUDIO, 8, YIDUN)._replace(headers=[])])
    assert "1 records are no raw records of a known source" in diff(bootstrap, lax, source="yidun_audio").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "yidun", "--tables", "x"], "--source: 'yidun' is not one of agora_voice"),
        (["--source", "all", "--tables", "/nowhere"], "--tables /nowhere: no such folder or file"),
        (["--source", "all"], "Missing option '--tables'"),
        (["--source", "all", "--tables", "a", "--tables", "b", "--tables", "c"], "one or two are due"),
    ],
)
def test_a_wrong_command_is_told(arguments: list[str], words: str) -> None:
    ended = moderato("diff", "--from", "1h", "--to", "now", "--bootstrap", "127.0.0.1:1", *arguments)
    assert ended.code == 2
    assert words in ended.err


def test_tables_that_do_not_load_are_told(bootstrap: str, tmp_path: Path) -> None:
    (broken := tmp_path / "broken.yaml").write_text("version: x\nnobody: {}\n")
    ended = diff(bootstrap, broken)
    assert ended.code == 2
    assert "nobody: no such table" in ended.err


def test_when_it_is_interrupted_nothing_is_told_of_a_part(
    bootstrap: str, lax: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def already() -> asyncio.Event:
        ended = asyncio.Event()
        ended.set()
        return ended

    monkeypatch.setattr("moderato.cli.diff_run.until_signal", already)
    ended = diff(bootstrap, lax)
    assert (ended.code, ended.out) == (130, "")
    assert "stopped: compared up to moderation.raw." in ended.err


# --- the moves -------------------------------------------------------------------------------------------------------


def reading(*judged: tuple[Decision, Category], text: str | None = None) -> Reading:
    ref = RawRef(topics.raw(Source.YIDUN_AUDIO), 0, 7, "r")
    received = "2026-11-21T08:00:00.000Z"
    record = Raw(Source.YIDUN_AUDIO, "acme", "r", b"", "", received, ref)
    made = Reading(record, TenantView(built_in()), VendorTable(version="none"), received)
    for decision, category in judged:
        severity = built_in().scale.base[decision]
        judgement = Judgement(decision, category, severity, ("decision",))
        made.verdict(
            judgement, media=Media.AUDIO, task_id="t", labels=[Label("100", category)], text=text
        )  # fmt: skip
    return made


PORN = (Decision.BLOCK, Category.PORN)
AD = (Decision.BLOCK, Category.AD)
FINE = (Decision.PASS, Category.NONE)
UNSURE = (Decision.REVIEW, Category.OTHER)


def moves(before: Reading, after: Reading, examples: int = 3) -> Moves:
    found = Moves(examples)
    found.add(before, after)
    return found


def test_a_verdict_that_is_gone_weighs_as_little_as_a_pass() -> None:
    gone = moves(reading(PORN, FINE), reading())
    assert gone.sources["yidun_audio"].matrix == {("high", ABSENT): 1, ("none", ABSENT): 1}
    assert (gone.lower, gone.sources["yidun_audio"].higher) == (1, 0)
    new = moves(reading(), reading(PORN, FINE)).sources["yidun_audio"]
    assert (new.lower, new.higher) == (0, 1)


def test_a_record_that_becomes_unreadable_is_compared_place_by_place() -> None:
    found = moves(reading(FINE, PORN), reading(UNSURE)).sources["yidun_audio"]
    assert found.matrix == {("none", "medium"): 1, ("high", ABSENT): 1}


def test_another_category_of_the_same_severity_is_counted_apart() -> None:
    found = moves(reading(PORN), reading(AD)).sources["yidun_audio"]
    assert (found.lower, found.higher, found.other) == (0, 0, 1)
    assert len(found.examples["high", "high"]) == 1
    assert not moves(reading(PORN), reading(PORN)).sources["yidun_audio"].examples


def test_examples_are_bounded_and_the_worst_come_first() -> None:
    found = Moves(2)
    for _ in range(10):
        found.add(reading(FINE), reading(PORN))
        found.add(reading(PORN), reading(FINE, text="x" * 1000))
    said = as_json(found)["yidun_audio"]
    assert [each["before"]["severity"] for each in said["examples"]] == ["high", "high", "none", "none"]
    assert moves(reading(PORN), reading(FINE), examples=0).sources["yidun_audio"].examples == {
        ("high", "none"): []
    }


def test_an_example_quotes_a_bounded_text() -> None:
    [example] = (
        moves(reading(PORN, text="词" * 1000), reading(FINE)).sources["yidun_audio"].examples["high", "none"]
    )
    assert example["text"] == "词" * 200
    assert example["labels"] == ["100"]


def test_moves_have_a_direction() -> None:
    assert weight(("high", "low")) == -2
    assert weight((ABSENT, "critical")) == 4


@pytest.mark.kafka
def test_on_real_kafka_a_range_of_time_is_compared(kafka_connection: Connection, lax: Path) -> None:
    bootstrap = kafka_connection.bootstrap
    publish(bootstrap, [raw(Source.SHUMEI_AUDIO, 1, SHUMEI)])
    common = ("diff", "--source", "all", "--tables", lax, "--bootstrap", bootstrap)
    assert moderato(*common, "--from", "1h", "--to", "now").code == 3
    assert moderato(*common, "--from", "2h", "--to", "1h").lines[-1] == "there is no record in this range"
