"""Reads the brakes as they are in Kafka, and writes one more."""

import time
from contextlib import aclosing

import typer

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.record import Record
from moderato.cli.publishing import press
from moderato.errors import Poison
from moderato.records import Brake
from moderato.settings import Settings
from sinks.policy.brake_records import brake_message, read_brake, read_tally
from sinks.policy.brakes import ALL, Brakes
from sinks.policy.loading import BUILT_IN, load
from sinks.policy.rules import Policy


async def present(connection: Connection, settings: Settings) -> tuple[Brakes, float]:
    """The brakes under the configured policy, and the time at which they are so, epoch seconds."""
    policy = _policy(settings)
    brakes, at = Brakes(), time.time()
    brakes.use(policy)
    await _read_pulled(connection, brakes)
    if policy.limits.longest:
        since = at - policy.limits.longest
        async with (
            history(connection, [topics.TALLIES], since=since, service=True) as opened,
            aclosing(opened.batches()) as batches,
        ):
            async for batch in batches:
                for record in batch:
                    try:
                        brakes.take_tally(read_tally(record))
                    except Poison as error:
                        _passed_over(record, error)
    return brakes, time.time()


async def pull(connection: Connection, settings: Settings, brake: Brake) -> int:
    """Writes a brake down. 1 when none holds that could be released."""
    held = Brakes()
    await _read_pulled(connection, held)
    place = brake.tenant, brake.rule
    if not brake.pulled and place not in held.pulled:
        typer.echo(f"moderato: no brake holds {_named(brake)}", err=True)
        return 1
    if brake.rule != ALL and brake.rule not in {rule.id for rule in _policy(settings).rules}:
        typer.echo(f"moderato: the configured policy has no rule {brake.rule}", err=True)
    async with press(connection, [topics.BRAKES]) as written:
        await written.publish([brake_message(brake)])
    typer.echo(f"{_named(brake)}: {'stopped' if brake.pulled else 'goes on'}")
    return 0


def _named(brake: Brake) -> str:
    rule = "every rule" if brake.rule == ALL else f"the rule {brake.rule}"
    return f"{rule} for {'all tenants' if brake.tenant == ALL else f'the tenant {brake.tenant}'}"


def _policy(settings: Settings) -> Policy:
    return load(settings.policy.file or BUILT_IN)


async def _read_pulled(connection: Connection, brakes: Brakes) -> None:
    async with history(connection, [topics.BRAKES]) as opened, aclosing(opened.batches()) as batches:
        async for batch in batches:
            for record in batch:
                if record.value is None:
                    continue
                try:
                    brakes.take_brake(read_brake(record))
                except Poison as error:
                    _passed_over(record, error)


def _passed_over(record: Record, error: Poison) -> None:
    place = f"{record.topic} partition {record.partition} offset {record.offset}"
    typer.echo(f"moderato: {place}: {error}", err=True)
