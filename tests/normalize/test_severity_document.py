"""docs/severity.md and the tables say the same: the page is read as it stands, and every word of it is looked up.

A word that the page gains, loses or moves, or that a table does, fails here; so does a worked example that the mapping
of its source no longer gives."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from moderato.records import Category, Decision, Severity
from moderato.sources import Source
from normalize.mappings import MAPPINGS
from normalize.payload import as_code
from normalize.scale import Candidate, PeoplesDecision, built_in
from tests.normalize.support import read_body

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
PAGE = (ROOT / "docs" / "severity.md").read_text(encoding="utf-8")
NO_VERDICT = "no verdict"


# --- Reading the page ----------------------------------------------------------------------------------------------


def section(number: int) -> str:
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"section {number} is missing"
    return found[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of the tables in `text`, without those of their heads."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines]
    rules = [place for place, row in enumerate(cells) if set("".join(row)) <= set("-")]
    heads = {place - 1 for place in rules}
    return [row for place, row in enumerate(cells) if place not in heads and place not in rules]


def split(text: str, by: str) -> list[str]:
    return [part.strip() for part in text.split(by)]


def codes(words: str) -> Iterator[str]:
    """`100, 111 to 122` as the codes of a table."""
    for word in split(words, ","):
        first, to, last = word.partition(" to ")
        for code in map(str, range(int(first), int(last) + 1)) if to else (word,):
            found = as_code(code)
            assert found is not None
            yield found


@cache
def label_lists() -> dict[str, dict[str, str]]:
    """Section 3: the name of each list -> its labels and their categories."""
    lists: dict[str, dict[str, str]] = {}
    for name, entries in re.findall(r"\*\*([^*]+)\*\*[^:]*: ([^.]*)\.", section(3)):
        lists[name] = {}
        for entry in split(entries, "·"):
            words, category = entry.replace("\n", " ").rsplit(" ", 1)
            for code in codes(words):
                assert code not in lists[name], f"{name}: {code} stands twice"
                lists[name][code] = category
    return lists


def table_of(source: Source) -> str:
    table = MAPPINGS[source].table
    assert table is not None
    return table


def categories(table: str, field: str) -> dict[str, str]:
    return {code: str(category) for code, category in built_in().vendors[table].labels[field].items()}


# --- Section 1: the rules ------------------------------------------------------------------------------------------


@cache
def rule(name: str) -> str:
    return next(text for _, found, text in rows(section(1)) if found == f"`{name}`")


def base() -> dict[Decision, Severity]:
    found = re.search(r"-> (.+); base severity (.+)", rule("decision"))
    assert found
    return dict(zip(map(Decision, split(found[1], ",")), map(Severity, split(found[2], ",")), strict=True))


def steps(name: str) -> tuple[set[Category], dict[Decision, Severity]]:
    names, severities = rule(name).split(":")
    moved = re.findall(r"(\w+) -> (\w+)", severities)
    return {Category(item) for item in split(names, ",")}, {Decision(a): Severity(b) for a, b in moved}


def expected_severity(decision: Decision, category: Category) -> tuple[Severity, tuple[str, ...]]:
    """Steps 1 to 3 of the page for one known label."""
    for name in ("grave", "light"):
        of, moved = steps(name)
        if category in of and decision in moved:
            return moved[decision], ("decision", "category", name)
    return base()[decision], ("decision", "category")


def test_the_tables_have_the_version_that_the_page_names() -> None:
    named = re.search(r"`mapping.version` starts at `([^`]+)`", PAGE)
    assert named
    assert built_in().version == named[1]


def test_the_scale_is_that_of_the_page() -> None:
    scale = built_in().scale
    assert dict(scale.base) == base()
    assert (set(scale.grave.categories), scale.grave.severity) == steps("grave")
    assert (set(scale.light.categories), scale.light.severity) == steps("light")
    text = rule("low-confidence")
    assert {str(source) for source in scale.low_confidence.sources} == {
        word for word in re.findall(r"\w+", text) if word in set(Source)
    }
    below = re.search(r"< ([0-9.]+):", text)
    assert below
    assert scale.low_confidence.below == float(below[1])


def test_rules_are_named_in_the_order_of_the_page() -> None:
    order = [name.strip("`") for _, name, _ in rows(section(1))]
    one = [Candidate(category, rate) for category in (None, *Category) for rate in (None, 0.3)]
    for decision, candidate, machine, low in product(Decision, one, (True, False), (True, False)):
        judged = built_in().judge(Source.YIDUN_AUDIO, decision, [candidate], machine=machine, suspect_low=low)
        places = [order.index(name) for name in judged.rules]
        assert places == sorted(set(places))
    people = built_in().vendors["yidun"].people["reviewEvidences"]
    for verdict, category in product(people.values(), (None, *Category)):
        places = [order.index(name) for name in built_in().judge_people(verdict, Candidate(category)).rules]
        assert places == sorted(set(places))


# --- Section 2: decisions ------------------------------------------------------------------------------------------


def decisions() -> Iterator[tuple[Source, str, str, str]]:
    """Source, field, the vendor's word, our decision."""
    for sources, native, said in rows(section(2).split("### ")[0]):
        ours = ["pass", "review", "block"] if said == "same" else split(said, "/")
        for field, *words in re.findall(r"(\w+) (\w+) / (\w+) / (\w+)", native):
            for name in re.findall(r"[a-z]+_[a-z]+", sources):
                for word, decision in zip(words, ours, strict=True):
                    yield Source(name), field, word, decision


