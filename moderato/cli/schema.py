"""`moderato schema`: the published contracts, generated from the record types."""

import difflib
from pathlib import Path
from typing import Annotated

import typer


def schema(
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="DIR",
            help="Write DIR/schemas/*.json, DIR/asyncapi.json and DIR/openapi.json.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="DIR",
            help="Exit 1 with a diff when the files in DIR differ.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Print, write or check the JSON Schemas of the records and of the policy's files, the AsyncAPI document of the
    topics and the OpenAPI document of the API.

    Without an option one JSON object with all of them goes to stdout."""
    from moderato.errors import Fatal

    documents = files()
    if write and check:
        raise Fatal("--write and --check exclude each other")
    if write:
        return _write(write, documents)
    if check:
        return _check(check, documents)
    typer.echo("{" + ",\n".join(f'"{name}": {text.rstrip()}' for name, text in documents.items()) + "}")
    return 0


def files() -> dict[str, str]:
    """Every file's place under the documents' folder, and its text."""
    from ingest.sessions import described as sessions
    from moderato import asyncapi, schemas
    from moderato.api.document import document
    from sinks.actions import described as actions
    from sinks.policy.schemas import file_schemas

    found = schemas.record_schemas() | file_schemas()
    documents = {f"schemas/{kind}.json": _json(each) for kind, each in found.items()}
    openapi = document([*sessions.OPERATIONS, *actions.OPERATIONS], sessions.schemas() | actions.schemas())
    return documents | {"asyncapi.json": _json(asyncapi.document()), "openapi.json": _json(openapi)}


def _json(document: object) -> str:
    import orjson

    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _write(folder: Path, documents: dict[str, str]) -> int:
    from moderato.errors import Fatal

    for name, text in documents.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Fatal(f"{error.filename or path}: {error.strerror}") from error
        typer.echo(f"{path} written")
    return 0


def _check(folder: Path, documents: dict[str, str]) -> int:
    differ = 0
    for name, text in documents.items():
        path = folder / name
        found = _read(path)
        if found != text:
            differ = 1
            typer.echo("".join(_diff(path, found, text)), nl=False)
    if differ:
        typer.echo(f"the contracts differ from the record types: moderato schema --write {folder}", err=True)
    return differ


def _read(path: Path) -> str:
    from moderato.errors import Fatal

    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Fatal(f"{path}: cannot be read: {error}") from error


def _diff(path: Path, found: str, text: str) -> list[str]:
    lines = found.splitlines(keepends=True), text.splitlines(keepends=True)
    return list(difflib.unified_diff(*lines, fromfile=str(path), tofile="the record types"))
