"""The Sessions API over HTTP, with a controller and simulated vendors behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from ingest.sessions.controller import Controller
from ingest.sessions.directory import Directory
from moderato.bus.connection import Connection
from moderato.settings import Settings
from moderato.sources import Source
from simulator.control.server import ControlServer
from tests.ingest.clients.test_against_simulator import tenant
from tests.ingest.clients.test_kinds import GIVEN

WRITER, READER, OTHER = "w" * 32, "r" * 32, "o" * 32
SHUMEI = {"source": "shumei_audio", "tenant": "acme", "parameters": GIVEN[Source.SHUMEI_AUDIO]}


@dataclass
class Api:
    url: str
    http: aiohttp.ClientSession
    server: ControlServer

    async def call(
        self, method: str, path: str, body: Any = None, token: str | None = WRITER, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, JSON and headers."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else None
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        async with self.http.request(method, self.url + path, data=data, headers=given) as response:
            text = await response.read()
            assert response.content_type == (
                "application/json" if response.status < 400 else "application/problem+json"
            )
            return response.status, orjson.loads(text), response.headers

    async def faults(self, body: dict[str, Any]) -> list[str]:
        status, problem, _ = await self.call("POST", "/v1/sessions", body)
        assert status == 422, problem
        return sorted(fault["path"] for fault in problem["errors"])


@asynccontextmanager
async def serving(connection: Connection, server: ControlServer) -> AsyncIterator[Api]:
    reads, both = ["sessions:read"], ["sessions:read", "sessions:write"]
    settings = Settings(
        sessions={"callback_base_url": "http://127.0.0.1:1"},
        capability_keys=["k" * 32],
        api={
            "host": "127.0.0.1",
            "port": 0,
            "tokens": {
                "writer": {"token": WRITER, "scopes": both},
                "reader": {"token": READER, "scopes": reads, "tenants": ["acme"]},
                "other": {"token": OTHER, "scopes": both, "tenants": ["bare"]},
            },
        },
        tenants={"acme": tenant(server).model_dump(), "bare": {}},
    )
    controller = Controller(settings, connection, Directory(connection))
    await controller.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Api(f"http://127.0.0.1:{controller.api_port}", http, server)
    finally:
        await controller.stop()


@pytest.fixture
async def api(connection: Connection, server: ControlServer) -> AsyncIterator[Api]:
    async with serving(connection, server) as running:
        yield running


async def test_a_session_from_its_start_to_its_end(api: Api) -> None:
    status, session, headers = await api.call("POST", "/v1/sessions?wait=30s", SHUMEI)
    assert (status, session["state"], session["watched"]) == (202, "active", True)
    assert headers["Location"] == f"/v1/sessions/{session['id']}"
    assert session["requested_by"] == "writer"
    path = headers["Location"]
    assert (await api.call("GET", path, token=READER))[1] == session
    [task] = api.server.world.book.all_running()
    assert session["task_id"] == task.id
    status, ended, _ = await api.call("DELETE", f"{path}?wait=30s")
    assert (status, ended["state"], ended["reason"]) == (200, "ended", "writer")
    assert api.server.world.book.all_running() == []
    assert (await api.call("DELETE", path))[0] == 200


async def test_secrets_are_not_shown(api: Api) -> None:
    _, session, _ = await api.call("POST", "/v1/sessions", SHUMEI)
    assert session["parameters"]["stream"]["user_sig"] == "***"
    assert session["parameters"]["stream"]["sdk_app_id"] == 1
    assert "prepared" not in session


async def test_an_idempotency_key_stands_for_one_session(api: Api) -> None:
    calls = [api.call("POST", "/v1/sessions", SHUMEI, Idempotency_Key="k-1") for _ in range(5)]
    answers = await asyncio.gather(*calls)
    assert {status for status, _, _ in answers} == {202}
    [id] = {session["id"] for _, session, _ in answers}
    again = await api.call("POST", "/v1/sessions?wait=30s", SHUMEI, Idempotency_Key="k-1")
    assert again[1]["id"] == id
    assert len(api.server.world.book.tasks) == 1
    other = SHUMEI | {"user": "7"}
    assert (await api.call("POST", "/v1/sessions", other, Idempotency_Key="k-1"))[0] == 409
    assert (await api.call("POST", "/v1/sessions", SHUMEI, Idempotency_Key="k 1"))[0] == 422


async def test_a_list_by_pages_and_filters(api: Api) -> None:
    made = []
    for number in range(5):
        parameters = GIVEN[Source.AGORA_VOICE] | {"channel": f"c{number}"}
        body = {"source": "agora_voice", "tenant": "acme", "parameters": parameters}
        made.append((await api.call("POST", "/v1/sessions", body))[1]["id"])
    seen, after = [], ""
    while True:
        _, page, _ = await api.call("GET", f"/v1/sessions?limit=2{after}", token=READER)
        seen += [session["id"] for session in page["sessions"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(seen) == sorted(made)
    _, page, _ = await api.call("GET", "/v1/sessions?room=c3&source=agora_voice")
    assert [session["room"] for session in page["sessions"]] == ["c3"]
    _, page, _ = await api.call("GET", "/v1/sessions", token=OTHER)
    assert page == {"sessions": [], "next": None}
    for wrong in ("limit=0", "limit=201", "limit=x", "after=%21", "after=bnVsbA"):
        assert (await api.call("GET", f"/v1/sessions?{wrong}"))[0] == 422
    assert (await api.call("GET", "/v1/sessions?colour=red"))[0] == 400
    assert (await api.call("GET", "/v1/sessions?limit=1&limit=2"))[0] == 400


async def test_who_may_not_gets_to_know_no_more_than_that(api: Api) -> None:
    _, session, _ = await api.call("POST", "/v1/sessions", SHUMEI)
    path = f"/v1/sessions/{session['id']}"
    status, problem, headers = await api.call("GET", path, token=None)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert problem["type"] == "urn:moderato:problem:unauthorized"
    assert (await api.call("GET", path, token="x" * 32))[0] == 401
    assert (await api.call("DELETE", path, token=READER))[0] == 403
    assert (await api.call("GET", path, token=OTHER))[0] == 404
    assert (await api.call("DELETE", path, token=OTHER))[0] == 404
    assert (await api.call("GET", "/v1/sessions/s-none"))[0] == 404
    hidden = await api.call("POST", "/v1/sessions", SHUMEI, token=OTHER)
    assert (hidden[0], hidden[1]["errors"]) == (422, [{"path": "/tenant", "detail": "no such tenant"}])


async def test_what_is_no_request_is_told_apart(api: Api) -> None:
    assert (await api.call("POST", "/v1/sessions", b"{"))[0] == 400
    assert (await api.call("POST", "/v1/sessions", b"[]"))[0] == 400
    assert (await api.call("POST", "/v1/sessions", b"{}", Content_Type="text/plain"))[0] == 415
    assert (await api.call("POST", "/v1/sessions", b'"' + b"x" * 300_000 + b'"'))[0] == 413
    assert (await api.call("PUT", "/v1/sessions", b"{}"))[0] == 405
    assert (await api.call("GET", "/v2/sessions"))[0] == 404
    assert (await api.call("POST", "/v1/sessions?wait=61s", SHUMEI))[0] == 422


async def test_every_fault_is_named_with_its_place_and_no_vendor_is_called(api: Api) -> None:
    def agora(**parameters: Any) -> dict[str, Any]:
        return {
            "source": "agora_voice",
            "tenant": "acme",
            "parameters": GIVEN[Source.AGORA_VOICE] | parameters,
        }

    file = {"file_url": "https://x.example/1.mp3", "name": "n"}
    assert await api.faults({}) == ["/parameters", "/source", "/tenant"]
    assert await api.faults({"source": "nobody", "parameters": 1, "tenant": 2, "more": 3}) == [
        "/more",
        "/parameters",
        "/source",
        "/tenant",
    ]
    assert await api.faults(agora(uid="0", channel="a*b")) == ["/parameters/channel", "/parameters/uid"]
    assert await api.faults(agora(uid="abc", channel="x" * 65)) == ["/parameters/channel", "/parameters/uid"]
    assert await api.faults(agora(uid=7, colour="red")) == ["/parameters/colour", "/parameters/uid"]
    files = {"source": "iflytek_audio", "tenant": "acme"}
    assert await api.faults(files | {"parameters": {"files": [file] * 11}}) == ["/parameters/files"]
    long = file | {"file_url": "https://x.example/" + "a" * 500}
    assert await api.faults(files | {"parameters": {"files": [file, long]}}) == [
        "/parameters/files/1/file_url"
    ]
    speakers = {"channel": "c", "uid": 5, "check_speaker_ids": [str(number) for number in range(21)]}
    yidun = {"source": "yidun_audio", "tenant": "acme"}
    assert await api.faults(yidun | {"parameters": speakers}) == ["/parameters/check_speaker_ids"]
    stream = {"type": "ZEGO", "room_id": 7}
    shumei = SHUMEI | {"parameters": {"stream": stream, "token_id": "t", "type": "POLITY"}}
    assert await api.faults(shumei) == ["/parameters/stream/room_id", "/parameters/stream/token_id"]
    assert await api.faults(SHUMEI | {"tenant": "bare"}) == ["/source"]
    assert list(api.server.world.book.calls) == []


async def test_the_document_is_served_and_names_every_operation(api: Api) -> None:
    async with api.http.get(f"{api.url}/v1/openapi.json") as response:
        document = await response.json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {"/v1/sessions", "/v1/sessions/{id}"}
