"""`moderato brake status|trip|release`: keeps rules from hitting anybody, now, without a change of the policy file."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from moderato.cli.options import Bootstrap, Config, config_of

if TYPE_CHECKING:
    from moderato.bus.connection import Connection
    from moderato.records import Brake
    from moderato.settings import Settings

app = typer.Typer(help="Show, trip and release the brakes of the policy.", no_args_is_help=True)

Rule = Annotated[
    str,
    typer.Argument(metavar="RULE", help="A rule of the policy, or '*' for every rule.", show_default=False),
]
Tenant = Annotated[str, typer.Option(metavar="TENANT", help="Without it: all tenants.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.", show_default="who is logged in")]


@app.command("status")
def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: pulled, quotas.")] = False,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """List the brakes that hold, and how much of each quota of the configured policy is used up.

    Exit code 1 when a brake holds."""
    from moderato.cli import brake_view
    from moderato.cli.brake_run import present
    from moderato.lifecycle import run

    settings, connection = _connected(context, config, bootstrap)

    async def show() -> int:
        brakes, at = await present(connection, settings)
        brake_view.show(brakes, at, as_json=as_json)
        return int(bool(brakes.pulled))

    return run(show())


@app.command("trip")
def trip(
    context: typer.Context,
    rule: Rule,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why: it stands in every action that is braked.")
    ],
    tenant: Tenant = "*",
    by: By = None,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Keep a rule from hitting anybody until it is released: its actions are recorded as braked, and a person is asked
    to look instead. It holds within a second or so, for every process of the policy."""
    return _pull(context, config, bootstrap, _brake(rule, tenant, pulled=True, reason=reason, by=by))


@app.command("release")
def release(
    context: typer.Context,
    rule: Rule,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "released",
    tenant: Tenant = "*",
    by: By = None,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Let a rule go on that a trip switch or somebody has stopped. What it has hit is counted anew.

    Exit code 1 when no such brake holds."""
    return _pull(context, config, bootstrap, _brake(rule, tenant, pulled=False, reason=reason, by=by))


def _brake(rule: str, tenant: str, *, pulled: bool, reason: str, by: str | None) -> "Brake":
    from moderato.errors import Fatal
    from moderato.records import Brake
    from moderato.times import now

    who = by if by is not None else _user()
    faults = [
        f"{name}: {due}"
        for name, value, due, most in (
            ("RULE", rule, "the id of a rule or '*' is due", 63),
            ("--tenant", tenant, "the name of a tenant or '*' is due", 63),
            ("--reason", reason, "one line of at most 300 characters is due", 300),
            ("--by", who, "a name of at most 100 characters is due", 100),
        )
        if not value.strip() or not value.isprintable() or len(value) > most
    ]
    if faults:
        raise Fatal("\n".join(faults))
    return Brake(tenant, rule, pulled, reason, who, now())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "somebody"


def _pull(context: typer.Context, config: Config, bootstrap: Bootstrap, brake: "Brake") -> int:
    from moderato.cli.brake_run import pull
    from moderato.lifecycle import run

    settings, connection = _connected(context, config, bootstrap)
    return run(pull(connection, settings, brake))


def _connected(context: typer.Context, config: Config, bootstrap: Bootstrap) -> "tuple[Settings, Connection]":
    from moderato.cli.brokers import connection_of
    from moderato.settings import load

    settings = load(config_of(context, config))
    return settings, connection_of(settings, bootstrap)
