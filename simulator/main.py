"""`moderato simulate`: the vendors against a running receiver, with a summary at the end."""

import asyncio
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table

from moderato.errors import Fatal
from simulator.addresses import is_loopback
from simulator.counters import Counters, Tally
from simulator.run import Simulation
from simulator.targets import example_targets, load_targets
from simulator.traffic import DEFAULT_SHARES


def run(
    base_url: str,
    *,
    targets_file: Path | None = None,
    rate: float = 50.0,
    seconds: float = 20.0,
    rooms: int = 8,
    seed: int = 0,
    duplicates: float = DEFAULT_SHARES.duplicates,
    late: float = DEFAULT_SHARES.late,
    out_of_order: float = DEFAULT_SHARES.out_of_order,
    malformed: float = DEFAULT_SHARES.malformed,
    time_scale: float = 1.0,
    allow_remote: bool = False,
    console: Console | None = None,
) -> int:
    """Calls the receiver at `base_url` for `seconds` and prints a summary by source.

    Without `targets_file` the example targets are called, which a receiver has to be configured for. Returns the exit
    code: 1 when nothing was acknowledged. Raises Fatal for a bad address or configuration, and for an address beyond
    this machine unless `allow_remote`."""
    check_address(base_url, allow_remote=allow_remote)
    targets = load_targets(targets_file) if targets_file else example_targets()
    simulation = Simulation(
        base_url,
        targets,
        rooms=rooms,
        rate=rate,
        seed=seed,
        duplicates=duplicates,
        late=late,
        out_of_order=out_of_order,
        malformed=malformed,
        time_scale=time_scale,
    )
    # After Ctrl-C, what was sent until then is told all the same.
    with suppress(KeyboardInterrupt):
        asyncio.run(simulation.run(seconds))
    (console or Console()).print(summary(simulation.counters))
    return 0 if simulation.counters.total.acknowledged else 1


def check_address(base_url: str, *, allow_remote: bool) -> None:
    """Fatal unless `base_url` is an http(s) address, on this machine or allowed to be elsewhere."""
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Fatal(f"{base_url!r} is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise Fatal(f"{base_url!r} is no http address: give one such as http://127.0.0.1:8080")
    if not allow_remote and not is_loopback(base_url):
        raise Fatal(
            f"{host} is not this machine: simulated load goes to loopback only, unless --allow-remote is given"
        )


def summary(counters: Counters) -> Group:
    """A row for each source and their sum, and what was special about the callbacks."""
    table = Table(title="Simulated callbacks", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("source", no_wrap=True)
    for column in ("callbacks", "sent", "acknowledged", "retried"):
        table.add_column(column, justify="right")
    table.add_column("refused")
    for source, tally in counters.by_source.items():
        table.add_row(source, *_cells(tally))
    total = counters.total
    table.add_section()
    table.add_row("total", *_cells(total))
    special = (
        f"duplicates {total.duplicates}, late {total.late}, out of order {total.out_of_order}, "
        f"malformed {total.malformed}; given up by the vendor {total.given_up}, cut off at the end {total.cut_off}"
    )
    return Group(table, special)


def _cells(tally: Tally) -> list[str]:
    numbers = (tally.callbacks, tally.sent, tally.acknowledged, tally.retried)
    refused = ", ".join(f"{reason}: {count}" for reason, count in sorted(tally.refused.items()))
    return [*map(str, numbers), refused or "-"]
