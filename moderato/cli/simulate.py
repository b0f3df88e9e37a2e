"""`moderato simulate`: the vendors against a running receiver."""

from pathlib import Path
from typing import Annotated

import typer

_Share = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, help="Share of all callbacks, 0 to 1.", show_default=False)
]


def simulate(
    url: Annotated[str, typer.Argument(help="The receiver.")] = "http://127.0.0.1:8080",
    targets: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Tenants, tokens and secrets to call with, YAML.", show_default=False
        ),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Callbacks a second.")] = 50.0,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="How long: 20, and with --control until it is stopped.", show_default=False
        ),
    ] = None,
    rooms: Annotated[int, typer.Option(min=1, help="Rooms at a time.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed gives the same callbacks.")] = 0,
    duplicates: _Share = None,
    late: _Share = None,
    out_of_order: _Share = None,
    malformed: _Share = None,
    time_scale: Annotated[
        float,
        typer.Option(min=0.0, help="Of the vendors' waits before a retry; 0.01 makes minutes of hours."),
    ] = 1.0,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Call a machine other than this one.")
    ] = False,
    control: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="Serve the vendors' control APIs on this port instead, 0 for any.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Of --control: where to listen.")] = "127.0.0.1",
    accounts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Of --control: the credentials to expect, YAML.", show_default=False
        ),
    ] = None,
    report_seconds: Annotated[
        float,
        typer.Option(min=0.0, help="Of --control: between two callbacks of a running task; 0 for none."),
    ] = 10.0,
) -> int:
    """Send what the vendors would send, signed as they sign it, to a running receiver; or be the vendors' control APIs,
    whose tasks then call back."""
    if control is not None:
        from simulator.control.main import serve

        return serve(
            control,
            host=host,
            accounts_file=accounts,
            seconds=seconds,
            report_seconds=report_seconds,
            time_scale=time_scale,
            allow_remote=allow_remote,
        )
    from simulator.main import run
    from simulator.traffic import DEFAULT_SHARES as USUAL

    return run(
        url,
        targets_file=targets,
        rate=rate,
        seconds=20.0 if seconds is None else seconds,
        rooms=rooms,
        seed=seed,
        duplicates=USUAL.duplicates if duplicates is None else duplicates,
        late=USUAL.late if late is None else late,
        out_of_order=USUAL.out_of_order if out_of_order is None else out_of_order,
        malformed=USUAL.malformed if malformed is None else malformed,
        time_scale=time_scale,
        allow_remote=allow_remote,
    )