def test_every_source_that_judges_has_its_decisions_on_the_page() -> None:
    assert {source for source, *_ in decisions()} == set(Source) - {Source.AGORA_NCS}


@pytest.mark.parametrize(("source", "field", "word", "decision"), list(decisions()))
def test_a_decision_means_what_the_page_says(source: Source, field: str, word: str, decision: str) -> None:
    table = built_in().vendors[table_of(source)]
    assert table.decision(field, word) == decision
    assert table.decision(field, f" {word.upper()} ") == decision


def test_the_tables_have_no_other_decisions_than_the_page() -> None:
    told: dict[str, set[tuple[str, str | None]]] = {}
    for source, field, word, _ in decisions():
        told.setdefault(table_of(source), set()).add((field, as_code(word)))
    for name, table in built_in().vendors.items():
        assert {(field, word) for field, words in table.decisions.items() for word in words} == told[name]


PEOPLE = {
    "yidun_audio reviewEvidences.action": ("yidun", "reviewEvidences"),
    "shumei human review, live: result.operation": ("shumei", "live"),
    "shumei human review, static: result.operation": ("shumei", "static"),
}


def peoples_decisions() -> Iterator[tuple[str, str, str, str]]:
    """Whose table, its name there, the person's action, and what it means, as `decision, severity`."""
    table = field = ""
    for source, native, said in rows(section(2).split("### ")[1]):
        if source:
            table, field = PEOPLE[source]
        if "no verdict" in said:
            yield table, field, native.split()[0], NO_VERDICT
            continue
        actions = re.findall(r"(\d+) [^,/]+", native)
        meanings = split(said, " / ") if " / " in said else [said] * len(actions)
        for action, meaning in zip(actions, meanings, strict=True):
            yield table, field, action, meaning


def peoples_decision(meaning: str) -> PeoplesDecision:
    """`block, high; critical if the category is grave` as the tables have it."""
    said, _, grave = meaning.partition(";")
    decision, severity = split(said, ",")
    return PeoplesDecision(
        decision=Decision(decision),
        severity=Severity(severity),
        grave=Severity(grave.split()[0]) if grave else None,
    )


@pytest.mark.parametrize(("table", "field", "action", "meaning"), list(peoples_decisions()))
def test_a_persons_action_means_what_the_page_says(table: str, field: str, action: str, meaning: str) -> None:
    found = built_in().vendors[table].peoples(field, action)
    assert found == (None if meaning == NO_VERDICT else peoples_decision(meaning))


def test_the_tables_have_no_other_peoples_actions_than_the_page() -> None:
    told = {
        (table, field, action) for table, field, action, said in peoples_decisions() if said != NO_VERDICT
    }
    assert told == {
        (name, field, action)
        for name, table in built_in().vendors.items()
        for field, actions in table.people.items()
        for action in actions
    }


# --- Section 3: labels ---------------------------------------------------------------------------------------------


