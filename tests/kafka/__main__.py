"""`make kafka-up` and `make kafka-down`: one broker that stays until it is told to end."""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TypedDict

from tests.kafka.brokers import Cluster
from tests.kafka.installation import Broken, Missing, cache
from tests.kafka.topics import Topics

_STOP_DEADLINE = 20.0  # seconds


class State(TypedDict):
    """What is known of the broker that runs."""

    pid: int
    bootstrap: str
    folder: str


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kafka", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    command = parser.parse_args().command
    try:
        return up() if command == "up" else down()
    except (Missing, Broken) as error:
        print(error, file=sys.stderr)
        return 1


def up() -> int:
    """Starts the broker when it does not run, and prints how tests and commands find it."""
    state = _state()
    if state is None:
        folder = cache() / "up"
        shutil.rmtree(folder, ignore_errors=True)
        cluster = Cluster(folder)
        cluster.start()
        Topics(cluster.bootstrap).claim()
        state = State(pid=cluster.brokers[1].pid, bootstrap=cluster.bootstrap, folder=str(folder))
        _file().write_text(json.dumps(state), encoding="utf-8")
    print(
        f"# broker {state['pid']}, logs and data in {state['folder']}; make kafka-down ends it",
        file=sys.stderr,
    )
    print(f"export KAFKA_BOOTSTRAP={shlex.quote(state['bootstrap'])}")
    return 0


def down() -> int:
    """Ends the broker and removes its data."""
    state = _state()
    if state is None:
        print("no broker runs", file=sys.stderr)
        return 0
    os.kill(state["pid"], signal.SIGTERM)
    end = time.monotonic() + _STOP_DEADLINE
    while _runs(state):
        if time.monotonic() > end:
            os.kill(state["pid"], signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(state["folder"], ignore_errors=True)
    _file().unlink()
    return 0


def _file() -> Path:
    return cache() / "up.json"


def _state() -> State | None:
    """Of the broker that runs; None when there is none."""
    try:
        state: State = json.loads(_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return state if _runs(state) else None


def _runs(state: State) -> bool:
    """Whether that process is still our broker: another may have got its number meanwhile."""
    process = Path(f"/proc/{state['pid']}")
    if Path("/proc/self").exists():
        command = (process / "cmdline").read_text(encoding="utf-8") if process.exists() else ""
    else:
        asked = ["ps", "-o", "command=", "-p", str(state["pid"])]
        command = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return state["folder"] in command


if __name__ == "__main__":
    sys.exit(main())
