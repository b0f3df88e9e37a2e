"""Prints dead letters: a line each, as a table or as JSON."""

import sys

import orjson
from rich.console import Console
from rich.text import Text

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.record import Record
from moderato.cli.letters import VIEW, Seen, Wanted, found
from moderato.cli.views import header_line, letter, table_line, whole_letter
from moderato.lifecycle import until_signal


async def print_list(connection: Connection, wanted: Wanted, limit: int | None, *, as_json: bool) -> int:
    """Prints the letters that are wanted to stdout, and how many there are to stderr."""
    console = Console(highlight=False)
    width = console.width if console.is_terminal else None
    seen, ended = Seen(), until_signal()

    def line(record: Record) -> None:
        if as_json:
            sys.stdout.buffer.write(orjson.dumps(whole_letter(record), option=orjson.OPT_APPEND_NEWLINE))
        else:
            console.print(Text(table_line(VIEW, letter(record), width)), soft_wrap=True)

    async with history(connection, [topics.DEAD_LETTERS], since=wanted.since, until=wanted.until) as opened:
        if not as_json:
            console.print(Text(header_line(VIEW, width), "bold"), soft_wrap=True)
        async for records in found(opened, wanted, limit, seen, ended):
            for record in records:
                line(record)
    sys.stdout.flush()
    print(f"{seen.wanted:,} of {seen.all:,} dead letters that were looked at", file=sys.stderr)
    return 0
