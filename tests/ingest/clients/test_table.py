"""Holds the table of docs/vendors.md against the tests that it names, and against the parameters that there are."""

import ast
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from ingest.clients import KINDS, shumei_streams
from ingest.clients.agora_video import Storage
from ingest.clients.iflytek_audio import File
from moderato.sources import Source

FOLDER = Path(__file__).parent
TEXT = (FOLDER.parents[2] / "docs/vendors.md").read_text(encoding="utf-8").partition("## What is called")[2]
ROWS = [
    (cells[0], re.findall(r"`(test_\w+)`", cells[2]))
    for line in TEXT.splitlines()
    if line.startswith("| ")
    and len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 3
    and cells[0] != "what"
]
SECTIONS = {
    Source.AGORA_VOICE: "Agora voice",
    Source.AGORA_VIDEO: "Agora voice",
    Source.SHUMEI_AUDIO: "Shumei audio",
    Source.SHUMEI_VIDEO: "Shumei audio",
    Source.IFLYTEK_AUDIO: "iFlytek audio",
    Source.YIDUN_AUDIO: "Yidun live",
}
# Where a model's field is said in the table by the words of the document.
PARTS: dict[Source, tuple[type[BaseModel], ...]] = {
    Source.SHUMEI_AUDIO: tuple(
        getattr(shumei_streams, name)
        for name in ("Normal", "Zego", "Agora", "Trtc", "Volc", "Gin", "Ali", "Yunxin")
    ),
    Source.IFLYTEK_AUDIO: (File,),
}


def sources() -> dict[str, str]:
    """Every test of this folder by its name, with its decorators."""
    found = {}
    for path in FOLDER.glob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


TESTS = sources()


@pytest.mark.parametrize(("what", "tests"), ROWS, ids=[what[:60] for what, _ in ROWS])
def test_a_rows_words_occur_in_the_tests_that_it_names(what: str, tests: list[str]) -> None:
    assert tests, "no test is named"
    assert set(tests) <= set(TESTS), "there is no such test"
    together = "\n".join(TESTS[name] for name in tests)
    for word in re.findall(r"`([^`]+)`", what):
        assert re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", together), word


def test_every_row_of_the_table_is_read() -> None:
    assert len(ROWS) == 79


@pytest.mark.parametrize("source", KINDS)
def test_every_parameter_is_in_the_table(source: Source) -> None:
    section = TEXT.partition(f"### {SECTIONS[source]}")[2].partition("\n### ")[0]
    words = {
        word
        for line in section.splitlines()
        for word in re.findall(r"`([^`]+)`", line.strip("|").partition("|")[0])
    }
    models = (KINDS[source].parameters, *PARTS.get(source, ()))
    fields = {name for model in models for name in model.model_fields}
    assert fields <= words, fields - words


def test_the_storage_of_agora_video_is_sent_whole() -> None:
    body = TESTS["test_agora_video_start_sends_the_body_of_the_document"]
    assert all(f'"{name}"' in body for name in Storage.model_fields)
