"""The whole pipeline over real sockets: callbacks of all sources in, webhooks out; read by independent libraries."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest
from aiohttp import web
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from standardwebhooks import Webhook

from moderato import topics
from moderato.bus.connection import Connection
from moderato.cli import roles
from moderato.lifecycle import running
from moderato.settings import Settings
from moderato.sources import Source
from simulator.run import Simulation
from simulator.targets import Target, example_targets
from tests.moderato.bus.support import read_all

TOKEN = "integration-test-token"


@dataclass
class Endpoint:
    """A platform's webhook endpoint."""

    secret: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    first: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(
            ({name.lower(): value for name, value in request.headers.items()}, await request.read())
        )
        self.first.set()
        return web.Response()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    taker = Endpoint()
    application = web.Application()
    application.router.add_post("/hook", taker.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    taker.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield taker
    await runner.cleanup()


def settings_for(targets: tuple[Target, ...], endpoint: Endpoint) -> Settings:
    sources = {str(target.source): {"tokens": [TOKEN], "secrets": dict(target.secrets)} for target in targets}
    webhook = {"url": endpoint.url, "secrets": [endpoint.secret], "allow_private": True}
    return Settings(
        http={"host": "127.0.0.1", "port": 0},
        admin={"host": "127.0.0.1", "port": 0},
        tenants={"default": {"sources": sources, "webhook": webhook}},
    )


async def ends(connection: Connection, topic: str, expected: int) -> list[KafkaMessage]:
    records = await read_all(connection, topic, expected)
    return [
        KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value) for record in records
    ]


async def test_callbacks_of_all_sources_become_events_that_others_can_read(
    connection: Connection, endpoint: Endpoint
) -> None:
    targets = example_targets(token=TOKEN)
    settings = settings_for(targets, endpoint)
    made = [roles.make(name, settings, connection) for name in roles.NAMES]
    async with running(made, settings):
        base = f"http://127.0.0.1:{made[0].port}"  # type: ignore[attr-defined]
        simulation = Simulation(base, targets, rooms=8, rate=120, seed=278)
        await simulation.run(2)
        sent = simulation.counters.total
        assert sent.acknowledged == sent.sent > 100
        raws = {source: await ends(connection, topics.raw(source), 1) for source in Source}
        verdicts = await ends(connection, topics.VERDICTS, 50)
        actions = await ends(connection, topics.ACTIONS, 1)
        async with asyncio.timeout(10):
            await endpoint.first.wait()

    for source, messages in raws.items():
        event = from_binary_event(messages[0])
        assert event.get_type() == "moderato.raw.v1"
        assert event.get_source() == f"/sources/{source}"
        assert event.get_extension("tenant") == "default"
    verdict = from_binary_event(verdicts[0])
    assert verdict.get_type() == "moderato.verdict.v1"
    assert verdict.get_data()["severity"] in ("none", "low", "medium", "high", "critical")
    assert verdict.get_id() == verdict.get_data()["id"]
    action = from_binary_event(actions[0])
    assert action.get_type() == "moderato.action.v1"
    assert action.get_data()["verdict"]["id"].startswith(action.get_data()["verdict"]["raw"]["id"])

    headers, body = endpoint.received[0]
    assert Webhook(endpoint.secret).verify(body, headers) == orjson.loads(body)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(endpoint.secret).verify(body + b" ", headers)


async def test_a_broken_body_that_is_authentic_ends_as_a_verdict_for_a_person_and_a_dead_letter(
    connection: Connection, endpoint: Endpoint
) -> None:
    targets = tuple(target for target in example_targets(token=TOKEN) if target.source is Source.SHUMEI_AUDIO)
    settings = settings_for(targets, endpoint)
    made = [roles.make(name, settings, connection) for name in roles.NAMES]
    bodies = [b'{"code": 1100, "reque', b"[" * 100_000 + b"]" * 100_000, b"\xff\xfe\xfd", b"[]"]
    async with running(made, settings), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{made[0].port}/v1/callbacks/shumei_audio/default/{TOKEN}"  # type: ignore[attr-defined]
        for body in bodies:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                assert response.status == 200
        raws = await read_all(connection, topics.raw(Source.SHUMEI_AUDIO), len(bodies))
        verdicts = await read_all(connection, topics.VERDICTS, len(bodies))
        letters = await read_all(connection, topics.DEAD_LETTERS, len(bodies))
    assert sorted(record.value for record in raws) == sorted(bodies)
    assert sorted(record.value for record in letters) == sorted(bodies)
    for record in verdicts:
        verdict = orjson.loads(record.value)
        assert (verdict["decision"], verdict["severity"], verdict["degraded"]) == ("review", "medium", True)
        assert verdict["mapping"]["rules"] == ["fail-safe"]
    for record in letters:
        headers = dict(record.headers)
        assert headers["dl_stage"] == b"normalizer"
        assert headers["dl_topic"] == b"moderation.raw.shumei_audio"
        assert headers["dl_reason"]
