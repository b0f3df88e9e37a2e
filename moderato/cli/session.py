"""`moderato session`: starts, shows, lists, stops and watches sessions through the API."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moderato.cli.api_options import URL, Api, Json, Token, TokenFile, client_of
from moderato.records import SessionState
from moderato.sources import Source

if TYPE_CHECKING:
    from rich.table import Table

    from moderato.cli.api_client import ApiClient

app = typer.Typer(help="Moderation sessions, through the API.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
Wait = Annotated[
    int, typer.Option(min=0, max=60, metavar="SECONDS", help="Wait so long for it to come about.")
]

_LOOK = 1.0  # seconds between two looks of `watch`
_PATH = "/v1/sessions"


@app.command("start")
def start(
    source: Annotated[Source, typer.Argument(show_default=False)],
    parameters: Annotated[
        str,
        typer.Argument(metavar="JSON", help="The source's parameters; @FILE reads them.", show_default=False),
    ],
    tenant: Annotated[str | None, typer.Option(show_default=False)] = None,
    user: Annotated[str | None, typer.Option(help="The only speaker.", show_default=False)] = None,
    key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="The same key gives the same session.", show_default=False),
    ] = None,
    wait: Wait = 10,
    api: Api = URL,
    token: Token = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Start moderation of a room. Exit code 1 when it has failed."""
    body: dict[str, Any] = {"source": str(source), "parameters": _json_of(parameters)}
    body |= {name: value for name, value in (("tenant", tenant), ("user", user)) if value is not None}
    headers = {"Idempotency-Key": key} if key is not None else {}
    client = client_of(api, token, token_file)
    session = client.call("POST", _PATH, query={"wait": f"{wait}s"}, body=body, headers=headers)
    _print([session], as_json=as_json, one=True)
    return int(session["state"] == SessionState.FAILED)


@app.command("show")
def show(
    session_id: Id,
    api: Api = URL,
    token: Token = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Show one session."""
    _print([_get(client_of(api, token, token_file), session_id)], as_json=as_json, one=True)
    return 0


@app.command("list")
def list_(
    state: Annotated[SessionState | None, typer.Option(show_default=False)] = None,
    source: Annotated[Source | None, typer.Option(show_default=False)] = None,
    tenant: Annotated[str | None, typer.Option(show_default=False)] = None,
    room: Annotated[str | None, typer.Option(show_default=False)] = None,
    most: Annotated[int, typer.Option("--max", min=1, max=200, help="So many, the newest.")] = 50,
    api: Api = URL,
    token: Token = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """List sessions, the newest first."""
    filters = {"state": state, "source": source, "tenant": tenant, "room": room, "limit": most}
    query = {name: str(value) for name, value in filters.items() if value is not None}
    page = client_of(api, token, token_file).call("GET", _PATH, query=query)
    _print(page["sessions"], as_json=as_json)
    if page["next"] and not as_json:
        typer.echo("There are more: --max, or filters.", err=True)
    return 0


@app.command("stop")
def stop(
    session_id: Id,
    wait: Wait = 10,
    api: Api = URL,
    token: Token = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Stop a session."""
    from moderato.cli.api_client import segment

    client = client_of(api, token, token_file)
    session = client.call("DELETE", f"{_PATH}/{segment(session_id)}", query={"wait": f"{wait}s"})
    _print([session], as_json=as_json, one=True)
    return 0


@app.command("watch")
def watch(
    session_id: Id,
    api: Api = URL,
    token: Token = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Follow a session until it is over: a line each time that something changes. Exit code 1 when it has failed."""
    client = client_of(api, token, token_file)
    seen: str | None = None
    while True:
        session = _get(client, session_id)
        if session["updated_at"] != seen:
            seen = session["updated_at"]
            typer.echo(_dumped(session) if as_json else _line(session))
        if session["state"] in (SessionState.ENDED, SessionState.FAILED):
            return int(session["state"] == SessionState.FAILED)
        time.sleep(_LOOK)


def _get(client: "ApiClient", session_id: str) -> dict[str, Any]:
    from moderato.cli.api_client import segment

    return client.call("GET", f"{_PATH}/{segment(session_id)}")


def _json_of(text: str) -> Any:
    import orjson

    from moderato.errors import Fatal

    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Fatal(f"{text[1:]}: cannot be read: {error}") from error
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Fatal(f"the parameters are not JSON: {error}") from error


def _dumped(value: Any) -> str:
    import orjson

    return orjson.dumps(value).decode()


def _line(session: dict[str, Any]) -> str:
    fault = session["fault"]
    parts = (
        session["updated_at"],
        session["state"],
        "watched" if session["watched"] else "unwatched",
        session["task_id"] and f"task {session['task_id']}",
        session["reason"],
        fault and " ".join(filter(None, (fault["code"], fault["message"]))),
    )
    return "  ".join(part for part in parts if part)


def _print(sessions: list[dict[str, Any]], *, as_json: bool, one: bool = False) -> None:
    if as_json:
        for session in sessions:
            typer.echo(_dumped(session))
        return
    from rich.console import Console

    Console().print(_details(sessions[0]) if one else _table(sessions), markup=False)


def _table(sessions: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    # Whole, since it is what one copies.
    table.add_column("session", no_wrap=True)
    for name in ("source", "room", "state", "watched", "why"):
        table.add_column(name)
    for session in sessions:
        fault = session["fault"]
        table.add_row(
            session["id"],
            session["source"],
            session["room"] or "",
            session["state"],
            "yes" if session["watched"] else "no",
            session["reason"] or (fault["message"] if fault else ""),
        )
    return table


def _details(session: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for name, value in session.items():
        if value is not None:
            table.add_row(name, value if isinstance(value, str) else _dumped(value))
    return table
