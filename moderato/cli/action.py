"""`moderato action create|show|undo|retry`: what people demand, through the API, and what failed once more."""

from typing import Annotated, Any, Literal

import typer

from moderato.cli.api_options import URL, Api, Json, Token, TokenFile, client_of
from moderato.cli.options import Bootstrap, Config, Since, Until, config_of
from moderato.sources import Source

app = typer.Typer(help="Demand an action, show one, take one back, through the API.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="act_…", show_default=False)]
Within = Annotated[str, typer.Option(metavar="AGE", help="How far back to look: 90s, 30m, 2h, 7d.")]
Type = Literal["notify", "review", "warn", "mute", "kick", "ban", "close_room", "stop_session"]
Kind = Literal["user", "room", "account", "session"]

_PATH = "/v1/actions"


@app.command("create")
def create(
    type_: Annotated[Type, typer.Argument(metavar="TYPE", show_default=False)],
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="Of the target.", show_default=False)],
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of the target.", show_default=False)],
    source: Annotated[Source, typer.Option(help="The vendor product of the room.", show_default=False)],
    room: Annotated[str | None, typer.Option(help="Where the user is.", show_default=False)] = None,
    tenant: Annotated[str | None, typer.Option(show_default=False)] = None,
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Of a mute, kick or ban.", show_default=False)
    ] = None,
    message: Annotated[str | None, typer.Option(help="What to tell the user.", show_default=False)] = None,
    key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="The same key gives the same action.", show_default=False),
    ] = None,
    api: Api = URL,
    token: Token = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Demand an action: it goes the way of the policy's actions."""
    optional = {"room": room, "tenant": tenant, "duration": duration, "message": message}
    body: dict[str, Any] = {"type": type_, "target": {"kind": kind, "id": id_}, "source": str(source)}
    body |= {name: value for name, value in optional.items() if value is not None}
    headers = {"Idempotency-Key": key} if key is not None else {}
    _print(client_of(api, token, token_file).call("POST", _PATH, body=body, headers=headers), as_json=as_json)
    return 0


@app.command("show")
def show(
    action_id: Id,
    within: Within = "1d",
    api: Api = URL,
    token: Token = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Show the chain behind an action: callback, verdict, rule, action, outcome."""
    found = client_of(api, token, token_file).call("GET", _path(action_id), query={"within": within})
    if as_json:
        typer.echo(_dumped(found))
        return 0
    from moderato.cli import why_view
    from moderato.trace import Traced

    why_view.show(Traced.of(found))
    return 0


@app.command("undo")
def undo(
    action_id: Id,
    within: Within = "1d",
    api: Api = URL,
    token: Token = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Take back a mute, a kick, a ban or the closing of a room."""
    path = f"{_path(action_id)}/undo"
    _print(client_of(api, token, token_file).call("POST", path, query={"within": within}), as_json=as_json)
    return 0


@app.command("retry")
def retry(
    context: typer.Context,
    since: Since,
    until: Until = float("inf"),
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.", show_default=False)] = None,
    executor: Annotated[str | None, typer.Option(help="Of this executor only.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; publish nothing.")] = False,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Demand once more what failed in a time and has not expired, when who did not answer is there again.

    It reads and writes the topics themselves. Exit code 1 when some of the actions are not there any more."""
    from moderato.cli.action_retry import retry as retry_all
    from moderato.cli.brokers import connection_of
    from moderato.lifecycle import run
    from moderato.settings import load

    connection = connection_of(load(config_of(context, config)), bootstrap)
    return run(
        retry_all(connection, since=since, until=until, tenant=tenant, executor=executor, dry_run=dry_run)
    )


def _path(action_id: str) -> str:
    from moderato.cli.api_client import segment

    return f"{_PATH}/{segment(action_id)}"


def _print(action: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(_dumped(action))
        return
    from moderato.cli.chain import printable

    target = f"{action['target']['kind']} {action['target']['id']}"
    undoes = f", takes back {action['undoes']}" if action["undoes"] else ""
    typer.echo(printable(f"{action['id']}: {action['type']} {target} of {action['tenant']}{undoes}"))


def _dumped(value: Any) -> str:
    import orjson

    return orjson.dumps(value).decode()
