"""`moderato doctor`: everything that has to be right before the roles start, looked at without changing anything."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from moderato.cli.options import Config, config_of

if TYPE_CHECKING:
    from moderato.cli.checkup import Check


def doctor(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help='Print {"ok", "checks": [{"name", "status", "detail"}]}.')
    ] = False,
    config: Config = None,
) -> int:
    """Check configuration, secrets, tables, policy, Kafka, topics and clock. Exit code 1 when anything is at fault.

    Nothing is changed, and no secret is printed."""
    from moderato.cli.checkup import FAULT, checkup

    checks = checkup(config_of(context, config))
    ok = all(check.status != FAULT for check in checks)
    if as_json:
        import orjson

        sys.stdout.buffer.write(orjson.dumps({"ok": ok, "checks": checks}, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
    else:
        _show(checks)
    return 0 if ok else 1


def _show(checks: "list[Check]") -> None:
    from rich.console import Console
    from rich.text import Text

    styles = {"ok": "green", "warning": "yellow", "fault": "bold red"}
    console = Console(highlight=False)
    for check in checks:
        for number, line in enumerate(check.detail.splitlines()):
            status, name = (check.status, check.name) if number == 0 else ("", "")
            row = Text.assemble((f"{status:<8}", styles[check.status]), f" {name:<14} {line}")
            console.print(row, soft_wrap=True)
