"""A receiver that is told to end while it is under full load."""

import asyncio
import os
import secrets
import signal
import threading
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from moderato import topics
from moderato.bus.connection import Connection
from moderato.sources import Source
from tests.bench import load
from tests.bench.__main__ import written
from tests.bench.bodies import bodies
from tests.bench.process import running
from tests.kafka.fixtures import EVERY_BROKER
from tests.ports import free_ports

_PROMISED = 20.0  # seconds from SIGTERM to the end
_RAW = topics.raw(Source.SHUMEI_AUDIO)


@pytest.fixture(params=EVERY_BROKER[:2])
def connection(request: pytest.FixtureRequest) -> Connection:
    found: Connection = request.getfixturevalue(request.param)
    return found


async def written_so_far(connection: Connection) -> int:
    consumer = AIOKafkaConsumer(_RAW, **connection.for_aiokafka())
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(list(consumer.assignment()))).values())
    finally:
        await consumer.stop()


async def test_it_ends_in_time_and_everything_acknowledged_is_in_kafka(
    connection: Connection, tmp_path: Path
) -> None:
    token, port, admin = secrets.token_urlsafe(24), *free_ports(2)
    config = written(tmp_path, connection.bootstrap, token, port, admin)
    signalled: list[float] = []
    with running("receiver", config, admin) as process:

        def end() -> None:
            signalled.append(time.monotonic())
            os.kill(process.pid, signal.SIGTERM)

        threading.Timer(2.0, end).start()
        path = f"/v1/callbacks/shumei_audio/default/{token}"
        # Until the receiver closes the connections.
        seen = await load.post(port, path, bodies(), connections=64, seconds=60.0)
        await asyncio.to_thread(process.wait)
        ended = time.monotonic()
    acknowledged = seen.statuses.get(200, 0)
    assert acknowledged > 100
    assert set(seen.statuses) <= {200, 503}
    assert ended - signalled[0] < _PROMISED
    assert await written_so_far(connection) >= acknowledged
