"""The house's one structural rule: stages never import one another, and the kernel imports no stage but in the CLI."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = {"ingest", "normalize", "sinks", "simulator"}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def files_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(STAGES))
def test_a_stage_imports_the_kernel_and_no_other_stage(package: str) -> None:
    files = files_of(package)
    assert files
    for path in files:
        assert not imports_of(path) & (STAGES - {package}), path


def test_the_kernel_imports_no_stage_but_in_the_command_line() -> None:
    for path in files_of("moderato"):
        if path.parent.name != "cli":
            assert not imports_of(path) & STAGES, path


def test_the_product_does_not_import_its_tests() -> None:
    for package in (*STAGES, "moderato"):
        for path in files_of(package):
            assert "tests" not in imports_of(path), path
