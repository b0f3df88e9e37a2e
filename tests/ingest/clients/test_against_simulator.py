"""Every client against the simulated vendors, which are built from the vendors' documents and share no code with it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from ingest.clients import KINDS
from ingest.clients.contract import Client, NotYet, Opening, Prepared, Start, Task, TaskState
from ingest.clients.yidun_audio import YidunClient
from ingest.clients.yidun_results import YidunResults
from ingest.clients.yunxin import YunxinClient
from moderato.settings import Tenant
from moderato.sources import Source
from moderato.vendor import Rates, Refused, Unreadable, open_session
from simulator.control.book import State
from simulator.control.faults import Fault, Kind
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.ingest.clients.test_kinds import GIVEN
from tests.moderato.vendor.support import Time

CALLBACK = "http://127.0.0.1:1/v1/callbacks/x/acme/t"
STARTED_BY: dict[Source, tuple[str, str]] = {
    Source.AGORA_VOICE: ("agora", "start"),
    Source.AGORA_VIDEO: ("agora", "start"),
    Source.SHUMEI_AUDIO: ("shumei", "start"),
    Source.SHUMEI_VIDEO: ("shumei", "start_video"),
    Source.IFLYTEK_AUDIO: ("iflytek", "submit"),
    Source.YIDUN_AUDIO: ("yidun", "check"),
}
"""The vendor and its operation that starts a task, as the simulator names them."""


@pytest.fixture
async def server() -> AsyncIterator[ControlServer]:
    server = ControlServer(World())
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def opening(server: ControlServer) -> AsyncIterator[Opening]:
    """A tenant whose credentials the simulator knows; nobody waits for the clients' back-off."""
    async with AsyncExitStack() as stack:
        time = Time()
        session = await open_session(stack)
        async with session.post(f"{server.url}/yunxin/_rooms", json={"name": "c", "members": [7]}) as made:
            assert made.status == 200
        yield Opening(tenant(server), session, Rates(time.clock, time.sleep))


def tenant(server: ControlServer, **changes: Any) -> Tenant:
    accounts = server.world.accounts
    credentials: dict[str, Any] = {
        "agora": {
            "app_id": accounts.agora_app_id,
            "customer_id": accounts.agora_customer_id,
            "customer_secret": accounts.agora_customer_secret,
            "base_urls": [f"{server.url}/agora"],
        },
        "aliyun": {"access_key": "AK", "secret_key": "aliyun-secret"},
        "shumei": {"access_key": accounts.shumei_access_key, "base_url": f"{server.url}/shumei"},
        "iflytek": {
            "app_id": accounts.iflytek_app_id,
            "access_key_id": accounts.iflytek_access_key_id,
            "access_key_secret": accounts.iflytek_access_key_secret,
            "base_url": f"{server.url}/iflytek",
        },
        "yidun": {
            "secret_id": accounts.yidun_secret_id,
            "secret_key": accounts.yidun_secret_key,
            "business_id": accounts.yidun_business_id,
            "base_url": f"{server.url}/yidun",
        },
        "yunxin": {
            "app_key": accounts.yunxin_app_key,
            "app_secret": accounts.yunxin_app_secret,
            "base_url": f"{server.url}/yunxin",
            "rtc_base_url": f"{server.url}/yunxin",
        },
    }
    for vendor, change in changes.items():
        credentials[vendor] = credentials[vendor] | change
    seed = {"agora_voice": {"secrets": {"uid": accounts.aliyun_uid, "seed": "seed_1"}}}
    return Tenant.model_validate({"credentials": credentials, "sources": seed})


def wish(source: Source) -> Start:
    return Start("s-1", CALLBACK, KINDS[source].parameters.model_validate(GIVEN[source]))


async def started(source: Source, client: Client) -> tuple[Task, bool]:
    start = wish(source)
    prepared = await client.prepare(start)
    result = await client.start(start, prepared)
    return Task(start, prepared, result.task_id), result.adopted


def running(server: ControlServer) -> list[str]:
    return [task.id for task in server.world.book.tasks.values() if task.state is State.RUNNING]


@pytest.mark.parametrize("source", STARTED_BY)
async def test_a_task_is_started_watched_and_stopped(
    source: Source, server: ControlServer, opening: Opening
) -> None:
    client = KINDS[source].open(opening)
    task, adopted = await started(source, client)
    assert running(server) == [task.task_id]
    assert not adopted
    assert (await client.query(task)).state in (TaskState.STARTING, TaskState.RUNNING, TaskState.UNKNOWN)
    await client.stop(task)
    await client.stop(task)  # the second finds nothing to stop, and is done as well
    if source is not Source.IFLYTEK_AUDIO:
        assert running(server) == []
        assert (await client.query(task)).state in (TaskState.ENDED, TaskState.UNKNOWN)


