"""The Sessions API, asked by schemathesis what its OpenAPI document promises: `python -m tests.bench.api`.

A controller with simulated vendors is behind it, so that what is right is really started and stopped.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from pathlib import Path

from moderato.bus.embedded import EmbeddedBroker
from moderato.settings import Kafka
from simulator.control.server import ControlServer
from simulator.control.world import World
from tests.ingest.sessions.test_api import WRITER, serving

_SECONDS = 900.0


async def asked(examples: int, seed: int) -> tuple[int, str]:
    """schemathesis' exit code and report; `examples` at the most for each operation."""
    broker = EmbeddedBroker(partitions=2)
    server = ControlServer(World())
    await server.start()
    try:
        async with serving(broker.connection(Kafka()), server) as api:
            return await schemathesis(api.url, examples, seed)
    finally:
        await server.stop()
        broker.stop()


async def schemathesis(url: str, examples: int, seed: int) -> tuple[int, str]:
    """The same of any API of ours whose caller is WRITER."""
    with tempfile.TemporaryDirectory(prefix="moderato-api-") as folder:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{url}/v1/openapi.json",
            "--header",
            f"Authorization: Bearer {WRITER}",
            "--max-examples",
            str(examples),
            "--seed",
            str(seed),
            "--checks=all",
            # It cannot know which identifiers exist; with a made-up one a 404 is right.
            "--exclude-checks=positive_data_acceptance",
            "--no-color",
        ]
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,  # it keeps what it found there
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(_SECONDS):
            out, _ = await child.communicate()
        assert child.returncode is not None
        return child.returncode, out.decode()


def cases(report: str) -> int:
    """How many cases it made."""
    found = re.search(r"(\d+) generated", report)
    return int(found[1]) if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api", description=__doc__.split("\n\n")[0])
    parser.add_argument("--examples", type=int, default=600, help="at the most, for each of four operations")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    code, report = asyncio.run(asked(options.examples, options.seed))
    print(report)
    sys.exit(code)


if __name__ == "__main__":
    main()
