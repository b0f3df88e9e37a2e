"""`moderato ledger`: whether the numbers of a running pipeline add up."""

from pathlib import Path
from typing import Annotated

import typer

from moderato.cli.options import Bootstrap, Config, config_of


def ledger(
    context: typer.Context,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="The metrics page of a process, once for every process there is. Without: that of this machine.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Count from this baseline on, not from the beginning.", show_default=False
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what is read now, as a baseline for later.", show_default=False
        ),
    ] = None,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Add up the counters of all processes, compare them with the topics, and say what balances. Exit code 1 if not.

    Counters begin at 0 with each process, the topics do not: compare a stretch of time, with --save and then --since.
    What a restart in between has made incomparable is named and left out. A record that was written or consumed twice
    is no fault: delivery is at least once."""
    from moderato.bus.admin import Admin
    from moderato.cli.balance_run import run as check
    from moderato.cli.brokers import connection_of
    from moderato.cli.scrape import address
    from moderato.lifecycle import run
    from moderato.settings import load

    settings = load(config_of(context, config))
    admin = Admin(connection_of(settings, bootstrap))
    pages = list(dict.fromkeys(map(address, metrics or [f"127.0.0.1:{settings.admin.port}"])))
    return run(check(admin, pages, since=since, save=save))
