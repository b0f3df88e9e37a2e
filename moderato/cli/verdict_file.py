"""Verdicts as people have them: JSON, as `moderato explain --json` and `moderato tail verdicts --json` print it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from moderato.errors import Fatal, Poison
from sinks.events import require_texts
from sinks.policy.worker import REQUIRED

_LONGEST = 4 * 1024 * 1024  # bytes of a line; a verdict has at most half of it


def verdict_in(text: bytes) -> dict[str, Any]:
    """One verdict that the policy stage would take. Raises Poison that says what is wrong with it."""
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Poison(f"one verdict as JSON is due: {error}") from None
    if isinstance(data, dict) and isinstance(data.get("record"), dict):
        data = data["record"]
    if not isinstance(data, dict):
        raise Poison("one verdict as a JSON object is due")
    require_texts(data, REQUIRED)
    # One that was written by hand may lack what nobody decides.
    return {"normalized_at": data["occurred_at"]} | data


class VerdictLines:
    """A file with one verdict a line. Raises Fatal when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: BinaryIO = path.open("rb")
            self.size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise Fatal(f"--verdicts {path}: {error.strerror}") from None
        self.number = 0
        """The line that was read last."""

    def __iter__(self) -> Iterator[bytes]:
        """Each line with something in it; of one that is too long only the beginning, which is no JSON."""
        with self._file as file:
            try:
                while line := file.readline(_LONGEST):
                    self.number += 1
                    rest = line
                    while len(rest) == _LONGEST and not rest.endswith(b"\n"):
                        rest = file.readline(_LONGEST)
                    if line.strip():
                        yield line
            except OSError as error:
                raise Fatal(f"--verdicts {self._path}: {error.strerror}") from None
