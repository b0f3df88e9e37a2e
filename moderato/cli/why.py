"""`moderato why`: what is behind one action, from the vendor's bytes to what became of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from moderato.cli.moments import BEGINNING, moment
from moderato.cli.options import Bootstrap, Config, config_of

if TYPE_CHECKING:
    from moderato.bus.connection import Connection


def why(
    context: typer.Context,
    action_id: Annotated[
        str, typer.Argument(help="As in `moderato tail actions`: act_…", show_default=False)
    ],
    since: Annotated[
        float,
        typer.Option(
            "--from",
            parser=moment,
            metavar="TIME",
            help="How far back to look: a time, an age (2h, 7d) or `beginning`.",
            show_default="beginning",
        ),
    ] = BEGINNING,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: action, verdict, strikes, outcomes, raw.")
    ] = False,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Show why somebody was warned, muted, kicked or banned: callback, verdict, rule, action, outcome.

    Exit code 1 when there is no such action in that time."""
    from moderato.cli.brokers import connection_of
    from moderato.lifecycle import run
    from moderato.settings import load

    connection = connection_of(load(config_of(context, config)), bootstrap)
    return run(_why(connection, action_id, since, as_json))


async def _why(connection: "Connection", action_id: str, since: float, as_json: bool) -> int:
    import orjson

    from moderato.cli import why_view
    from moderato.trace import trace

    traced = await trace(connection, action_id, since)
    if traced is None:
        typer.echo(f"moderato: no action {action_id} in moderation.actions in that time", err=True)
        return 1
    if as_json:
        typer.echo(orjson.dumps(traced).decode())
    else:
        why_view.show(traced)
    return 0
