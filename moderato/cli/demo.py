"""`moderato demo`: the whole pipeline with simulated vendors for some seconds, then what came of it."""

from typing import Annotated

import typer

_SEED = 278  # a story in which five vendors find something critical


def demo(
    seconds: Annotated[
        float, typer.Option(min=1, max=600, metavar="SECONDS", help="How long the vendors call.")
    ] = 20.0,
    rooms: Annotated[
        int, typer.Option(min=1, max=1000, metavar="ROOMS", help="Live rooms, spread over all sources.")
    ] = 8,
    rate: Annotated[
        float,
        typer.Option(min=1, max=500, metavar="RATE", help="Callbacks a second, duplicates come on top."),
    ] = 60.0,
    seed: Annotated[int, typer.Option(metavar="SEED", help="Another one tells another story.")] = _SEED,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Of the receiver, on 127.0.0.1; 0 takes any free one."
        ),
    ] = 0,
) -> int:
    """Show the whole pipeline at work: simulated vendors call in, verdicts and actions come out, numbers add up.

    Everything runs in this process, on loopback and on an embedded broker; no configuration is read and nothing
    stays. The exit code is 1 when the ledger does not balance."""
    from moderato.cli.demo_play import run
    from moderato.cli.demo_scene import Options

    return run(Options(seconds, rooms, rate, seed, port))
