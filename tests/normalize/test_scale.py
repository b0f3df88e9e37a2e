"""The rules of docs/severity.md, section 1, on their own; the sources' tests hold the same with real bytes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.errors import Fatal
from moderato.records import Category, Decision, Severity
from moderato.sources import Source
from normalize.scale import BUILT_IN, Candidate, Tables, built_in, load

GRAVE = {Category.TERRORISM, Category.POLITICS}
LIGHT = {
    Category.AD,
    Category.SPAM,
    Category.QUALITY,
    Category.COPYRIGHT,
    Category.SUGGESTIVE,
    Category.VALUES,
}
candidates = st.lists(
    st.builds(Candidate, st.none() | st.sampled_from(Category), st.none() | st.floats(0, 1)), max_size=5
)


@pytest.fixture
def tables() -> Tables:
    return built_in()


def test_the_version_is_the_one_the_rules_begin_with(tables: Tables) -> None:
    assert tables.version == "2026.11.1"


@given(st.sampled_from(Source), st.sampled_from(Decision), candidates, st.booleans(), st.booleans())
def test_every_judgement_follows_the_rules(
    source: Source, decision: Decision, found: list[Candidate], machine: bool, suspect_low: bool
) -> None:
    tables = built_in()
    judged = tables.judge(source, decision, found, machine=machine, suspect_low=suspect_low)
    known = [item for item in found if item.category not in (None, Category.NONE)]
    unknown = [item for item in found if item.category is None]
    assert judged.decision is decision
    assert judged.unmapped == bool(unknown)
    assert judged.rules[0] == "decision"
    if decision is Decision.PASS:
        assert (judged.category, judged.severity, judged.rules) == (
            Category.NONE,
            Severity.NONE,
            ("decision",),
        )
        return
    assert ("category" in judged.rules) == bool(known)
    assert ("unmapped" in judged.rules) == (not known and bool(unknown))
    assert ("contradiction" in judged.rules) == (not known and not unknown)
    if not known:
        assert judged.category is Category.OTHER
    # The naive model: severity by steps, on the gravest candidate.
    base = {Decision.REVIEW: 2, Decision.BLOCK: 3}[decision]

    def level(item: Candidate) -> int:
        if item.category in GRAVE and decision is Decision.BLOCK:
            return 4
        return base - 1 if item.category in LIGHT else base

    expected = max((level(item) for item in known), default=base)
    winner = next((item for item in known if level(item) == expected), None) or next(
        iter(unknown or found), None
    )
    if known:
        assert winner is not None
        assert judged.category is winner.category
    assert judged.confidence == (winner.confidence if winner else None)
    if decision is Decision.REVIEW and suspect_low:
        assert ("suspect-low" in judged.rules) == (expected > 1)
        expected = max(1, expected - 1)
    low = source in (Source.YIDUN_AUDIO, Source.YUNXIN_RTC, Source.AGORA_VIDEO)
    if (
        machine
        and low
        and decision is Decision.BLOCK
        and judged.confidence is not None
        and judged.confidence < 0.6
    ):
        assert "low-confidence" in judged.rules
        expected -= 1
    else:
        assert "low-confidence" not in judged.rules
    assert judged.severity.level == expected


def test_the_rules_are_named_in_their_order(tables: Tables) -> None:
    judged = tables.judge(Source.YIDUN_AUDIO, Decision.REVIEW, [Candidate(None)], suspect_low=True)
    assert judged.rules == ("decision", "suspect-low", "unmapped")
    judged = tables.judge(Source.AGORA_VIDEO, Decision.BLOCK, [Candidate(Category.NONE, 0.4)])
    assert (judged.rules, judged.severity) == (
        ("decision", "low-confidence", "contradiction"),
        Severity.MEDIUM,
    )


@pytest.mark.parametrize(
    ("action", "spam_type", "decision", "category", "severity"),
    [
        (1, "100", "pass", "none", "none"),
        (4, "200", "review", "ad", "low"),
        (2, "600", "block", "abuse", "medium"),
        (3, "600", "block", "abuse", "high"),
        (3, "512", "block", "politics", "critical"),
        (2, "512", "block", "politics", "medium"),
        (3, "0", "block", "other", "high"),
        (3, None, "block", "other", "high"),
        (3, "9999", "block", "other", "high"),
    ],
)
def test_a_reviewer_decides_by_the_peoples_table(
    tables: Tables, action: int, spam_type: str | None, decision: str, category: str, severity: str
) -> None:
    table = tables.vendors["yidun"]
    people = table.peoples("reviewEvidences", action)
    assert people is not None
    reason = None if spam_type is None else Candidate(table.category("spamType", spam_type))
    judged = tables.judge_people(people, reason)
    assert (judged.decision, judged.category, judged.severity) == (decision, category, severity)
    assert judged.unmapped == (spam_type == "9999")
    assert ("human" in judged.rules) == (decision != "pass")


def test_a_word_is_found_whatever_its_case_spaces_or_number_type(tables: Tables) -> None:
    yidun, shumei = tables.vendors["yidun"], tables.vendors["shumei"]
    assert {yidun.decision("suggestion", word) for word in (2, 2.0, "2", " 2 ", "2.0")} == {Decision.BLOCK}
    assert {shumei.decision("riskLevel", word) for word in ("REJECT", "reject", " Reject ")} == {
        Decision.BLOCK
    }
    assert [shumei.decision("riskLevel", word) for word in (None, "", "BAN", 7, [], {})] == [None] * 6
    assert tables.vendors["iflytek"].category("category", "porndetection") is Category.PORN
    assert shumei.category("riskType_v3_audio", "700") is Category.CUSTOM
    assert shumei.category("riskType", "700") is Category.OTHER
    assert shumei.category("riskType_v3_picture", "400") is Category.TERRORISM


def overrides(folder: Path, text: str) -> Path:
    path = folder / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_tenant_overrides_single_words(tmp_path: Path) -> None:
    path = overrides(
        tmp_path,
        "version: acme.3\nscale: {low_confidence: {below: 0.9}}\n"
        'yidun: {labels: {label: {"600": spam, 1200: fraud}}}\n',
    )
    tables = load(BUILT_IN, path)
    assert tables.version == "2026.11.1+acme.3"
    assert tables.vendors["yidun"].category("label", "600") is Category.SPAM
    assert tables.vendors["yidun"].category("label", "1200") is Category.FRAUD
    assert tables.vendors["yidun"].category("label", "500") is Category.POLITICS
    assert (
        tables.judge(Source.AGORA_VIDEO, Decision.BLOCK, [Candidate(Category.PORN, 0.8)]).severity
        is Severity.MEDIUM
    )
    assert built_in().vendors["yidun"].category("label", "600") is Category.ABUSE


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("yidun: {}", "version is missing or not text"),
        ("version: v\nnosuch: {}", r"nosuch: no such table \(there are: .*yidun\)"),
        ("version: v\nyidun: 7", "yidun: not a mapping"),
        ("version: v\nyidun: {labels: {label: {600: rude}}}", r"labels\.label\.600: Input should be 'none'"),
        ("version: v\nscale: {base: {block: worst}}", r"base\.block"),
        ("version: v\nyidun: {label: {}}", "label: Extra inputs are not permitted"),
        ("a: [", "acme.yaml:1"),
    ],
)
def test_a_fault_in_overrides_is_told_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Fatal, match=fault):
        load(BUILT_IN, overrides(tmp_path, text))


def test_all_faults_of_a_folder_of_tables_are_told(tmp_path: Path) -> None:
    for path in BUILT_IN.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "yidun.yaml").write_text("version: other\nlabels: {label: {1: nonsense}}")
    (tmp_path / "agora_voice.yaml").write_text("version: 2026.11.1\ndecisions: {suggestion: {pass: maybe}}")
    with pytest.raises(Fatal) as caught:
        load(tmp_path)
    assert "the tables are of different versions: 2026.11.1, other" in str(caught.value)
    assert "yidun.yaml: labels.label.1" in str(caught.value)
    assert "agora_voice.yaml: decisions.suggestion.pass" in str(caught.value)


def test_a_folder_without_a_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"scale\.yaml is missing"):
        load(tmp_path)
