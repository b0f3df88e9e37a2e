"""Reads a stretch of raw topics with two sets of tables and says what moves between severities."""

import asyncio
import sys
from collections.abc import Sequence

import orjson
from rich.console import Console

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.record import Record
from moderato.cli.moves import Moves
from moderato.cli.moves import as_json as moves_json
from moderato.cli.moves_view import show
from moderato.cli.progress import bar
from moderato.cli.replay_run import tenant_of
from moderato.cli.table_sets import TableSet
from moderato.errors import Poison
from moderato.lifecycle import until_signal
from moderato.sources import Source

LOWER = 3
"""The exit code when a verdict loses severity."""

_INTERRUPTED = 130


async def run(
    connection: Connection,
    first: TableSet,
    second: TableSet,
    sources: Sequence[Source],
    *,
    since: float,
    until: float,
    tenant: str | None,
    examples: int,
    as_json: bool,
) -> int:
    """Prints the comparison to stdout and returns the exit code. Raises Fatal."""
    moves, skipped, ended = Moves(examples), 0, until_signal()
    names = [topics.raw(source) for source in sources]
    async with history(connection, names, since=since, until=until) as opened:
        with bar("comparing", len(opened)) as advance:
            async for batch in opened.batches(ended):
                for record in batch:
                    if tenant is None or tenant_of(record) == tenant:
                        skipped += not _compare(record, first, second, moves)
                advance(len(batch))
                # A batch is computed in one go: let a signal in.
                await asyncio.sleep(0)
    if ended.is_set():
        print(f"stopped: compared up to {opened.place()}; nothing is told of a part", file=sys.stderr)
        return _INTERRUPTED
    if as_json:
        _print_json(moves, first, second, skipped)
    else:
        _print(moves, first, second, skipped)
    return LOWER if moves.lower else 0


def _compare(record: Record, first: TableSet, second: TableSet, moves: Moves) -> bool:
    """Whether it is a raw record that can be compared."""
    try:
        moves.add(first.normalizer.reading(record), second.normalizer.reading(record))
    except Poison:
        return False
    return True


def _print_json(moves: Moves, first: TableSet, second: TableSet, skipped: int) -> None:
    said = {
        "a": {"tables": first.name, "version": first.version},
        "b": {"tables": second.name, "version": second.version},
        "lower": moves.lower,
        "skipped": skipped,
        "sources": moves_json(moves),
    }
    sys.stdout.buffer.write(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def _print(moves: Moves, first: TableSet, second: TableSet, skipped: int) -> None:
    console = Console(highlight=False)
    console.print(f"A: {first.name}, version {first.version}", soft_wrap=True)
    console.print(f"B: {second.name}, version {second.version}", soft_wrap=True)
    console.print()
    show(moves, console)
    if skipped:
        console.print(f"{skipped:,} records are no raw records of a known source and were not compared")
    records = sum(source.records for source in moves.sources.values())
    if not records:
        console.print("there is no record in this range")
    elif moves.lower:
        console.print(f"{moves.lower:,} verdicts would lose severity: exit code {LOWER}", style="bold red")
    else:
        console.print("no verdict would lose severity")