def shumei_labels() -> dict[str, str]:
    lists = label_lists()["Shumei riskLabel1"]
    aliases = re.findall(r"`(\w+)` is (\w+)\.", section(3))
    assert aliases
    return lists | {alias: lists[of] for alias, of in aliases}


def v3_audio_numbers() -> dict[str, str]:
    """Those of v2, with the words of the parenthesis: "also v3, contentType 2, with 700 custom"."""
    other = re.findall(r"\*\*Shumei v2 riskType\*\* \(also v3, contentType 2, with (\d+) (\w+)\)", section(3))
    assert other
    return label_lists()["Shumei v2 riskType"] | dict(other)


def review_numbers() -> dict[str, str]:
    assert "spamType absent or 0: category other" in section(2)
    return label_lists()["Yidun review spamType"] | {"0": "none"}


LABELS: dict[tuple[str, str], Callable[[], dict[str, str]]] = {
    ("agora_voice", "label"): lambda: label_lists()["Aliyun (agora_voice)"],
    ("agora_video", "scene"): lambda: label_lists()["agora_video"],
    ("shumei", "riskLabel1"): shumei_labels,
    ("shumei", "riskType"): lambda: label_lists()["Shumei v2 riskType"],
    ("shumei", "riskType_v3_audio"): v3_audio_numbers,
    ("shumei", "riskType_v3_picture"): lambda: label_lists()["Shumei v3 pictures"],
    ("iflytek", "category"): lambda: label_lists()["iFlytek category"],
    ("yidun", "label"): lambda: label_lists()["Yidun label"],
    ("yidun", "spamType"): review_numbers,
}


@pytest.mark.parametrize(("table", "field"), LABELS)
def test_the_labels_are_those_of_the_page(table: str, field: str) -> None:
    assert categories(table, field) == LABELS[table, field]()


def test_there_is_no_list_of_labels_but_those_of_the_page() -> None:
    assert len(label_lists()) == 8
    assert set(LABELS) == {
        (name, field) for name, table in built_in().vendors.items() for field in table.labels
    }


@pytest.mark.parametrize(("table", "field"), [key for key in LABELS if key != ("yidun", "spamType")])
def test_a_label_alone_is_judged_by_the_rules_of_the_page(table: str, field: str) -> None:
    source = next(source for source in Source if MAPPINGS[source].table == table)
    for (_, name), decision in product(LABELS[table, field]().items(), Decision):
        category = Category(name)
        judged = built_in().judge(source, decision, [Candidate(category)])
        found = (judged.category, judged.severity, judged.rules)
        if decision is Decision.PASS:
            assert found == (Category.NONE, Severity.NONE, ("decision",))
        elif category is Category.NONE:
            assert found == (Category.OTHER, base()[decision], ("decision", "contradiction"))
        else:
            assert found == (category, *expected_severity(decision, category))


@pytest.mark.parametrize(
    ("action", "meaning"),
    [row[2:] for row in peoples_decisions() if row[0] == "yidun" and row[3] != NO_VERDICT],
)
def test_a_reviewers_reason_is_judged_by_the_peoples_table(action: str, meaning: str) -> None:
    table, said = built_in().vendors["yidun"], peoples_decision(meaning)
    grave, _ = steps("grave")
    verdict = table.peoples("reviewEvidences", action)
    assert verdict is not None
    for code, name in review_numbers().items():
        judged = built_in().judge_people(verdict, Candidate(table.category("spamType", code)))
        category = Category.NONE if said.decision is Decision.PASS else Category(name)
        if said.decision is not Decision.PASS and category is Category.NONE:
            category = Category.OTHER
        severity = said.grave if said.grave and category in grave else said.severity
        assert (judged.decision, judged.category, judged.severity) == (said.decision, category, severity)


# --- Section 6: the worked examples, with bodies of their sources ----------------------------------------------------


def sample(source: str, name: str) -> Any:
    return json.loads((FIXTURES / source / name).read_text(encoding="utf-8"))


def shumei(level: str, label: str) -> Any:
    body = sample("shumei_audio", "v4_nested_reject_normal.json")
    body["audioDetail"] |= {"riskLevel": level, "riskLabel1": label, "riskLabel2": "", "riskLabel3": ""}
    return body


