"""A YAML file read by a pydantic model: every fault at once, each with its line and its place and what was meant.

A fault is a place, the names and numbers that lead to it from the top, and a message."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from moderato.errors import Fatal
from moderato.yaml_file import read_mapping
from sinks.policy.rules import LIST, RANGE

Place: TypeAlias = tuple[int | str, ...]
Fault: TypeAlias = tuple[Place, str]
_Model = TypeVar("_Model", bound=BaseModel)

_MESSAGES = {
    "missing": "this field is missing",
    "string_type": "text is due; put it in quotes",
    "model_type": "a mapping (name: value) is due",
    "tuple_type": "a list is due",
    "bool_parsing": "true or false is due",
    "bool_type": "true or false is due",
    "int_parsing": "a whole number is due",
    "int_type": "a whole number is due",
    "int_from_float": "a whole number is due",
    "float_parsing": "a number is due",
    "float_type": "a number is due",
    "string_too_short": "the text is empty",
    "string_pattern_mismatch": "1 to 63 characters of A-Z a-z 0-9 . _ - are due, beginning with a letter or a digit",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
    "less_than": ("less than", "lt"),
}


class Document:
    """The content of a file, and where in it things stand."""

    def __init__(self, path: Path) -> None:
        """Raises Fatal for what is no YAML, or no mapping."""
        self.path = path
        self.data = read_mapping(path)

    def read(self, model: type[_Model], further: Callable[[dict[str, Any]], Iterable[Fault]]) -> _Model:
        """The content as a model; `further` looks for faults that the model does not know. Raises Fatal."""
        faults = dict(further(self.data)) | dict(_blanks(self.data))
        try:
            read = model.model_validate(self.data)
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                faults.setdefault(_place(fault["loc"]), _message(fault, model))
        else:
            if not faults:
                return read
        raise self.refused(faults)

    def refused(self, faults: dict[Place, str]) -> Fatal:
        """One line a fault, `file:line:column: place: fault`, in the order of the file."""
        root = _nodes(self.path)
        lines = sorted(
            (*_position(root, place), _dotted(place), message) for place, message in faults.items()
        )
        return Fatal(
            "\n".join(
                f"{self.path}:{line}:{column}: {place}: {fault}" for line, column, place, fault in lines
            )
        )

    def positions(self, places: Iterable[Place]) -> Iterator[tuple[int, int]]:
        """Line and column of each place, from 1."""
        root = _nodes(self.path)
        return (_position(root, place) for place in places)


def _dotted(place: Place) -> str:
    return ".".join(text if (text := str(part)).isprintable() else repr(text) for part in place)


def shown(value: Any) -> str:
    """A value as messages quote it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def list_in(data: Any, name: str) -> list[Any]:
    """The list of that name in data that nobody has checked; empty when there is none."""
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, list) else []


def _place(location: Place) -> Place:
    return tuple(part for part in location if part not in (RANGE, LIST))


def _message(fault: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        *parents, name = _place(fault["loc"])
        return f"unknown field{hint(name, _names_at(model, parents))}"
    if kind in ("enum", "literal_error"):
        word = fault["input"]
        known = re.findall(r"'([^']*)'", context["expected"])
        return f"{shown(word)} is not known here{hint(word, known)}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {context[bound]:g} is due"
    return _MESSAGES.get(kind) or fault["msg"].removeprefix("Value error, ")


def hint(word: Any, known: Iterable[Any]) -> str:
    """What may have been meant, and what there is."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(word).strip().lower(), names, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"{meant} (there are: {', '.join(names)})"


def _names_at(model: type[BaseModel], parents: Iterable[int | str]) -> list[str]:
    """The fields that may stand at a place."""
    for part in parents:
        if isinstance(part, str):
            [field] = [field for name, field in model.model_fields.items() if part in (name, field.alias)]
            model = next(_models_in(field.annotation))
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _blanks(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Names with nothing after the colon: YAML's null, which would match anything without a word."""
    if value is None:
        yield place, "nothing stands here; write a value or leave the line out"
    elif isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in parts:
            yield from _blanks(part, (*place, name))


def _nodes(path: Path) -> yaml.Node | None:
    """The file once more, as nodes that know their lines; None when it changed meanwhile and cannot be read."""
    try:
        return yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _position(node: yaml.Node | None, place: Place) -> tuple[int, int]:
    """Line and column, from 1, of the deepest node on the way to `place`."""
    if node is None:
        return 1, 1
    mark = node.start_mark
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == part), None)
            if found is None:
                break
            mark, node = found[0].start_mark, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        else:
            break
    return mark.line + 1, mark.column + 1
