"""A role that is started before its brokers, as a pod is: not ready, alive, saying why; and at work when they come."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from moderato.bus.embedded import EmbeddedBroker
from tests.faults.proxy import Proxy
from tests.ports import free_ports


def probed(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


def until(seconds: float, port: int, status: int) -> Any:
    limit = time.monotonic() + seconds
    while (found := probed(port, "/readyz"))[0] != status:
        assert time.monotonic() < limit, found
        time.sleep(0.2)
    return found[1]


@pytest.mark.timeout(180)
def test_a_role_that_comes_before_its_brokers_waits_for_them(tmp_path: Path) -> None:
    bootstrap, admin = free_ports(2)
    broker = EmbeddedBroker()
    proxy = Proxy(bootstrap, int(broker.bootstrap.rpartition(":")[2]))
    config = tmp_path / "moderato.yaml"
    config.write_text(
        f"kafka: {{bootstrap: '127.0.0.1:{bootstrap}'}}\nadmin: {{host: 127.0.0.1, port: {admin}}}\n"
    )
    command = [sys.executable, "-m", "moderato", "run", "normalizer", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until(30, admin, 503)
        limit = time.monotonic() + 30
        due = f"kafka.bootstrap 127.0.0.1:{bootstrap}: no broker can be reached there"
        while probed(admin, "/readyz")[1].get("reasons") != {"process": due}:
            assert time.monotonic() < limit
            time.sleep(0.2)
        assert probed(admin, "/livez")[0] == 200
        proxy.start()
        assert until(60, admin, 200)["status"] == "ok"
        process.terminate()
        _, err = process.communicate(timeout=30)
        events = [json.loads(line) for line in err.splitlines()]
        awaited = [event for event in events if event["event"] == "kafka_awaited"]
        assert [(event["role"], event["error"]) for event in awaited] == [("normalizer", due)]
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        proxy.close()
        broker.stop()
