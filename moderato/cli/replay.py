"""`moderato replay`: normalizes history again, out of the raw topics."""

from pathlib import Path
from typing import Annotated

import typer

from moderato.cli.options import Bootstrap, Config, Since, Until, config_of
from moderato.sources import Source


def replay(
    context: typer.Context,
    source: Annotated[Source, typer.Option(help="Whose raw records.", show_default=False)],
    since: Since,
    until: Until,
    to_topic: Annotated[
        str | None,
        typer.Option(
            metavar="TOPIC",
            help="A topic of your own for verdicts and signals, instead of the usual ones.",
            show_default=False,
        ),
    ] = None,
    tables: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A folder of tables, or a file of overrides, instead of those that are configured.",
            show_default=False,
        ),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; publish nothing.")] = False,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Read raw records again with the normalizer's own code, and publish their verdicts and signals, ids the same.

    Without --to-topic the policy sees them as well; what is older than its rules' max_age is not acted upon. No dead
    letters are written. Ctrl-C ends it and says where it stopped."""
    from moderato.cli.brokers import connection_of
    from moderato.cli.replay_run import run as replay_all
    from moderato.cli.table_sets import table_set
    from moderato.lifecycle import run
    from moderato.settings import load

    settings = load(config_of(context, config))
    return run(
        replay_all(
            connection_of(settings, bootstrap),
            table_set(tables, settings).normalizer,
            source,
            since=since,
            until=until,
            to_topic=to_topic,
            tenant=tenant,
            dry_run=dry_run,
        )
    )
