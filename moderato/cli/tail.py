"""`moderato tail`: follows verdicts, signals, actions, outcomes or dead letters as they come."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moderato.cli.options import Bootstrap, Config, config_of
from moderato.records import Category, Decision, Severity
from moderato.sources import Source

if TYPE_CHECKING:
    from moderato.bus.connection import Connection
    from moderato.cli.printer import Printer
    from moderato.cli.views import View

Name = Literal["verdicts", "signals", "actions", "outcomes", "dead-letters"]


def tail(
    context: typer.Context,
    what: Annotated[Name, typer.Argument(show_default=False)],
    tenant: Annotated[str | None, typer.Option(show_default=False)] = None,
    source: Annotated[Source | None, typer.Option(show_default=False)] = None,
    severity_at_least: Annotated[Severity | None, typer.Option(show_default=False)] = None,
    category: Annotated[Category | None, typer.Option(show_default=False)] = None,
    decision: Annotated[Decision | None, typer.Option(show_default=False)] = None,
    room: Annotated[str | None, typer.Option(show_default=False)] = None,
    user: Annotated[str | None, typer.Option(show_default=False)] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="The kind of a signal, or the type of an action or outcome.", show_default=False),
    ] = None,
    from_beginning: Annotated[
        bool,
        typer.Option("--from-beginning", help="Begin with the oldest record there is, not with the next."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each record as a line of JSON.")] = False,
    limit: Annotated[
        int | None, typer.Option("--max", min=1, help="End after so many.", show_default=False)
    ] = None,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Follow a topic live until Ctrl-C, as a table or as JSON lines; filters combine.

    No consumer group is used: nothing is committed."""
    from moderato.cli.brokers import connection_of
    from moderato.cli.printer import Printer
    from moderato.cli.views import VIEWS, Filter
    from moderato.lifecycle import run
    from moderato.settings import load

    wanted: dict[str, str | int | None] = {
        "tenant": tenant,
        "source": source,
        "severity-at-least": severity_at_least.level if severity_at_least else None,
        "category": category,
        "decision": decision,
        "room": room,
        "user": user,
        "kind": kind,
    }
    conditions: Mapping[str, str | int] = {name: value for name, value in wanted.items() if value is not None}
    view = VIEWS[what]
    printer = Printer(view, Filter(what, view, conditions), as_json=as_json, limit=limit)
    connection = connection_of(load(config_of(context, config)), bootstrap)
    return run(_follow(connection, view, printer, from_beginning))


async def _follow(connection: "Connection", view: "View", printer: "Printer", from_beginning: bool) -> int:
    from moderato.cli.follow import follow
    from moderato.lifecycle import until_signal

    await follow(
        connection,
        view.topic,
        printer.take,
        from_beginning=from_beginning,
        started=printer.begin,
        ended=until_signal(),
    )
    return 0
