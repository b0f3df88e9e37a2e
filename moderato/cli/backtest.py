"""`moderato policy backtest`: what a policy would have done to the verdicts of the past."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moderato.cli.moments import moment
from moderato.cli.options import Bootstrap, Config, config_of
from moderato.errors import Fatal

if TYPE_CHECKING:
    from sinks.policy.rules import Policy

Format = Literal["markdown", "html", "json"]
_ENDINGS: dict[str, Format] = {".html": "html", ".htm": "html", ".json": "json"}


def backtest(
    context: typer.Context,
    rules: Annotated[
        Path, typer.Option(metavar="FILE", help="The policy file to be tried.", show_default=False)
    ],
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Another policy file to compare it with.", show_default=False),
    ] = None,
    since: Annotated[
        float | None,
        typer.Option(
            "--from",
            parser=moment,
            metavar="TIME",
            help="The first verdict at or after it: 2026-11-21T08:00:00Z, an age (90s, 2h, 7d), or `beginning`.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(
            "--to",
            parser=moment,
            metavar="TIME",
            help="Up to the first verdict at or after it; `now` is all there is when the command begins.",
            show_default=False,
        ),
    ] = None,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Verdicts as lines of JSON, as `moderato tail verdicts --json` prints them, instead of Kafka's.",
            show_default=False,
        ),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.", show_default=False)] = None,
    examples: Annotated[
        int,
        typer.Option(min=0, max=100, help="Of new and of gone actions, so many verdicts, with their text."),
    ] = 3,
    format: Annotated[
        Format | None,
        typer.Option(
            help="Without it: what the name of the output says, or else markdown.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the report goes; without it: stdout.", show_default=False),
    ] = None,
    bootstrap: Bootstrap = None,
    config: Config = None,
) -> int:
    """Play the verdicts of the past through a policy file and report what it would have done, and to whom.

    Nothing is published or committed. Brakes that people pulled are left out, those of the policy hold."""
    from moderato.cli.backtest_run import Job, of_file, of_kafka
    from moderato.lifecycle import run

    policy, other = _policies(rules, baseline)
    made = format or _ENDINGS.get(output.suffix.lower() if output else "", "markdown")
    job = Job(policy, rules, other, baseline, tenant, examples, made, output)
    if verdicts is not None:
        if since is not None or until is not None or bootstrap is not None:
            raise Fatal("--verdicts excludes --from, --to and --bootstrap: a file is read whole")
        return run(of_file(job, verdicts))
    if since is None or until is None:
        raise Fatal("--from and --to are due, or --verdicts: which verdicts are to be played?")
    from moderato.cli.brokers import connection_of
    from moderato.settings import load

    connection = connection_of(load(config_of(context, config)), bootstrap)
    return run(of_kafka(job, connection, since, until))


def _policies(rules: Path, baseline: Path | None) -> tuple["Policy", "Policy | None"]:
    """Both. Raises Fatal with every fault of both files."""
    from sinks.policy.loading import load

    found: list[Policy] = []
    faults: list[str] = []
    for path in filter(None, (rules, baseline)):
        try:
            found.append(load(path))
        except Fatal as fault:
            faults.append(str(fault))
    if faults:
        raise Fatal("\n".join(faults))
    return found[0], found[1] if baseline else None
