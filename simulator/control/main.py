"""`moderato simulate --control`: the vendors' control APIs, until they are told to stop."""

import asyncio
from collections import Counter
from dataclasses import fields
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from moderato import lifecycle
from moderato.errors import Fatal
from simulator.control.accounts import Accounts
from simulator.control.server import ControlServer
from simulator.control.world import World
from simulator.main import summary

VENDORS = ("agora", "shumei", "iflytek", "yidun", "yunxin")


def load_accounts(path: Path) -> Accounts:
    """The accounts of a YAML file: a mapping of the names of `Accounts`. Raises Fatal with every fault."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Fatal(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Fatal(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise Fatal(f"{path}: a mapping of account names is due")
    known = {field.name for field in fields(Accounts)}
    faults = [
        f"{path}: {name}: unknown; the names are {', '.join(sorted(known))}"
        for name in given
        if name not in known
    ]
    try:
        accounts = TypeAdapter(Accounts).validate_python(
            {name: value for name, value in given.items() if name in known}
        )
    except ValidationError as error:
        # The input is left out: it may be a secret.
        faults += [f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    if faults:
        raise Fatal("\n".join(faults))
    return accounts


def serve(
    port: int,
    *,
    host: str = "127.0.0.1",
    accounts_file: Path | None = None,
    seconds: float | None = None,
    report_seconds: float = 10.0,
    time_scale: float = 1.0,
    allow_remote: bool = False,
    console: Console | None = None,
) -> int:
    """Serves for `seconds`, or until SIGTERM or Ctrl-C, and prints what was asked and told. Raises Fatal when it cannot
    listen or the accounts are wrong."""
    world = World(accounts=load_accounts(accounts_file) if accounts_file else Accounts())
    server = ControlServer(
        world, host, port, report_seconds=report_seconds, time_scale=time_scale, allow_remote=allow_remote
    )
    out = console or Console()
    lifecycle.run(_serve(server, seconds, out))
    return 0


async def _serve(server: ControlServer, seconds: float | None, out: Console) -> None:
    ended = lifecycle.until_signal()
    await server.start()
    for vendor in VENDORS:
        out.print(f"{vendor}: {server.url}/{vendor}", highlight=False)
    out.print(f"book: {server.url}/_book", highlight=False)
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        pass
    finally:
        await server.stop()
    tasks = Counter(task.state.value for task in server.world.book.tasks.values())
    told = ", ".join(f"{state} {count}" for state, count in sorted(tasks.items())) or "none"
    out.print(f"tasks: {told}; calls: {server.world.book.counts.total()}", highlight=False)
    if server.counters.by_source:
        out.print(summary(server.counters))
