"""Reads verdicts from Kafka or a file, plays them, and writes the report."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.cli.backtest_html import page
from moderato.cli.backtest_markdown import markdown
from moderato.cli.backtest_report import Read, as_json, sections
from moderato.cli.moments import BEGINNING, END
from moderato.cli.progress import bar
from moderato.cli.verdict_file import VerdictLines, verdict_in
from moderato.errors import Fatal, Poison
from moderato.lifecycle import until_signal
from moderato.times import rfc3339
from sinks.events import opened, require_texts
from sinks.policy.backtest import Backtest
from sinks.policy.rules import Policy
from sinks.policy.worker import REQUIRED

_INTERRUPTED = 130
_MOST_FAULTS = 3  # that are told
_TURN = 500  # lines between two looks at whether to end


@dataclass(frozen=True)
class Job:
    """What is to be tried on what, and where the report goes. Raises Fatal when it could not be written."""

    policy: Policy
    rules: Path
    other: Policy | None
    baseline: Path | None
    tenant: str | None
    examples: int
    format: Literal["markdown", "html", "json"]
    output: Path | None

    def __post_init__(self) -> None:
        if self.output is not None and (self.output.is_dir() or not self.output.parent.is_dir()):
            why = "that is a folder" if self.output.is_dir() else "its folder is not there"
            raise Fatal(f"--output {self.output}: {why}")


class _Playing:
    """One backtest as it is played."""

    def __init__(self, job: Job, place: str) -> None:
        self._job = job
        self.test = Backtest(job.policy, job.other, examples=job.examples)
        self._readable = False
        tenant = f", tenant {job.tenant}" if job.tenant is not None else ""
        self.read = Read(place + tenant, str(job.rules), str(job.baseline) if job.baseline else None)

    def play(self, verdict: dict[str, Any]) -> None:
        """One verdict that has what the policy stage demands. Raises Poison when no policy can judge it."""
        require_texts(verdict, ("normalized_at",))
        if self._job.tenant is None or verdict["tenant"] == self._job.tenant:
            self.test.play(verdict)
        self._readable = True

    def fault(self, where: str, fault: Poison) -> None:
        """A verdict was left out."""
        self.read.unreadable += 1
        if len(self.read.faults) < _MOST_FAULTS:
            self.read.faults.append(f"{where}: {fault}")

    def write(self) -> None:
        """Writes the report. Raises Fatal when nothing that was read is a verdict."""
        if self.read.unreadable and not self._readable:
            faults = "\n".join(self.read.faults)
            raise Fatal(
                f"none of {self.read.unreadable:,} records in {self.read.place} is a verdict\n{faults}"
            )
        pairs = self.test.agreement()
        if self._job.format == "json":
            option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
            text = orjson.dumps(as_json(self.test, pairs, self.read), option=option)
        else:
            found = sections(self.test, pairs, self.read)
            made = page if self._job.format == "html" else markdown
            text = made(found, self.test).encode("utf-8", "replace")
        if self._job.output is None:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
            return
        try:
            self._job.output.write_bytes(text)
        except OSError as error:
            raise Fatal(f"--output {self._job.output}: {error.strerror}") from None
        print(f"{self.test.verdicts:,} verdicts played; the report is in {self._job.output}", file=sys.stderr)


async def of_file(job: Job, path: Path) -> int:
    """Plays the lines of a file in their order. Raises Fatal."""
    lines, ended = VerdictLines(path), until_signal()
    playing = _Playing(job, str(path))
    with bar("playing", lines.size) as advance:
        read = 0
        for line in lines:
            try:
                playing.play(verdict_in(line))
            except Poison as fault:
                playing.fault(f"line {lines.number}", fault)
            read += len(line)
            if lines.number % _TURN == 0:
                advance(read)
                read = 0
                await asyncio.sleep(0)  # let a signal in
                if ended.is_set():
                    return _stopped(f"line {lines.number}")
        advance(read)
    playing.write()
    return 0


async def of_kafka(job: Job, connection: Connection, since: float, until: float) -> int:
    """Plays the verdicts in Kafka from `since` up to `until`, in the order in which they were written. Raises Fatal."""
    ended = until_signal()
    playing = _Playing(job, f"{topics.VERDICTS} {_stretch(since, until)}")
    async with history(connection, [topics.VERDICTS], since=since, until=until) as stretch:
        with bar("playing", len(stretch)) as advance:
            async for batch in stretch.merged(ended):
                for record in batch:
                    try:
                        _, verdict = opened(record, "verdict")
                        require_texts(verdict, REQUIRED)
                        playing.play(verdict)
                    except Poison as fault:
                        playing.fault(f"partition {record.partition} offset {record.offset}", fault)
                advance(len(batch))
                await asyncio.sleep(0)
        if ended.is_set():
            return _stopped(stretch.place())
    playing.write()
    return 0


def _stretch(since: float, until: float) -> str:
    begin = "the beginning" if since == BEGINNING else rfc3339(since)
    return f"from {begin} to {'now' if until == END else rfc3339(until)}"


def _stopped(place: str) -> int:
    print(f"stopped: played up to {place}; nothing is told of a part", file=sys.stderr)
    return _INTERRUPTED