@pytest.mark.parametrize("source", [source for source in STARTED_BY if source is not Source.IFLYTEK_AUDIO])
@pytest.mark.parametrize("kind", [Kind.LOST, Kind.TRUNCATED, Kind.HTML, Kind.EMPTY, Kind.HUGE])
async def test_a_start_whose_answer_was_lost_finds_its_task_again(
    source: Source, kind: Kind, server: ControlServer, opening: Opening
) -> None:
    vendor, operation = STARTED_BY[source]
    server.world.faults.add(Fault(vendor=vendor, operation=operation, kind=kind))
    client = KINDS[source].open(opening)
    task, adopted = await started(source, client)
    assert running(server) == [task.task_id]
    assert adopted


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        *((source, Kind.RATE_LIMIT) for source in STARTED_BY),
        # A submit that got 503 may have been taken: iFlytek's is not repeated.
        *((source, Kind.ERROR) for source in STARTED_BY if source is not Source.IFLYTEK_AUDIO),
    ],
)
async def test_a_start_that_was_not_taken_is_made_good(
    source: Source, kind: Kind, server: ControlServer, opening: Opening
) -> None:
    vendor, operation = STARTED_BY[source]
    server.world.faults.add(Fault(vendor=vendor, operation=operation, kind=kind))
    client = KINDS[source].open(opening)
    task, adopted = await started(source, client)
    assert running(server) == [task.task_id]
    assert not adopted


async def test_agora_a_task_that_died_is_ended_and_an_old_resource_id_is_stale(
    server: ControlServer, opening: Opening
) -> None:
    client = KINDS[Source.AGORA_VOICE].open(opening)
    task, _ = await started(Source.AGORA_VOICE, client)
    [died] = server.world.book.tasks.values()
    server.world.book.end(died, State.DIED, server.world.clock.now())
    assert (await client.query(task)).state is TaskState.ENDED
    prepared = await client.prepare(wish(Source.AGORA_VIDEO), attempt=1)
    server.world.clock.move(301)
    with pytest.raises(Refused, match="433"):
        await client.start(wish(Source.AGORA_VOICE), Prepared(prepared.values))


async def test_agora_a_second_task_with_the_same_uid_takes_the_spare_one(
    server: ControlServer, opening: Opening
) -> None:
    client = KINDS[Source.AGORA_VOICE].open(opening)
    await started(Source.AGORA_VOICE, client)
    start = wish(Source.AGORA_VOICE)
    with pytest.raises(Refused, match="53"):
        await client.start(start, await client.prepare(start))
    await client.start(start, await client.prepare(start, attempt=1))
    assert len(running(server)) == 2


@pytest.mark.parametrize("source", STARTED_BY)
async def test_an_answer_that_stays_unreadable_is_a_typed_error(
    source: Source, server: ControlServer, opening: Opening
) -> None:
    vendor, operation = STARTED_BY[source]
    server.world.faults.add(Fault(vendor=vendor, operation=operation, kind=Kind.HUGE, times=None))
    with pytest.raises(Unreadable, match="longer than 1048576 bytes"):
        await started(source, KINDS[source].open(opening))


@pytest.mark.parametrize("method", [None, "MD5", "SHA1", "SHA256", "SM3"])
@pytest.mark.parametrize("version", ["v3", "v4"])
async def test_yidun_every_signature_is_accepted_and_a_wrong_key_is_not(
    method: str | None, version: str, server: ControlServer, opening: Opening
) -> None:
    start = Start(
        "s-1", CALLBACK, KINDS[Source.YIDUN_AUDIO].parameters.model_validate({"channel": "c", "uid": 5})
    )
    for key in (None, "wrong"):
        change = {"version": version, "signature_method": method} | ({"secret_key": key} if key else {})
        client = YidunClient(Opening(tenant(server, yidun=change), opening.session, opening.rates))
        if key is None:
            task_id = (await client.start(start, await client.prepare(start))).task_id
            assert running(server) == [task_id]
            assert await client.stop_all([task_id, "0" * 32]) == []
        else:
            with pytest.raises(Refused, match="410"):
                await client.start(start, Prepared({"url": "yunxin://5:t@k/c"}))
    results = YidunResults(
        Opening(tenant(server, yidun={"version": version}), opening.session, opening.rates)
    )
    assert isinstance(await results.fetch(), list)


async def test_shumei_an_encrypted_body_is_accepted(server: ControlServer, opening: Opening) -> None:
    change = {"secret_key": server.world.accounts.shumei_secret_key}
    encrypting = Opening(tenant(server, shumei=change), opening.session, opening.rates)
    task, _ = await started(Source.SHUMEI_AUDIO, KINDS[Source.SHUMEI_AUDIO].open(encrypting))
    assert running(server) == [task.task_id]


async def test_iflytek_the_secret_may_be_sent_or_not(server: ControlServer, opening: Opening) -> None:
    for send in (False, True):
        sending = Opening(tenant(server, iflytek={"send_secret": send}), opening.session, opening.rates)
        await started(Source.IFLYTEK_AUDIO, KINDS[Source.IFLYTEK_AUDIO].open(sending))
    assert len(running(server)) == 2


async def test_yunxin_a_room_and_its_members_are_found(server: ControlServer, opening: Opening) -> None:
    client = YunxinClient(opening)
    assert await client.members("c") == ["7"]
    assert await client.room("c") is not None
    assert await client.room("nobody-made-it") is None
    with pytest.raises(NotYet):
        await client.listening_token("nobody-made-it", 5)
