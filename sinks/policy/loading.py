"""Reading a policy file and the lists beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinks.policy.faults import Document, Fault, Place, hint, list_in, shown
from sinks.policy.rules import ListFile, Policy, PolicyFile

BUILT_IN = Path(__file__).parent / "default.yaml"
MOST_IDS = 100_000
"""In one list file."""
_LONGEST_ID = 500


def load(path: Path) -> Policy:
    """The policy in a file. Raises Fatal with one line a fault, `file:line:column: place: fault`."""
    document = Document(path)
    return policy_of(document, document.read(PolicyFile, _further))


def policy_of(document: Document, file: PolicyFile) -> Policy:
    """With the ids of its lists. Raises Fatal that names every list that cannot be used."""
    lists: dict[str, frozenset[str]] = {}
    faults: dict[Place, str] = {}
    for place, name in _lists(file):
        try:
            lists[name] = lists.get(name) or _ids(list_path(document.path, name))
        except ValueError as error:
            faults[place] = f"{shown(name)}: {error}"
    if faults:
        raise document.refused(faults)
    return Policy.of(file, lists)


def list_path(policy: Path, name: str) -> Path:
    """Where a list file is that a policy file names."""
    return policy.parent / name


def _lists(file: PolicyFile) -> Iterator[tuple[Place, str]]:
    for number, rule in enumerate(file.rules):
        blocks: list[tuple[Place, Any]] = [(("rules", number, "match"), rule.match)]
        blocks += [(("rules", number, "unless", place), match) for place, match in enumerate(rule.unless)]
        for block, match in blocks:
            for field in ("user", "account"):
                ids = getattr(match, field)
                if isinstance(ids, ListFile):
                    yield from (((*block, field, "file", place), name) for place, name in enumerate(ids.file))


def _ids(path: Path) -> frozenset[str]:
    """One id a line; empty lines and those that begin with # are none. Raises ValueError."""
    ids: set[str] = set()
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                id_ = line.strip()
                if len(id_) > _LONGEST_ID:
                    raise ValueError(f"line {number} has over {_LONGEST_ID} characters; one id a line is due")
                if id_ and not id_.startswith("#"):
                    ids.add(id_)
                    if len(ids) > MOST_IDS:
                        raise ValueError(f"over {MOST_IDS:,} ids; match them by something else")
    except OSError as error:
        raise ValueError(f"the list cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("the list is not UTF-8") from None
    return frozenset(ids)


def _further(data: dict[str, Any]) -> Iterator[Fault]:
    yield from _repetitions(data)
    yield from _nameless(data)


def _nameless(data: dict[str, Any]) -> Iterator[Fault]:
    """Rules that a brake names and that are not there: it would hold back nothing."""
    ids = [rule["id"] for rule in list_in(data, "rules") if isinstance(rule, dict) and "id" in rule]
    for kind in ("quotas", "trips"):
        for number, limit in enumerate(list_in(data.get("brakes"), kind)):
            named = limit.get("rules") if isinstance(limit, dict) else None
            for place, name in enumerate(named if isinstance(named, list) else [named] if named else []):
                if name not in ids:
                    at = (place,) if isinstance(named, list) else ()
                    yield (
                        ("brakes", kind, number, "rules", *at),
                        f"no rule is named {shown(name)}{hint(name, ids)}",
                    )


def _repetitions(data: dict[str, Any]) -> Iterator[Fault]:
    """Rule ids given twice, and actions that one rule demands twice: found beside the faults of the fields."""
    ids: dict[str, int] = {}
    for number, rule in enumerate(list_in(data, "rules")):
        if not isinstance(rule, dict):
            continue
        name = rule.get("id")
        if isinstance(name, str) and ids.setdefault(name, number) != number:
            yield ("rules", number, "id"), f"the id {shown(name)} is that of rules.{ids[name]} already"
        demanded: set[tuple[str, str]] = set()
        for place, then in enumerate(list_in(rule, "then")):
            if isinstance(then, dict):
                demand = (repr(then.get("action")), repr(then.get("target")))
                if demand in demanded:
                    yield ("rules", number, "then", place), "this rule has the same action and target already"
                demanded.add(demand)
