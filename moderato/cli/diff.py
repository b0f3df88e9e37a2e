"""`moderato diff`: what would move between severities if other tables were in force."""

from pathlib import Path
from typing import Annotated

import typer

from moderato.cli.options import Bootstrap, Config, Since, Until, config_of
from moderato.errors import Fatal
from moderato.sources import Source

_ALL = "all"


def _sources(text: str) -> list[Source]:
    if text == _ALL:
        return list(Source)
    try:
        return [Source(text)]
    except ValueError:
        raise Fatal(f"--source: {text!r} is not one of {', '.join(Source)} or {_ALL}") from None


def diff(
    context: typer.Context,
    source: Annotated[str, typer.Option(help="Whose raw records, or `all`.", show_default=False)],
    since: Since,
    until: Until,
    tables: Annotated[
        list[Path],
        typer.Option(
            metavar="PATH",
            help="A folder of tables, or a file of overrides. Twice: A and B; once: B, and A is what is configured.",
            show_default=False,
        ),
    ],
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.", show_default=False)] = None,
    examples: Annotated[int, typer.Option(min=0, max=100, help="Of each move, so many at most.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Read history with two sets of tables and print which verdicts would move between severities. Publishes nothing.

    Exit code 3 when a verdict loses severity, else 0."""
    from moderato.cli.brokers import connection_of
    from moderato.cli.diff_run import run as compare
    from moderato.cli.table_sets import table_set
    from moderato.lifecycle import run
    from moderato.settings import load

    if len(tables) > 2:
        raise Fatal("--tables: one or two are due, A and B")
    sources = _sources(source)
    settings = load(config_of(context, config))
    first, second = (table_set(path, settings) for path in ([None, *tables] if len(tables) == 1 else tables))
    return run(
        compare(
            connection_of(settings, bootstrap),
            first,
            second,
            sources,
            since=since,
            until=until,
            tenant=tenant,
            examples=examples,
            as_json=as_json,
        )
    )
