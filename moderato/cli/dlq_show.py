"""Shows one dead letter whole: why it is here, its headers, its body, and what the normalizer makes of it now."""

import asyncio
import json
import re
from urllib.parse import parse_qsl

from rich.console import Console
from rich.text import Text

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.record import Record
from moderato.cli import chain
from moderato.cli.chain import printable
from moderato.cli.letters import Seen, Wanted, at_place, found
from moderato.dead_letters import original
from moderato.errors import Fatal, Poison
from moderato.settings import Settings
from normalize.worker import Normalizer, tenant_views

_PLACE = re.compile(r"([0-9]{1,6}):([0-9]{1,18})")
_MOST_TEXT = 100_000  # characters of a body
_MOST_HEX = 512  # bytes of a body that is no text


async def show(connection: Connection, settings: Settings, which: str) -> int:
    """Prints the letter at PARTITION:OFFSET, or all letters with an id. Raises Fatal when there is none."""
    if place := _PLACE.fullmatch(which):
        letters = [await at_place(connection, int(place[1]), int(place[2]))]
    else:
        letters = await _with_id(connection, which)
    normalizer = Normalizer(tenant_views(settings))
    console = Console(highlight=False, soft_wrap=True)
    for letter in letters:
        _show(console, letter, normalizer)
    return 0


async def _with_id(connection: Connection, id: str) -> list[Record]:
    async with history(connection, [topics.DEAD_LETTERS]) as opened:
        letters = [
            letter
            async for records in found(opened, Wanted(id=id), None, Seen(), asyncio.Event())
            for letter in records
        ]
    if not letters:
        raise Fatal(
            f"no dead letter has the id {id!r} (a place is PARTITION:OFFSET, as in `moderato dlq list`)"
        )
    return letters


def _show(console: Console, letter: Record, normalizer: Normalizer) -> None:
    headers = {name: (text or b"").decode("utf-8", "replace") for name, text in letter.headers}
    console.print(Text(f"dead letter {letter.partition}:{letter.offset}", "bold"))
    why = {name[3:]: text for name, text in headers.items() if name.startswith("dl_")}
    stack = why.pop("stack", "")
    _rows(console, why)
    if stack:
        console.print(Text("stack", "bold"))
        _lines(console, stack.splitlines())
    console.print(Text("the original's headers and key", "bold"))
    key = (letter.key or b"").decode("utf-8", "replace")
    _rows(
        console, {name: text for name, text in headers.items() if not name.startswith("dl_")} | {"key": key}
    )
    size = "none" if letter.value is None else f"{len(letter.value):,} bytes"
    console.print(Text(f"the original's value: {size}", "bold"))
    if letter.value is not None:
        _lines(console, readable(letter.value))
    console.print(Text("what the normalizer makes of it now", "bold"))
    _now(console, letter, normalizer)


def _now(console: Console, letter: Record, normalizer: Normalizer) -> None:
    try:
        record = original(letter)
        if not record.topic.startswith("moderation.raw."):
            _lines(
                console,
                [f"it is no raw record: it came from {record.topic}; `moderato dlq replay` tries it again"],
            )
            return
        reading = normalizer.reading(record)
    except Poison as fault:
        _lines(console, [f"a dead letter again: {fault}"])
        return
    _lines(console, [f"unreadable: {each}" for each in reading.faults])
    if not reading.faults and not reading.verdicts and not reading.signals:
        _lines(console, ["ignored: nothing in it is a verdict or a signal"])
    console.print()
    chain.show(reading.verdicts, reading.signals)


def readable(value: bytes) -> list[str]:
    """A body as lines for people: JSON indented, also where it is a field of a form; bytes that are no text in hex."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        shown = value[:_MOST_HEX]
        lines = [shown[place : place + 32].hex(" ") for place in range(0, len(shown), 32)]
        return _ended(lines, len(value) - len(shown), "bytes")
    indented = _indented(text)
    if indented is None and re.match(r"[\w.-]+=", text):
        fields = parse_qsl(text, keep_blank_values=True)
        indented = "\n".join(f"{name} = {_indented(content) or content}" for name, content in fields)
    whole = indented or text
    return _ended(whole[:_MOST_TEXT].splitlines(), len(whole) - _MOST_TEXT, "characters")


def _indented(text: str) -> str | None:
    if text[:1] not in ("{", "["):
        return None
    try:
        # Not orjson, which makes floats of large integers: what is shown has to be what is there.
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return None


def _ended(lines: list[str], left: int, unit: str) -> list[str]:
    if left > 0:
        lines.append(f"... {left:,} more {unit}: `moderato dlq list --id ID --json` has them all, in base64")
    return lines


def _rows(console: Console, rows: dict[str, str]) -> None:
    width = max(map(len, rows), default=0)
    _lines(console, [f"{name:<{width}}  {text}" for name, text in rows.items()])


def _lines(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(Text(f"  {printable(line)}"))
