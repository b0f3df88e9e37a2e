"""`moderato policy check|explain|test|backtest`: what a policy file says, and what it does."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from moderato.cli.backtest import backtest

app = typer.Typer(help="Check, explain and test a policy file, and try it on the past.", no_args_is_help=True)
app.command("backtest")(backtest)

PolicyPath = Annotated[
    Path, typer.Argument(metavar="FILE", help="The policy file, YAML.", show_default=False)
]


@app.command("check")
def check(file: PolicyPath) -> int:
    """List every fault of a policy file, or what it holds, and warn of rules that can never act.

    Exit code 2 when it has faults."""
    from moderato.cli import policy_view
    from sinks.policy.faults import Document
    from sinks.policy.loading import load
    from sinks.policy.reach import unreachable

    policy = load(file)
    policy_view.summary(file, policy)
    document = Document(file)
    numbers = {rule["id"]: number for number, rule in enumerate(document.data["rules"])}
    for rule, why in unreachable(policy):
        [(line, column)] = document.positions([("rules", numbers[rule.id])])
        print(f"moderato: {file}:{line}:{column}: {rule.id} can never act: {why}", file=sys.stderr)
    return 0


@app.command("explain")
def explain(
    file: PolicyPath,
    verdict: Annotated[
        Path,
        typer.Argument(
            metavar="VERDICT",
            help="A verdict, JSON, as `moderato explain --json` or `moderato tail --json` prints it; - is stdin.",
            show_default=False,
        ),
    ],
) -> int:
    """Tell of every rule whether it matches one verdict, what does not hold if not, and which actions it demands."""
    from moderato.cli import policy_view
    from moderato.errors import Fatal, Poison
    from moderato.times import now
    from sinks.policy.explaining import explain as explained
    from sinks.policy.loading import load

    policy = load(file)
    data = _verdict(verdict)
    try:
        found = explained(policy, data, now())
    except Poison as fault:
        raise Fatal(f"{verdict}: {fault}") from None
    policy_view.explanation(data, found)
    return 0


@app.command("test")
def test(
    file: PolicyPath,
    tests: Annotated[
        Path,
        typer.Argument(
            metavar="TESTS", help="Cases: verdicts, and the actions due with each; YAML.", show_default=False
        ),
    ],
) -> int:
    """Play the verdicts of a test file through a policy file, and compare the actions with those that are due.

    Exit code 1 when they differ."""
    from moderato.cli import policy_view
    from moderato.errors import Fatal
    from sinks.policy.cases import CaseFile, differences, further_faults
    from sinks.policy.faults import Document
    from sinks.policy.loading import load

    faults: list[str] = []
    policy = cases = None
    try:
        policy = load(file)
    except Fatal as fault:
        faults.append(str(fault))
    try:
        document = Document(tests)
        cases = document.read(CaseFile, further_faults)
    except Fatal as fault:
        faults.append(str(fault))
    if policy is None or cases is None:
        raise Fatal("\n".join(faults))
    found = list(differences(policy, cases))
    policy_view.differences(document, cases, found)
    return int(bool(found))


def _verdict(path: Path) -> dict[str, Any]:
    from moderato.cli.verdict_file import verdict_in
    from moderato.errors import Fatal, Poison

    try:
        return verdict_in(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise Fatal(f"{path}: {error.strerror}") from None
    except Poison as fault:
        raise Fatal(f"{path}: {fault}") from None
