"""What changes between two readings of the same records: moves between severities, counted and with examples. Pure."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from moderato.records import Severity, Verdict
from normalize.reading import Reading

ABSENT = "absent"
"""Where one of the two readings has a verdict and the other has none: a record became readable, or unreadable."""

RANKS = (ABSENT, *Severity)
_LEVELS = {ABSENT: 0} | {str(severity): severity.level for severity in Severity}
_MOST_TEXT = 200  # characters

Move = tuple[str, str]


def weight(move: Move) -> int:
    """How many steps a move goes up; below 0: down. No verdict weighs as little as severity none."""
    return _LEVELS[move[1]] - _LEVELS[move[0]]


@dataclass(slots=True)
class SourceMoves:
    """The moves of one source. `other`: verdicts of the same severity with another decision or category."""

    records: int = 0
    matrix: Counter[Move] = field(default_factory=Counter)
    other: int = 0
    examples: dict[Move, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def verdicts(self) -> int:
        return self.matrix.total()

    @property
    def lower(self) -> int:
        """Verdicts that lose severity."""
        return sum(count for move, count in self.matrix.items() if weight(move) < 0)

    @property
    def higher(self) -> int:
        """Verdicts that gain severity."""
        return sum(count for move, count in self.matrix.items() if weight(move) > 0)


class Moves:
    """Moves by source, with `examples` examples of each move at most."""

    def __init__(self, examples: int) -> None:
        self.sources: dict[str, SourceMoves] = {}
        self._examples = examples

    @property
    def lower(self) -> int:
        """Verdicts that lose severity, of all sources."""
        return sum(each.lower for each in self.sources.values())

    def add(self, before: Reading, after: Reading) -> None:
        """Compares two readings of one record, verdict by verdict: a verdict's id is its place in the record."""
        source = self.sources.setdefault(str(before.raw.source), SourceMoves())
        source.records += 1
        for old, new in zip_longest(before.verdicts, after.verdicts):
            move = (_rank(old), _rank(new))
            source.matrix[move] += 1
            if move[0] == move[1]:
                if (old.decision, old.category) == (new.decision, new.category):
                    continue
                source.other += 1
            if len(examples := source.examples[move]) < self._examples:
                examples.append(_example(old, new))


def _rank(verdict: Verdict | None) -> str:
    return ABSENT if verdict is None else str(verdict.severity)


def _example(old: Verdict | None, new: Verdict | None) -> dict[str, Any]:
    known = old or new
    assert known is not None
    return {
        "id": known.id,
        "raw": f"{known.raw.topic} partition {known.raw.partition} offset {known.raw.offset}",
        "text": known.text and known.text[:_MOST_TEXT],
        "labels": [label.code for label in known.labels],
        "before": _side(old),
        "after": _side(new),
    }


def _side(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "decision": verdict.decision,
        "category": verdict.category,
        "severity": verdict.severity,
        "rules": verdict.mapping.rules,
    }


def as_json(moves: Moves) -> dict[str, Any]:
    """The same for machines: `{source: {records, verdicts, lower, higher, other, matrix, examples}}`, rows before."""
    return {name: _source_json(each) for name, each in sorted(moves.sources.items())}


def _source_json(each: SourceMoves) -> dict[str, Any]:
    matrix: dict[str, dict[str, int]] = {}
    for (old, new), count in sorted(each.matrix.items()):
        matrix.setdefault(old, {})[new] = count
    examples = [example for move in sorted(each.examples, key=weight) for example in each.examples[move]]
    return {
        "records": each.records,
        "verdicts": each.verdicts,
        "lower": each.lower,
        "higher": each.higher,
        "other": each.other,
        "matrix": matrix,
        "examples": examples,
    }
