"""The command `moderato`. Commands load what they need when they run, so that `moderato --help` is quick."""

import io
import sys
from typing import Annotated

import typer

from moderato.cli import (
    action,
    balance,
    brake,
    demo,
    diff,
    dlq,
    doctor,
    explain,
    policy,
    replay,
    run,
    schema,
    session,
    simulate,
    tail,
    topics,
    why,
)
from moderato.cli.options import Config
from moderato.errors import Fatal

app = typer.Typer(
    name="moderato",
    help="One event-driven pipeline behind every live-audio and live-video moderation vendor.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"moderato {version('moderato')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    config: Config = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = config


app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("explain")(explain.explain)
app.command("tail")(tail.tail)
app.command("why")(why.why)
app.command("replay")(replay.replay)
app.command("diff")(diff.diff)
app.command("ledger")(balance.ledger)
app.command("simulate")(simulate.simulate)
app.command("doctor")(doctor.doctor)
app.command("schema")(schema.schema)
app.add_typer(action.app, name="action")
app.add_typer(brake.app, name="brake")
app.add_typer(policy.app, name="policy")
app.add_typer(session.app, name="session")
app.add_typer(topics.app, name="topics")
app.add_typer(dlq.app, name="dlq")


def main() -> int:
    """Runs the command line and returns its exit code: 2 for a mistake in the command or the configuration."""
    _bear_any_text()
    try:
        code = app(prog_name="moderato", standalone_mode=False)
    except typer.TyperException as error:
        # Typer breaks lists of choices into lines.
        if message := " ".join(error.format_message().replace("Value error, ", "").split()):
            context = getattr(error, "ctx", None)
            _say(f"{message} (help: {context.command_path} --help)" if context else message)
        return error.exit_code
    except typer.Abort:
        return 130
    except Fatal as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0


def _bear_any_text() -> None:
    # Vendors write Chinese, and not every terminal's encoding has it.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _say(message: str) -> None:
    for line in message.splitlines():
        print(f"moderato: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
