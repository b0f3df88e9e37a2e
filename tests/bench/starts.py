"""`python -m tests.bench.starts`: how fast many rooms can be started at once at each vendor, and what the vendor sees.

The vendor is a server in a process of its own that answers every call at once and notes when it came. "Most in a
window" counts the calls of one operation in the vendor's own window (Agora 1 s, Yidun's and the others' as we set
them); a vendor would refuse what goes beyond its limit.
"""

import argparse
import asyncio
import multiprocessing
import socket
import time
from bisect import bisect_left
from collections import defaultdict
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web
from rich.console import Console
from rich.table import Table

from ingest.clients import KINDS
from ingest.clients.contract import Opening, Start
from moderato.sources import Source
from moderato.vendor import Rates, open_session
from tests.ingest.clients.support import tenant

ROOMS: dict[Source, dict[str, Any]] = {
    Source.AGORA_VOICE: {"channel": "room", "uid": "1"},
    Source.SHUMEI_AUDIO: {
        "stream": {"type": "NORMAL", "url": "rtmp://live.example.com/app/1"},
        "token_id": "u",
        "type": "POLITY",
    },
    Source.IFLYTEK_AUDIO: {"files": [{"file_url": "https://cdn.example.com/1.mp3", "name": "1"}]},
    Source.YIDUN_AUDIO: {"channel": "room", "uid": 5},
}
# The vendor's own limit where it publishes one, else the one that our client keeps: calls a second.
LIMITS = {"acquire": 10, "start": 10, "audiostream": 20, "audio": 10, "check": 50, "token": 20}
ANSWER = {
    "resourceId": "r",
    "sid": "s",
    "requestId": "q",
    "checksum": "abc",
    "data": {"request_id": "T1"},
    "result": {"taskId": "t", "status": 0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rooms", type=int, default=500)
    options = parser.parse_args()
    table = Table("source", "operation", "calls", "seconds", "least possible", "most in 1 s", "limit")
    for source in ROOMS:
        came = asyncio.run(measure(source, options.rooms))
        for operation, moments in came.items():
            limit = LIMITS[operation]
            spent = moments[-1] - moments[0]
            least = (options.rooms - 1) / limit
            table.add_row(
                source,
                operation,
                str(len(moments)),
                f"{spent:.1f}",
                f"{least:.1f}",
                str(most_within(moments, 1.0)),
                str(limit),
            )
    Console().print(table)


async def measure(source: Source, rooms: int) -> dict[str, list[float]]:
    """When each call reached the vendor, by operation."""
    ours, theirs = multiprocessing.Pipe()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        process = multiprocessing.Process(target=serve, args=(listening, theirs), daemon=True)
        process.start()
        try:
            async with AsyncExitStack() as stack:
                url = f"http://127.0.0.1:{listening.getsockname()[1]}"
                opening = Opening(tenant(url), await open_session(stack), Rates())
                client = KINDS[source].open(opening)
                parameters = KINDS[source].parameters.model_validate(ROOMS[source])

                async def start(number: int) -> None:
                    wish = Start(f"s-{number}", "https://recv.example.com/x", parameters)
                    await client.start(wish, await client.prepare(wish))

                async with asyncio.TaskGroup() as group:
                    for number in range(rooms):
                        group.create_task(start(number))
            ours.send("done")
            came: dict[str, list[float]] = ours.recv()
        finally:
            process.join(5)
            process.kill()
    return came


def serve(listening: socket.socket, pipe: Connection) -> None:
    """Answers everything well until the other side is done, then says what came when."""
    came: dict[str, list[float]] = defaultdict(list)

    async def handle(request: web.Request) -> web.Response:
        operation = request.path.rstrip("/").rsplit("/", 1)[-1]
        operation = {"v4": "audiostream", "getRecordSdkUserChecksum.action": "token"}.get(
            operation, operation
        )
        came[operation].append(time.monotonic())
        code = {"audiostream": 1100, "audio": "000000"}.get(operation, 200)
        return web.json_response(ANSWER if operation in ("acquire", "start") else ANSWER | {"code": code})

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await runner.cleanup()
        pipe.send(dict(came))

    asyncio.run(run())


def most_within(moments: list[float], seconds: float) -> int:
    """The largest number of moments in any half-open window of this length."""
    return max(bisect_left(moments, first + seconds) - place for place, first in enumerate(moments))


if __name__ == "__main__":
    main()
