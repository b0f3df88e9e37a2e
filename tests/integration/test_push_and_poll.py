"""A result that comes by callback and by query is one verdict downstream."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.cli import roles
from moderato.lifecycle import running
from moderato.settings import Kafka, Settings
from moderato.sources import Source
from simulator.control.book import State
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.ingest.clients.test_against_simulator import tenant
from tests.ingest.clients.test_kinds import GIVEN
from tests.moderato.bus.support import read_all, read_until
from tests.ports import free_ports

TOKEN = secrets.token_urlsafe(24)


@pytest.fixture
async def server() -> AsyncIterator[ControlServer]:
    server = ControlServer(World(), report_seconds=1.0)
    await server.start()
    yield server
    await server.stop()


def each_twice(records: list["ConsumerRecord[bytes, bytes]"]) -> bool:
    """How many findings a file has is drawn anew in every run; those of the first telling come before the second's."""
    told = Counter(orjson.loads(record.value)["id"] for record in records)
    return set(told.values()) == {2}


async def test_files_that_are_notified_and_queried(server: ControlServer) -> None:
    broker = EmbeddedBroker(partitions=2)
    connection: Connection = broker.connection(Kafka())
    port = free_ports(1)[0]
    acme = tenant(server).model_dump()
    acme["sources"][Source.IFLYTEK_AUDIO] = {}
    acme["sources"][Source.AGORA_VOICE]["tokens"] = [TOKEN]
    settings = Settings(
        http={"host": "127.0.0.1", "port": port},
        admin={"host": "127.0.0.1", "port": 0},
        sessions={"callback_base_url": f"http://127.0.0.1:{port}"},
        capability_keys=["k" * 32],
        api={
            "host": "127.0.0.1",
            "port": 0,
            "tokens": {"test": {"token": TOKEN, "scopes": ["sessions:write"]}},
        },
        tenants={"acme": acme},
    )
    made = [roles.make(name, settings, connection) for name in ("receiver", "controller", "normalizer")]
    async with running(made, settings):
        body = {"source": "iflytek_audio", "parameters": GIVEN[Source.IFLYTEK_AUDIO]}
        url = f"http://127.0.0.1:{made[1].api_port}/v1/sessions?wait=30s"  # type: ignore[attr-defined]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as answer:
            session = await answer.json()
        assert session["state"] == "active"
        [task] = server.world.book.all_running()
        server.world.end(task, State.FINISHED, "finished")
        raw = await read_all(connection, topics.raw(Source.IFLYTEK_AUDIO), 2)
        verdicts = await read_until(connection, topics.VERDICTS, each_twice)
    broker.stop()
    assert {dict(record.headers)["ce_sessionid"] for record in raw} == {session["id"].encode()}
    assert len({dict(record.headers)["ce_id"] for record in raw}) == 1
    told = [orjson.loads(record.value) for record in verdicts]
    assert {(verdict["session_id"], verdict["room"]) for verdict in told} == {(session["id"], "r")}