def iflytek(suggest: str, *found: str) -> Any:
    body = sample("iflytek_audio", "query_answer.json")
    (file,) = body["data"]["result_list"]
    segment = file["detail"]["audios"][0]
    (category,) = segment["category_list"]
    segment["category_list"] = [category | {"suggest": suggest, "category": name} for name in found]
    segment["suggest"] = file["suggest"] = suggest
    file["detail"]["audios"] = [segment]
    return body


def yidun(suggestion: int, label: int, rate: float | None = None, **more: Any) -> Any:
    body = sample("yidun_audio", "v4_push.json")
    evidences = body["antispam"]["evidences"] | {"suggestion": suggestion, "label": label, **more}
    evidences["labels"] = [{"label": label, "level": suggestion, "subLabels": []}]
    if rate is not None:
        evidences["labels"][0]["rate"] = rate
    body["antispam"]["evidences"] = evidences
    return body


def yidun_review(action: int, spam_type: int) -> Any:
    body = sample("yidun_audio", "built_review_cut.json")
    body["antispam"]["reviewEvidences"] |= {"action": action, "spamType": spam_type}
    return body


def agora_voice(suggestion: str, label: str, rate: float) -> Any:
    body = sample("agora_voice", "content.json")
    body["results"][0] |= {"suggestion": suggestion, "label": label, "rate": rate}
    return body


def agora_video(suggestion: str, scene: str, probability: float) -> Any:
    body = sample("agora_video", "callback.json")
    body["results"]["porn"] = {"scene": scene, "outputs": {scene: probability}}
    return body | {"suggestion": suggestion}


# How the words of the column `native` become a body of that source.
BODIES: dict[str, tuple[tuple[str, Callable[..., Any]], ...]] = {
    "shumei_audio": ((r"(\w+), riskLabel1 (\w+)", shumei),),
    "iflytek_audio": (
        (r"(\w+), segment with (\w+) and (\w+)", iflytek),
        (r"(\w+), (\w+)", iflytek),
    ),
    "yidun_audio v4": (
        (
            r"suggestion (\d), suggestionLevel (\d), label (\d+)",
            lambda suggestion, level, label: yidun(suggestion, label, suggestionLevel=level),
        ),
        (r"suggestion (\d), label (\d+), rate ([\d.]+)", yidun),
        (r"reviewEvidences action (\d), spamType (\d+)", yidun_review),
    ),
    "agora_voice": ((r"(\w+), (\w+), rate ([\d.]+)", agora_voice),),
    "agora_video": ((r"(\w+), scene (\w+) ([\d.]+)", agora_video),),
}


def body_of(source: str, native: str) -> Any:
    for pattern, build in BODIES[source]:
        found = re.fullmatch(pattern, native)
        if found:
            return build(*(json.loads(word) if word[0].isdigit() else word for word in found.groups()))
    raise AssertionError(f"no body for the example: {source}: {native}")


def sent(source: Source, body: Any) -> tuple[bytes, str]:
    """The body and its content type as the vendor sends them: JSON, or JSON in a field of a form."""
    text = json.dumps(body, ensure_ascii=False)
    field = {Source.AGORA_VOICE: "content", Source.YIDUN_AUDIO: "callbackData"}.get(source)
    if field is None:
        return text.encode(), "application/json"
    return urlencode({field: text}).encode(), "application/x-www-form-urlencoded"


EXAMPLES = rows(section(6))


def test_the_page_has_its_worked_examples() -> None:
    assert len(EXAMPLES) >= 14


@pytest.mark.parametrize(
    ("name", "native", "decision", "category", "severity", "rules"),
    EXAMPLES,
    ids=[f"{row[0]}: {row[1]}" for row in EXAMPLES],
)
def test_a_worked_example_comes_out_as_on_the_page(
    name: str, native: str, decision: str, category: str, severity: str, rules: str
) -> None:
    source = Source(name.split()[0])
    severity, _, unmapped = severity.partition(", ")
    found = read_body(source, *sent(source, body_of(name, native)))
    assert found.faults == []
    assert found.verdicts
    for verdict in found.verdicts:  # iFlytek: the segment, and its file
        assert (verdict.decision, verdict.category, verdict.severity) == (decision, category, severity)
        assert verdict.mapping.rules == tuple(split(rules, ","))
        assert verdict.unmapped == (unmapped == "unmapped")
        assert verdict.degraded is False
