"""The course of the demo: it shows the scene while the vendors call, lets it drain, and reports."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from moderato import lifecycle, logs
from moderato.cli import demo_report, demo_view, ledger
from moderato.cli.demo_scene import Options, Scene, scene
from moderato.settings import Log

_LIVE_INTERVAL = 0.25  # seconds between two pictures
_PLAIN_INTERVAL = 1.0
_DRAIN = 30.0  # seconds for what is in flight to arrive
_QUIET = 5.0  # seconds in which nothing has moved: no more will
_MOST_NOTICES = 20
_INTERRUPTED = 130

Show = Callable[[str], None]
"""Shows the figures of this moment, under a word for what is going on."""


class Notices(logging.Handler):
    """Warnings and errors while a live picture is on the screen, which they would tear: the newest are kept."""

    def __init__(self, formatter: logging.Formatter | None) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(formatter)
        self.kept: deque[str] = deque(maxlen=_MOST_NOTICES)

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(Text.from_ansi(self.format(record)).plain)

    @property
    def last(self) -> str | None:
        """The first line of the newest one."""
        return self.kept[-1].partition("\n")[0] if self.kept else None


def run(options: Options, console: Console | None = None) -> int:
    """Plays the demo. Returns the exit code: 1 when the ledger does not balance, 130 when it was interrupted.

    Raises Fatal when it cannot begin."""
    console = console or Console()
    live = console.is_terminal and not console.is_dumb_terminal
    logs.configure(Log(format="console", level="warning"))
    notices = _capture() if live else None
    try:
        return lifecycle.run(_play_until_signal(options, console, notices))
    finally:
        for notice in notices.kept if notices else ():
            Console(stderr=True).print(notice, style="yellow", markup=False, highlight=False)


def _capture() -> Notices:
    root = logging.getLogger()
    notices = Notices(root.handlers[0].formatter)
    root.handlers = [notices]
    return notices


async def _play_until_signal(options: Options, console: Console, notices: Notices | None) -> int:
    return await play(options, console, lifecycle.until_signal(), notices)


async def play(
    options: Options, console: Console, ended: asyncio.Event, notices: Notices | None = None
) -> int:
    """The demo until its time is over or `ended` is set, and the report. With `notices` as a live picture."""
    began = time.monotonic()
    console.print("Starting an embedded broker, receiver, controller, normalizer, policy and enforcer …")
    async with scene(options) as playing:
        with _live(console, playing, notices) if notices else _plain(console, playing) as show:
            await _perform(playing, show, ended, _PLAIN_INTERVAL if notices is None else _LIVE_INTERVAL)
            lines = await _drained(playing)
            show("finished")
    _report(console, playing, lines)
    took = time.monotonic() - began
    console.print(demo_report.closing(lines, playing.sent.acknowledged, took, playing.most_memory))
    if not all(line.balanced for line in lines):
        return 1
    return _INTERRUPTED if ended.is_set() else 0


@contextmanager
def _live(console: Console, playing: Scene, notices: Notices) -> Iterator[Show]:
    with Live(console=console, auto_refresh=False) as screen:
        yield lambda doing: screen.update(demo_view.picture(playing.frame(doing, notices.last)), refresh=True)


@contextmanager
def _plain(console: Console, playing: Scene) -> Iterator[Show]:
    yield lambda doing: console.print(
        demo_view.plain_line(playing.frame(doing)), soft_wrap=True, highlight=False
    )


async def _perform(playing: Scene, show: Show, ended: asyncio.Event, interval: float) -> None:
    """Shows the scene until the vendors have finished."""
    vendors = asyncio.create_task(playing.run())
    stopping = asyncio.create_task(ended.wait())
    try:
        while not vendors.done():
            waiting = [vendors] if stopping.done() else [vendors, stopping]
            await asyncio.wait(waiting, timeout=interval, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                playing.stop()
            show("stopping" if stopping.done() else "running")
    finally:
        stopping.cancel()
    await vendors


async def _drained(playing: Scene) -> Sequence[ledger.Line]:
    """Waits until the ledger balances, or nothing has moved for a while, and returns it."""
    lines = await playing.ledger()
    deadline = time.monotonic() + _DRAIN
    moved = time.monotonic()
    while not all(line.balanced for line in lines) and time.monotonic() < min(deadline, moved + _QUIET):
        await asyncio.sleep(0.1)
        before, lines = lines, await playing.ledger()
        if lines != before:
            moved = time.monotonic()
    return lines


def _report(console: Console, playing: Scene, lines: Sequence[ledger.Line]) -> None:
    seen = playing.watcher.seen
    for part in (
        demo_report.ledger(lines),
        demo_report.gravest(seen),
        demo_report.actions(seen),
        demo_report.next_steps(),
    ):
        console.print()
        console.print(part)
    console.print()
