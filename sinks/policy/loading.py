"""Reading a policy file: every fault at once, each with its line, its place, and what was probably meant."""

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from moderato.errors import Fatal
from moderato.yaml_file import read_mapping
from sinks.policy.rules import LIST, RANGE, AtLeast, Count, Match, Policy, PolicyFile, Rule, Step, Then

BUILT_IN = Path(__file__).parent / "default.yaml"

Place: TypeAlias = tuple[int | str, ...]

_DEEPEST = (
    5  # rules.0.match.severity.at_least; an alias may stand inside what it names, so a walk needs an end
)

_MODELS: dict[str, type[BaseModel]] = {
    "": PolicyFile,
    "rules": Rule,
    "match": Match,
    "severity": AtLeast,
    "then": Then,
    "count": Count,
    "ladder": Step,
}
_MESSAGES = {
    "missing": "this field is missing",
    "string_type": "text is due; put it in quotes",
    "model_type": "a mapping (name: value) is due",
    "tuple_type": "a list is due",
    "bool_parsing": "true or false is due",
    "bool_type": "true or false is due",
    "string_too_short": "the text is empty",
    "string_pattern_mismatch": "1 to 63 characters of A-Z a-z 0-9 . _ - are due, beginning with a letter or a digit",
}


def load(path: Path) -> Policy:
    """The policy in a file. Raises Fatal with one line a fault, `file:line:column: place: fault`."""
    data = read_mapping(path)
    faults = dict(_repetitions(data)) | dict(_blanks(data))
    try:
        file = PolicyFile.model_validate(data)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            faults.setdefault(_place(fault["loc"]), _message(fault))
    else:
        if not faults:
            return Policy.of(file)
    root = _nodes(path)
    lines = sorted((*_position(root, place), _dotted(place), message) for place, message in faults.items())
    raise Fatal(
        "\n".join(f"{path}:{line}:{column}: {place}: {message}" for line, column, place, message in lines)
    )


def _place(location: Place) -> Place:
    return tuple(part for part in location if part not in (RANGE, LIST))


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def _message(fault: ErrorDetails) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        *parents, name = _place(fault["loc"])
        parent = next((part for part in reversed(parents) if isinstance(part, str)), "")
        return f"unknown field{_hint(name, _MODELS[parent].model_fields)}"
    if kind in ("enum", "literal_error"):
        word = fault["input"]
        known = re.findall(r"'([^']*)'", context["expected"])
        return f"{_shown(word)} is not known here{_hint(word, known)}"
    return _MESSAGES.get(kind) or fault["msg"].removeprefix("Value error, ")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _hint(word: Any, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(str(word).strip().lower(), names, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"{meant} (there are: {', '.join(names)})"


def _repetitions(data: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Rule ids given twice, and actions that one rule demands twice: found beside the faults of the fields."""
    ids: dict[str, int] = {}
    for number, rule in enumerate(_list(data.get("rules"))):
        if not isinstance(rule, dict):
            continue
        name = rule.get("id")
        if isinstance(name, str) and ids.setdefault(name, number) != number:
            yield ("rules", number, "id"), f"the id {_shown(name)} is that of rules.{ids[name]} already"
        demanded: set[tuple[str, str]] = set()
        for place, then in enumerate(_list(rule.get("then"))):
            if isinstance(then, dict):
                demand = (repr(then.get("action")), repr(then.get("target")))
                if demand in demanded:
                    yield ("rules", number, "then", place), "this rule has the same action and target already"
                demanded.add(demand)


def _blanks(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Names with nothing after the colon: YAML's null, which would match anything without a word."""
    if value is None:
        yield place, "nothing stands here; write a value or leave the line out"
    elif isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in parts:
            yield from _blanks(part, (*place, name))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


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
