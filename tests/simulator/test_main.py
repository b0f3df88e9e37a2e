import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from moderato.errors import Fatal
from simulator.main import check_address, run


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer = b'{"code":200}'

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def printed() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=80), text


def test_a_run_prints_what_was_sent_and_ends_well(address: str) -> None:
    console, text = printed()
    assert run(address, seconds=0.2, rate=100, seed=1, console=console) == 0
    lines = text.getvalue().splitlines()
    assert any("yidun_audio" in line for line in lines)
    assert any(line.strip().startswith("total") for line in lines)
    assert "duplicates " in text.getvalue()
    assert "simulated-secret" not in text.getvalue()


def test_a_run_that_reaches_nobody_ends_badly(unused_tcp_port: int, tmp_path: Path) -> None:
    targets = tmp_path / "targets.yaml"
    targets.write_text("targets: [{source: agora_video, token: t}]")
    console, text = printed()
    code = run(
        f"http://localhost:{unused_tcp_port}", targets_file=targets, seconds=0.1, rate=50, console=console
    )
    assert code == 1
    assert "connection: " in text.getvalue()
    assert "yidun_audio" not in text.getvalue()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:1", "https://[::1]:8443", "http://127.8.9.1"]
)
def test_this_machine_may_be_called(url: str) -> None:
    check_address(url, allow_remote=False)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:80", "https://receiver.example.com", "http://localhost.evil.com"]
)
def test_other_machines_only_when_allowed(url: str) -> None:
    with pytest.raises(Fatal, match="--allow-remote"):
        check_address(url, allow_remote=False)
    check_address(url, allow_remote=True)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "ftp://127.0.0.1", "http://", "http://[::1", "http://h:port"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Fatal, match="address"):
        check_address(url, allow_remote=True)
