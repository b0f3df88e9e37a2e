"""What `moderato tail` shows of each topic: how a message is read, which filters apply, and the table's columns."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from rich.cells import set_cell_size

from moderato import topics
from moderato.bus.record import Record
from moderato.cli.chain import printable
from moderato.codec import decode
from moderato.dead_letters import attempts
from moderato.errors import Fatal, Poison
from moderato.records import ActionType, SignalKind

Data = dict[str, Any]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, its width in cells, and where its value is. The last column takes what is left."""

    title: str
    width: int
    path: Path


@dataclass(frozen=True, slots=True)
class View:
    """One topic. `filters` says where the value of each filter is; a filter that is not in it does not apply."""

    topic: str
    read: Callable[[Record], Data]
    columns: tuple[Column, ...]
    filters: Mapping[str, Path]
    level: Path = ()
    """Where the severity is, which gives the colour."""
    kinds: type[StrEnum] | None = None
    """The words that the filter `kind` knows."""


def _event(kind: str) -> Callable[[Record], Data]:
    """Reads messages of one kind. The reader raises Poison for anything else."""

    def read(record: Record) -> Data:
        event = decode(record.headers, record.value)
        if event.kind != kind:
            raise Poison(f"a {kind} is due, not {event.type[:60]!r}")
        try:
            data = orjson.loads(event.data)
        except orjson.JSONDecodeError as error:
            raise Poison(f"not JSON: {error}") from error
        if not isinstance(data, dict):
            raise Poison("not a JSON object")
        return data

    return read


def letter(record: Record) -> Data:
    """A dead letter as data: where, when and why, without its value."""
    headers = {
        name: content.decode("utf-8", "replace") for name, content in record.headers if content is not None
    }
    return {
        "place": f"{record.partition}:{record.offset}",
        "stage": headers.get("dl_stage"),
        "reason": headers.get("dl_reason"),
        "attempts": attempts(record.headers),
        "topic": headers.get("dl_topic"),
        "partition": headers.get("dl_partition"),
        "offset": headers.get("dl_offset"),
        "at": headers.get("dl_at"),
        "id": headers.get("ce_id"),
        "source": headers.get("ce_source", "").removeprefix("/sources/") or None,
        "tenant": headers.get("ce_tenant"),
        "content_type": headers.get("content-type"),
        "left_out": headers.get("dl_left_out"),
        "stack": headers.get("dl_stack"),
    }


def whole_letter(record: Record) -> Data:
    """The same with its key, and its value in base64."""
    return letter(record) | {
        "key": None if record.key is None else record.key.decode("utf-8", "replace"),
        "value_b64": None if record.value is None else base64.b64encode(record.value).decode(),
    }


_EVERY = {"tenant": ("tenant",), "source": ("source",)}
_WHERE = {"room": ("room",), "user": ("user",)}

