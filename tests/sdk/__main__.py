"""`make sdk`: the vendors' own client libraries against the simulated vendors, which have to accept them.

Each library runs in a process of its own, in the environment whose Python is named on the command line.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from simulator.control.server import ControlServer
from simulator.control.world import World

_PATIENCE = 60.0  # seconds for one library
_FOLDER = Path(__file__).parent


async def run(python: str, name: str, *arguments: str) -> Any:
    """What one library's script printed. Raises SystemExit when it failed."""
    process = await asyncio.create_subprocess_exec(
        python, str(_FOLDER / f"{name}.py"), *arguments, stdout=-1, stderr=-1
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        process.kill()
        raise SystemExit(f"{name}: no end within {_PATIENCE:g} s") from None
    lines = out.decode().strip().splitlines()
    if not lines or process.returncode:
        raise SystemExit(f"{name}: its own client failed: {err.decode().strip()[-400:]}")
    return json.loads(lines[-1])


async def main(python: str) -> None:
    world = World()
    server = ControlServer(world)
    await server.start()
    known = world.accounts
    try:
        agora = await run(
            python,
            "agora",
            f"{server.url}/agora",
            known.agora_app_id,
            known.agora_customer_id,
            known.agora_customer_secret,
        )
        require("agora", bool(agora["resource_id"]), agora)
        iflytek = await run(
            python,
            "iflytek",
            f"{server.url}/iflytek",
            known.iflytek_app_id,
            known.iflytek_access_key_id,
            known.iflytek_access_key_secret,
        )
        require("iflytek", iflytek["submit"]["code"] == iflytek["query"]["code"] == "000000", iflytek)
    finally:
        await server.stop()


def require(name: str, accepted: bool, answer: Any) -> None:
    if not accepted:
        raise SystemExit(f"{name}: its own client was refused: {answer}")
    print(f"{name}: its own client is accepted")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
