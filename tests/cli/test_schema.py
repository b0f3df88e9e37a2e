"""`moderato schema`, and that what is in docs/ is what the types say."""

import json
from pathlib import Path

from tests.cli.support import moderato

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documents_are_up_to_date() -> None:
    ended = moderato("schema", "--check", DOCS)
    assert (ended.code, ended.out) == (0, "")


def test_everything_goes_to_stdout_as_one_object() -> None:
    ended = moderato("schema")
    assert ended.code == 0
    documents = json.loads(ended.out)
    assert documents["schemas/verdict.json"] == json.loads((DOCS / "schemas/verdict.json").read_text())
    assert documents["asyncapi.json"]["asyncapi"].startswith("3.")


def test_written_files_pass_the_check(tmp_path: Path) -> None:
    written = moderato("schema", "--write", tmp_path / "new")
    assert written.code == 0
    assert len(written.lines) == 12
    assert moderato("schema", "--check", tmp_path / "new").code == 0


def test_a_difference_is_shown_and_fails(tmp_path: Path) -> None:
    moderato("schema", "--write", tmp_path)
    changed = tmp_path / "schemas/signal.json"
    changed.write_text(changed.read_text().replace('"title": "Signal"', '"title": "Sign"'))
    (tmp_path / "schemas/action.json").unlink()
    ended = moderato("schema", "--check", tmp_path)
    assert ended.code == 1
    assert '-  "title": "Sign",' in ended.lines
    assert '+  "title": "Signal",' in ended.lines
    assert '+  "title": "Action",' in ended.lines
    assert "schema --write" in ended.err


def test_a_folder_that_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    ended = moderato("schema", "--write", blocked)
    assert ended.code == 2
    assert str(blocked) in ended.err
    (tmp_path / "asyncapi.json").write_bytes(b"\xff")
    ended = moderato("schema", "--check", tmp_path)
    assert ended.code == 2
    assert "asyncapi.json: cannot be read" in ended.err


def test_writing_and_checking_exclude_each_other() -> None:
    ended = moderato("schema", "--write", "a", "--check", "b")
    assert (ended.code, ended.err) == (2, "moderato: --write and --check exclude each other\n")
