import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.errors import Fatal
from moderato.yaml_file import read_mapping


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "it.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_mapping_is_read_and_an_empty_file_is_an_empty_one(tmp_path: Path) -> None:
    assert read_mapping(written(tmp_path, "a: 1\nb: &x {c: 2}\nd: {<<: *x, e: 3}")) == {
        "a": 1,
        "b": {"c": 2},
        "d": {"c": 2, "e": 3},
    }
    assert read_mapping(written(tmp_path, "")) == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\na: 2", r"it.yaml:2:1: 'a' stands here twice"),
        ("a: {b: 1, b: 2}", r"it.yaml:1:11: 'b' stands here twice"),
        ("- 1", "a mapping is due at the top, not list"),
        ("a: [", r"it.yaml:1:5"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("{[1]: 2}", "a key must be text or a number"),
        ("a: *nowhere", "undefined alias"),
        (b"a: \xff\xfe", "not UTF-8 at byte 3"),
        (b"a: \x00", "not YAML"),
        ("[" * 5000, "nested too deep"),
    ],
)
def test_a_fault_names_its_place(tmp_path: Path, text: str | bytes, fault: str) -> None:
    with pytest.raises(Fatal, match=fault):
        read_mapping(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"absent.yaml: No such file"):
        read_mapping(tmp_path / "absent.yaml")


@given(text=st.text(alphabet="{}[]:-,&*!|> \nab1\"'#%@", max_size=40))
def test_any_text_is_a_mapping_or_a_clear_fault(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = written(tmp_path_factory.mktemp("yaml"), text)
    with contextlib.suppress(Fatal):
        assert isinstance(read_mapping(path), dict)
