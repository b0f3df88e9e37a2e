"""Counting over a real broker: the process that counted dies, and another one goes on from the log."""

import secrets
from pathlib import Path

import orjson

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.record import Record
from moderato.codec import encode
from moderato.settings import Policy, Settings
from moderato.sources import Source
from moderato.times import now
from sinks.policy.worker import PolicyRole
from tests.moderato.bus.support import read_until
from tests.sinks.support import verdict

_POLICY = """
rules:
  - id: thrice
    match: {decision: block}
    count: {at_least: 3, within: 1h}
    then: [{action: kick}]
  - id: all
    match: {decision: block}
    then: [{action: notify}]
"""


async def test_who_takes_over_counts_on_where_the_other_stopped(
    connection: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(_POLICY)
    settings = Settings(policy=Policy(file=file))
    user = f"u-{secrets.token_hex(8)}"

    async def run(first: int, number: int) -> None:
        role = PolicyRole(settings, connection)
        try:
            await role.start()
            await _publish(connection, [_verdict(user, each) for each in range(first, first + number)])
            # A notice for each verdict, and the kicks that are due with it: by then its strike has been counted.
            reached = first + number
            await read_until(
                connection,
                topics.ACTIONS,
                lambda found: len(_of(found, user)) >= reached + max(0, reached - 2),
            )
        finally:
            await role.stop()

    await run(0, 2)
    await run(2, 2)
    made = _of(await read_until(connection, topics.ACTIONS, lambda found: len(_of(found, user)) >= 6), user)
    kicks = {each["verdict"]["id"] for each in made if each["type"] == "kick"}
    assert kicks == {f"{user}-2#0", f"{user}-3#0"}


def _verdict(user: str, number: int) -> Message:
    at = now()
    data = verdict(id=f"{user}-{number}#0", user=user, occurred_at=at, normalized_at=at)
    headers = encode(
        "verdict", id=data["id"], source=Source.SHUMEI_AUDIO, tenant="acme", key="acme/lounge-7", time=at
    )
    return Message(topics.VERDICTS, b"acme/lounge-7", orjson.dumps(data), headers)


async def _publish(connection: Connection, messages: list[Message]) -> None:
    publisher = Publisher(connection, deadline=10.0)
    await publisher.start([topics.VERDICTS])
    await publisher.publish_all(messages)
    await publisher.stop()


def _of(records: list[Record], user: str) -> list[dict[str, object]]:
    actions = [orjson.loads(record.value or b"{}") for record in records]
    return [action for action in actions if action["verdict"]["user"] == user]
