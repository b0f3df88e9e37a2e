"""Prints records of one view as they come: as a table, coloured by severity, or as JSON lines."""

import sys

import orjson
from rich.console import Console
from rich.text import Text

from moderato.bus.record import Record
from moderato.cli.chain import STYLES
from moderato.cli.views import Data, Filter, View, header_line, table_line, value_at
from moderato.errors import Poison


class Printer:
    """Prints to stdout what a filter admits, `limit` records at most."""

    def __init__(self, view: View, condition: Filter, *, as_json: bool, limit: int | None) -> None:
        self._view = view
        self._filter = condition
        self._as_json = as_json
        self._left = limit
        self._console = Console(highlight=False)

    def begin(self, partitions: int) -> None:
        """Says on stderr what is followed, and prints the table's head."""
        print(
            f"following {self._view.topic}, {partitions} partition(s); Ctrl-C ends",
            file=sys.stderr,
            flush=True,
        )
        if not self._as_json:
            self._print(header_line(self._view, self._width), "bold")

    def take(self, record: Record) -> bool:
        """Prints one record, if it is wanted and can be read; whether more are wanted."""
        try:
            data = self._view.read(record)
        except Poison as fault:
            print(f"{record.topic}/{record.partition}/{record.offset}: {fault}", file=sys.stderr)
            return True
        if not self._filter.admits(data):
            return True
        self._show(data)
        if self._left is not None:
            self._left -= 1
        return self._left != 0

    def _show(self, data: Data) -> None:
        if self._as_json:
            sys.stdout.buffer.write(orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.buffer.flush()
        else:
            style = STYLES.get(str(value_at(data, self._view.level)), "")
            self._print(table_line(self._view, data, self._width), style)

    @property
    def _width(self) -> int | None:
        return self._console.width if self._console.is_terminal else None

    def _print(self, line: str, style: str) -> None:
        self._console.print(Text(line, style), soft_wrap=True)
