"""`moderato topics create|check`: the topics as they should be, and as they are."""

from typing import TYPE_CHECKING, Annotated

import typer

from moderato.cli.options import Config, config_of

if TYPE_CHECKING:
    from pathlib import Path

    from moderato.bus.admin import Admin

app = typer.Typer(
    help="Make the topics that are missing, or compare them with what they should be.", no_args_is_help=True
)


@app.command()
def create(
    context: typer.Context,
    replication: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Replicas of each partition. Without it: the brokers' default."),
    ] = None,
    config: Config = None,
) -> int:
    """Make the topics that are missing; those that exist are left as they are."""
    from moderato import topics

    made = _admin(config_of(context, config)).create(topics.ALL, replication=replication)
    for topic in topics.ALL:
        typer.echo(f"{'created' if topic.name in made else 'exists':<8} {topic.name}")
    return 0


@app.command()
def check(context: typer.Context, config: Config = None) -> int:
    """Compare partitions, clean-up, retention and record size of every topic. Exit code 1 on any difference."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from moderato import topics

    differences = _admin(config_of(context, config)).differences(topics.ALL)
    if not differences:
        typer.echo(f"all {len(topics.ALL)} topics are as they should be")
        return 0
    table = Table("topic", "property", "should be", "is", box=SIMPLE_HEAD)
    for each in differences:
        table.add_row(each.topic, each.property, each.expected, each.found)
    Console().print(table)
    if any(each.property == "topic" for each in differences):
        typer.echo("missing topics are made by: moderato topics create")
    return 1


def _admin(config: "Path | None") -> "Admin":
    from moderato.bus.admin import Admin
    from moderato.bus.connection import Connection
    from moderato.errors import Fatal
    from moderato.settings import load

    settings = load(config)
    if settings.kafka.bootstrap is None:
        raise Fatal(
            "kafka.bootstrap is not set: topics are made on a Kafka cluster (the embedded broker has them)"
        )
    return Admin(Connection.of(settings.kafka))
