"""Reads counters and topics until they add up, or have had time enough to, and prints the ledger."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from moderato.bus.admin import Admin
from moderato.bus.stage import group_of
from moderato.cli.audit import Finding, Look, Offsets, audit
from moderato.cli.ledger import STAGES, TOPICS
from moderato.cli.scrape import scrape
from moderato.errors import Fatal

_PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds; what is in flight when the topics are read is counted by then


_WIDTH = 160  # columns where nobody looks


async def run(admin: Admin, pages: Sequence[str], *, since: Path | None, save: Path | None) -> int:
    """Prints the ledger to stdout. Exit code 1 when a line of it does not balance. Raises Fatal."""
    before = _read(since) if since else None
    early = await scrape(pages)
    at, offsets = time.time(), await asyncio.to_thread(read_offsets, admin)
    for pause in _PAUSES:
        await asyncio.sleep(pause)
        now = Look(at, early, offsets, await scrape(pages))
        findings = audit(before, now)
        settled = all(each.status in ("ok", "not compared") for each in findings)
        # A baseline has to bear with what was in flight when it was taken.
        if settled and (pause or not save):
            break
    if save:
        _write(save, now)
    _print(findings, before, len(pages))
    return 1 if any(each.status == "fault" for each in findings) else 0


def read_offsets(admin: Admin) -> Offsets:
    """The ends of all topics, and what each stage's group has not committed. Raises Fatal."""
    # In this order, so that nothing is committed that does not count as written yet.
    reached = dict(oldest := admin.oldest(TOPICS))
    for stage, consumed in STAGES.items():
        places = [place for place in oldest if place[0] in consumed]
        reached |= admin.committed(group_of(stage), places)
    ends = admin.ends(TOPICS)
    waiting = {
        stage: sum(end - reached[place] for place, end in ends.items() if place[0] in consumed)
        for stage, consumed in STAGES.items()
    }
    totals = dict.fromkeys(TOPICS, 0)
    for (topic, _), end in ends.items():
        totals[topic] += end
    return Offsets(totals, waiting)


def _read(path: Path) -> Look:
    try:
        return Look.from_json(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise Fatal(f"--since {path}: {error.strerror}") from error
    except ValueError as error:
        raise Fatal(f"--since {path}: this is no baseline that --save wrote: {error}") from error


def _write(path: Path, look: Look) -> None:
    try:
        path.write_bytes(orjson.dumps(look.as_json(), option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise Fatal(f"--save {path}: {error.strerror}") from error


def _print(findings: Sequence[Finding], before: Look | None, processes: int) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    period = "since the processes began" if before is None else f"over {time.time() - before.at:,.0f} s"
    table = Table(box=box.SIMPLE_HEAVY, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("stage", no_wrap=True)
    table.add_column(f"what {processes} process(es) and the topics count, {period}")
    table.add_column("", no_wrap=True)
    previous = ""
    for each in findings:
        name = "" if each.line.name == previous else each.line.name
        words = each.status if each.status == "not compared" else each.words
        table.add_row(name, Text(str(each.line)), Text(words, _STYLES[each.status]))
        previous = each.line.name
    console.print(table)
    for reason in dict.fromkeys(each.words for each in findings if each.status == "not compared"):
        console.print(f"not compared: {reason}", soft_wrap=True)
    console.print(_sum(Counter(each.status for each in findings)), soft_wrap=True)


def _sum(counted: Counter[str]) -> Text:
    """The last line."""
    if counted["fault"]:
        words = f"{counted['fault']} of {counted.total()} lines DO NOT BALANCE (were all processes asked?)"
        return Text(words, "bold red")
    if left := counted["not compared"]:
        return Text(f"{counted.total() - left} lines balance, {left} could not be compared")
    return Text(f"all {counted.total()} lines balance", "bold green")


_STYLES = {"ok": "green", "twice": "yellow", "not compared": "yellow", "fault": "bold red"}
