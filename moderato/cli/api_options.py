"""Options of the commands that speak to the API."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderato.cli.api_client import ApiClient

URL = "http://127.0.0.1:8081"

Api = Annotated[
    str,
    typer.Option("--api", metavar="URL", envvar="MODERATO_API_URL", help="The API's address."),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        envvar="MODERATO_API_BEARER",
        help="A bearer token; better in the variable or in a file.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="A file with the token.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def client_of(api: str, token: str | None, token_file: Path | None) -> "ApiClient":
    """Raises Fatal without a token that could be one."""
    from moderato.cli.api_client import ApiClient
    from moderato.errors import Fatal

    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Fatal(f"--token-file {token_file}: cannot be read: {error}") from error
    if not token:
        raise Fatal("a bearer token is due: MODERATO_API_BEARER, --token-file or --token")
    if not token.isascii() or not token.isprintable():
        raise Fatal("the bearer token has characters that no token has")
    return ApiClient(api, token)
