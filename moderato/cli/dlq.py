"""`moderato dlq list|show|replay|purge`: look at the dead letters, bring them back, or throw them away."""

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moderato.cli.moments import BEGINNING, END
from moderato.cli.options import Bootstrap, Config, Since, Until, config_of
from moderato.sources import Source

if TYPE_CHECKING:
    from pathlib import Path

    from moderato.bus.connection import Connection
    from moderato.cli.letters import Wanted
    from moderato.settings import Settings

app = typer.Typer(help="Look at the dead letters, bring them back, or throw them away.", no_args_is_help=True)

Stage = Annotated[
    str | None, typer.Option(help="Of this stage: normalizer, policy, enforcer.", show_default=False)
]
OfSource = Annotated[Source | None, typer.Option("--source", help="Of this source.", show_default=False)]
Tenant = Annotated[str | None, typer.Option(help="Of this tenant.", show_default=False)]
Reason = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Whose reason contains it.", show_default=False)
]
Id = Annotated[str | None, typer.Option("--id", help="With this id (ce_id).", show_default=False)]
Topic = Annotated[str | None, typer.Option(help="That came from this topic.", show_default=False)]
Limit = Annotated[int | None, typer.Option(min=1, help="So many at most.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print each letter as a line of JSON, with its bytes.")]


@app.command("list")
def list_(
    context: typer.Context,
    stage: Stage = None,
    source: OfSource = None,
    tenant: Tenant = None,
    reason: Reason = None,
    id: Id = None,
    topic: Topic = None,
    since: Since = BEGINNING,
    until: Until = END,
    limit: Limit = None,
    as_json: AsJson = False,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """List dead letters, the oldest of each partition first."""
    from moderato.cli.dlq_list import print_list
    from moderato.cli.letters import Wanted

    wanted = Wanted(stage, source, tenant, reason, id, topic, since, until)
    return _run(
        context, config, bootstrap, lambda there, _: print_list(there, wanted, limit, as_json=as_json)
    )


@app.command()
def show(
    context: typer.Context,
    which: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET|ID", show_default=False)],
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Show one letter: its headers, its body, why it is here, and what the normalizer would make of it now."""
    from moderato.cli.dlq_show import show as print_letter

    return _run(context, config, bootstrap, lambda there, settings: print_letter(there, settings, which))


@app.command()
def replay(
    context: typer.Context,
    stage: Stage = None,
    source: OfSource = None,
    tenant: Tenant = None,
    reason: Reason = None,
    id: Id = None,
    topic: Topic = None,
    since: Since = BEGINNING,
    until: Until = END,
    limit: Limit = None,
    every: Annotated[bool, typer.Option("--all", help="All of them, without a filter.")] = False,
    dry_run: DryRun = False,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Publish the original records again, to the topics that they came from, with their ids.

    The letters stay. A record that fails again comes back as a new letter, with one more attempt."""
    from moderato.cli.dlq_replay import replay as bring_back
    from moderato.cli.letters import Wanted

    wanted = Wanted(stage, source, tenant, reason, id, topic, since, until)
    _insist(wanted, every=every)
    return _run(
        context, config, bootstrap, lambda there, _: bring_back(there, wanted, limit, dry_run=dry_run)
    )


@app.command()
def purge(
    context: typer.Context,
    stage: Stage = None,
    source: OfSource = None,
    tenant: Tenant = None,
    reason: Reason = None,
    id: Id = None,
    topic: Topic = None,
    since: Since = BEGINNING,
    until: Until = END,
    every: Annotated[bool, typer.Option("--all", help="All of them, without a filter.")] = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Delete dead letters for good: in each partition the oldest ones, as far as all of them match the filters.

    Kafka cannot delete single records, only all before an offset: a letter that matches but lies behind one that
    does not stays. `--to 7d` deletes what is older than a week."""
    from moderato import topics
    from moderato.bus.admin import Admin
    from moderato.cli.dlq_purge import describe, offsets, planned
    from moderato.cli.letters import Wanted
    from moderato.lifecycle import run

    wanted = Wanted(stage, source, tenant, reason, id, topic, since, until)
    _insist(wanted, every=every)
    connection, _ = _opened(context, config, bootstrap)
    cuts = run(planned(connection, wanted))
    typer.echo("\n".join(describe(cuts)) or "no dead letter matches")
    before = offsets(cuts)
    if not before or dry_run:
        return 0
    if not yes and not _confirmed("Delete them? They cannot be brought back."):
        return 1
    Admin(connection).delete_before(topics.DEAD_LETTERS, before)
    typer.echo("deleted")
    return 0


def _insist(wanted: "Wanted", *, every: bool) -> None:
    """Nobody means all dead letters by saying nothing."""
    from moderato.errors import Fatal

    if wanted.all and not every:
        raise Fatal(
            "give a filter (--stage, --source, --tenant, --reason, --id, --topic, --from, --to), or --all"
        )
    if every and not wanted.all:
        raise Fatal("--all excludes the filters")


def _confirmed(question: str) -> bool:
    from moderato.errors import Fatal

    if not sys.stdin.isatty():
        raise Fatal("what is deleted cannot be brought back: look with --dry-run, then give --yes")
    return typer.confirm(question)


def _run(
    context: typer.Context,
    config: "Path | None",
    bootstrap: str | None,
    work: "Callable[[Connection, Settings], Coroutine[Any, Any, int]]",
) -> int:
    from moderato.lifecycle import run

    connection, settings = _opened(context, config, bootstrap)
    return run(work(connection, settings))


def _opened(
    context: typer.Context, config: "Path | None", bootstrap: str | None
) -> "tuple[Connection, Settings]":
    from moderato.cli.brokers import connection_of
    from moderato.settings import load

    settings = load(config_of(context, config))
    return connection_of(settings, bootstrap), settings