VIEWS: dict[str, View] = {
    "verdicts": View(
        topics.VERDICTS,
        _event("verdict"),
        (
            Column("occurred", 24, ("occurred_at",)),
            Column("source", 13, ("source",)),
            Column("decision", 8, ("decision",)),
            Column("severity", 8, ("severity",)),
            Column("category", 11, ("category",)),
            Column("room", 18, ("room",)),
            Column("user", 14, ("user",)),
            Column("text", 0, ("text",)),
        ),
        _EVERY
        | _WHERE
        | {"severity-at-least": ("severity_level",), "category": ("category",), "decision": ("decision",)},
        ("severity",),
    ),
    "signals": View(
        topics.SIGNALS,
        _event("signal"),
        (
            Column("occurred", 24, ("occurred_at",)),
            Column("source", 13, ("source",)),
            Column("kind", 18, ("kind",)),
            Column("room", 18, ("room",)),
            Column("user", 14, ("user",)),
            Column("task", 32, ("task_id",)),
            Column("code", 8, ("code",)),
            Column("message", 0, ("message",)),
        ),
        _EVERY | _WHERE | {"kind": ("kind",)},
        kinds=SignalKind,
    ),
    "actions": View(
        topics.ACTIONS,
        _event("action"),
        (
            Column("created", 24, ("created_at",)),
            Column("type", 12, ("type",)),
            Column("mode", 7, ("mode",)),
            Column("target", 7, ("target", "kind")),
            Column("", 18, ("target", "id")),
            Column("severity", 8, ("verdict", "severity")),
            Column("category", 11, ("verdict", "category")),
            Column("source", 13, ("source",)),
            Column("rule", 0, ("rule", "id")),
        ),
        _EVERY
        | _WHERE
        | {
            "kind": ("type",),
            "severity-at-least": ("verdict", "severity_level"),
            "category": ("verdict", "category"),
            "decision": ("verdict", "decision"),
        },
        ("verdict", "severity"),
        ActionType,
    ),
    "outcomes": View(
        topics.OUTCOMES,
        _event("outcome"),
        (
            Column("finished", 24, ("finished_at",)),
            Column("type", 12, ("type",)),
            Column("state", 11, ("state",)),
            Column("executor", 9, ("executor",)),
            Column("target", 7, ("target", "kind")),
            Column("", 18, ("target", "id")),
            Column("attempts", 8, ("attempts",)),
            Column("detail", 0, ("detail",)),
        ),
        {"tenant": ("tenant",), "kind": ("type",)},
        kinds=ActionType,
    ),
    "dead-letters": View(
        topics.DEAD_LETTERS,
        whole_letter,
        (
            Column("at", 24, ("at",)),
            Column("stage", 10, ("stage",)),
            Column("topic", 31, ("topic",)),
            Column("part", 4, ("partition",)),
            Column("offset", 10, ("offset",)),
            Column("reason", 0, ("reason",)),
        ),
        _EVERY,
    ),
}


class Filter:
    """Conditions on one view's records. Raises Fatal that names every condition that cannot apply to it."""

    def __init__(self, name: str, view: View, wanted: Mapping[str, str | int]) -> None:
        if useless := [f"--{condition}" for condition in wanted if condition not in view.filters]:
            known = ", ".join(f"--{condition}" for condition in view.filters)
            raise Fatal(f"{name} cannot be filtered by {', '.join(useless)} (there are: {known})")
        if (kind := wanted.get("kind")) and view.kinds and kind not in list(view.kinds):
            raise Fatal(f"--kind: {name} have no {kind!r} (there are: {', '.join(view.kinds)})")
        self._wanted = [(view.filters[condition], value) for condition, value in wanted.items()]

    def admits(self, data: Data) -> bool:
        """Whether a record meets all conditions; a number is met by any that is not smaller."""
        return all(_meets(value_at(data, path), wanted) for path, wanted in self._wanted)


def _meets(found: Any, wanted: str | int) -> bool:
    if isinstance(wanted, int):
        return isinstance(found, int) and found >= wanted
    return bool(found == wanted)


def value_at(data: Data, path: Path) -> Any:
    """The value at a path of keys; None when it is not there."""
    value: Any = data
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def header_line(view: View, width: int | None) -> str:
    """The titles of the columns."""
    return _laid_out(view, [column.title for column in view.columns], width)


def table_line(view: View, data: Data, width: int | None) -> str:
    """A record as one line, cut to `width` cells if given; safe for a terminal."""
    values = [value_at(data, column.path) for column in view.columns]
    return _laid_out(view, ["" if value is None else printable(str(value)) for value in values], width)


def _laid_out(view: View, cells: list[str], width: int | None) -> str:
    *fixed, last = cells
    widths = [column.width for column in view.columns]
    line = "".join(set_cell_size(cell, size) + "  " for cell, size in zip(fixed, widths, strict=False)) + last
    return (set_cell_size(line, width) if width else line).rstrip()
