"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration, YAML. Without it: the file in MODERATO_CONFIG, or none.",
    ),
]


def config_of(context: typer.Context, config: Path | None) -> Path | None:
    """The command's own `--config`, or else the one that stands before the command."""
    given: Path | None = config or context.obj
    return given
