"""What `moderato brake status` shows."""

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from moderato.cli.chain import printable
from sinks.policy.brakes import Brakes
from sinks.policy.quotas import Usage


def show(brakes: Brakes, at: float, *, as_json: bool) -> None:
    """Prints the brakes that hold and the quotas that are in use."""
    usage = sorted(brakes.usage(at), key=lambda each: (each.quota.at_most - each.used, each.lane))
    if as_json:
        quotas = [_quota(each) for each in usage]
        print(orjson.dumps({"pulled": list(brakes.pulled.values()), "quotas": quotas}).decode())
        return
    console = Console(highlight=False)
    if brakes.pulled:
        table = Table("tenant", "rule", "since", "by", "reason", box=SIMPLE_HEAD)
        for brake in brakes.pulled.values():
            table.add_row(*map(printable, (brake.tenant, brake.rule, brake.at, brake.by, brake.reason)))
        console.print(table)
    else:
        console.print("no brake holds")
    if usage:
        table = Table("quota", "of", "used", box=SIMPLE_HEAD)
        for each in usage:
            quota = f"{each.quota.at_most} within {each.quota.within:g} s"
            table.add_row(quota, printable(" ".join(each.lane)), str(each.used))
        console.print(table)


def _quota(usage: Usage) -> dict[str, object]:
    return {
        "at_most": usage.quota.at_most,
        "within": usage.quota.within,
        "of": dict(zip(usage.quota.per, usage.lane, strict=True)),
        "used": usage.used,
    }
