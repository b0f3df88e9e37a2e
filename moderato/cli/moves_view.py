"""Prints moves between severities: a matrix a source, and the examples, what loses severity first."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from moderato.cli.chain import printable
from moderato.cli.moves import ABSENT, RANKS, Moves, SourceMoves, weight


def show(moves: Moves, console: Console) -> None:
    """Prints everything to `console`."""
    for name, source in sorted(moves.sources.items()):
        if source.verdicts:
            console.print(Text(_title(name, source), "bold"), soft_wrap=True)
            console.print(_matrix(source))
        else:
            console.print(f"{name}: no verdict in {source.records:,} records", soft_wrap=True)
        for move in sorted(source.examples, key=weight):
            for example in source.examples[move]:
                _example(console, move, example)
        console.print()


def _title(name: str, source: SourceMoves) -> str:
    return (
        f"{name}: {source.verdicts:,} verdicts of {source.records:,} records; {source.lower:,} lower, "
        f"{source.higher:,} higher, {source.other:,} of the same severity with another decision or category"
    )


def _matrix(source: SourceMoves) -> Table:
    """Rows: severities by the first tables; columns: by the second."""
    used = [rank for rank in RANKS if rank != ABSENT or any(rank in move for move in source.matrix)]
    table = Table(box=box.SIMPLE_HEAVY, show_edge=False)
    table.add_column("A \\ B", no_wrap=True)
    for rank in used:
        table.add_column(rank, justify="right", no_wrap=True)
    for old in used:
        table.add_row(old, *(_cell((old, new), source.matrix[old, new]) for new in used))
    return table


def _cell(move: tuple[str, str], count: int) -> Text:
    if not count:
        return Text("·", "dim")
    steps = weight(move)
    return Text(f"{count:,}", "bold red" if steps < 0 else "yellow" if steps > 0 else "")


def _example(console: Console, move: tuple[str, str], example: dict[str, Any]) -> None:
    console.print(
        Text(f"  {move[0]} -> {move[1]}  {printable(example['id'])}  ({example['raw']})"), soft_wrap=True
    )
    said = example["text"] or ", ".join(example["labels"]) or "no text and no label"
    console.print(Text(f"      {printable(said)}"), soft_wrap=True)
    for side in ("before", "after"):
        console.print(
            Text(f"      {'A' if side == 'before' else 'B'}  {_side(example[side])}"), soft_wrap=True
        )


def _side(side: dict[str, Any] | None) -> str:
    if side is None:
        return "no verdict"
    return f"{', '.join(side['rules'])} -> {side['decision']}, {side['category']}, {side['severity']}"
