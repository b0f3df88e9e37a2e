"""Brakes over a real broker: a quota outlives the process that has used it up, and a person stops a rule at once."""

import secrets
from pathlib import Path

import orjson

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.record import Record
from moderato.codec import encode
from moderato.records import Brake
from moderato.settings import Policy, Settings
from moderato.sources import Source
from moderato.times import now
from sinks.policy.brake_records import brake_message
from sinks.policy.worker import PolicyRole
from tests.ingest.spool_support import until
from tests.moderato.bus.support import read_until
from tests.sinks.support import verdict

_POLICY = """
rules:
  - id: kick
    match: {decision: block}
    then: [{action: kick}]
brakes:
  quotas:
    - {at_most: 3, within: 1h}
"""


async def test_a_quota_outlives_its_process_and_a_person_stops_a_rule(
    connection: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(_POLICY)
    settings = Settings(policy=Policy(file=file))
    tenant, other = (f"t-{secrets.token_hex(8)}" for _ in range(2))

    async def demanded(of: str, first: int, number: int) -> list[str | None]:
        """Why each of these verdicts' kicks is braked, if it is."""
        ids = [f"{of}-{each}#0" for each in range(first, first + number)]
        await _publish(connection, [_verdict(of, id_) for id_ in ids])

        def found(records: list[Record]) -> dict[str, str | None]:
            actions = [orjson.loads(record.value or b"{}") for record in records]
            return {each["verdict"]["id"]: each["braked"] for each in actions if each["type"] == "kick"}

        records = await read_until(connection, topics.ACTIONS, lambda read: found(read).keys() >= set(ids))
        return [found(records)[id_] for id_ in ids]

    role = PolicyRole(settings, connection)
    await role.start()
    try:
        assert await demanded(tenant, 0, 2) == [None, None]
    finally:
        await role.stop()
    role = PolicyRole(settings, connection)
    await role.start()
    try:
        used_up = f"the quota of kick {tenant}, 3 within 3600 s, is used up"
        assert await demanded(tenant, 2, 3) == [None, used_up, used_up]
        pulled = Brake(other, "kick", True, "gone mad", "ada", now())
        await _publish(connection, [brake_message(pulled)])
        await until(lambda: bool(role.brakes.pulled))
        assert await demanded(other, 0, 1) == [f"stopped by ada at {pulled.at}: gone mad"]
        await _publish(connection, [brake_message(Brake(other, "kick", False, "mended", "ada", now()))])
        await until(lambda: not role.brakes.pulled)
        assert await demanded(other, 1, 1) == [None]
    finally:
        await role.stop()


def _verdict(tenant: str, id_: str) -> Message:
    at = now()
    data = verdict(id=id_, tenant=tenant, occurred_at=at, normalized_at=at)
    key = f"{tenant}/lounge-7"
    headers = encode("verdict", id=id_, source=Source.SHUMEI_AUDIO, tenant=tenant, key=key, time=at)
    return Message(topics.VERDICTS, key.encode(), orjson.dumps(data), headers)


async def _publish(connection: Connection, messages: list[Message]) -> None:
    publisher = Publisher(connection, deadline=10.0)
    await publisher.start({message.topic for message in messages})
    await publisher.publish_all(messages)
    await publisher.stop()
