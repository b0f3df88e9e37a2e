"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from moderato.cli.moments import moment

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration, YAML. Without it: the file in MODERATO_CONFIG, or none.",
    ),
]
Bootstrap = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="The brokers, instead of kafka.bootstrap.", show_default=False),
]
Since = Annotated[
    float,
    typer.Option(
        "--from",
        parser=moment,
        metavar="TIME",
        help="The first record at or after it: 2026-11-21T08:00:00Z, an age (90s, 30m, 2h, 7d), or `beginning`.",
        show_default=False,
    ),
]
Until = Annotated[
    float,
    typer.Option(
        "--to",
        parser=moment,
        metavar="TIME",
        help="Up to the first record at or after it; `now` is all there is when the command begins.",
        show_default=False,
    ),
]


def config_of(context: typer.Context, config: Path | None) -> Path | None:
    """The command's own `--config`, or else the one that stands before the command."""
    given: Path | None = config or context.obj
    return given
