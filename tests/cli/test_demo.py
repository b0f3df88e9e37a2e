import asyncio
import io
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from moderato import metrics
from moderato.cli import demo_play, main
from moderato.cli.demo_play import Notices, play
from moderato.cli.demo_scene import Options, scene
from moderato.errors import Fatal

LEDGER = (
    "vendors",
    "receiver",
    "raw topics",
    "normalizer",
    "verdicts",
    "signals",
    "policy",
    "strikes",
    "counter",
    "actions",
    "enforcer",
    "outcomes",
    "dead letters",
    "webhook",
    "consumer",
)


def options(seconds: float = 1.0, port: int = 0) -> Options:
    return Options(seconds=seconds, rooms=8, rate=80.0, seed=278, port=port)


async def played(
    given: Options, notices: Notices | None = None, ended: asyncio.Event | None = None
) -> tuple[int, str]:
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=notices is not None)
    code = await play(given, console, ended or asyncio.Event(), notices)
    return code, stripped(screen.getvalue())


def stripped(output: str) -> str:
    """Without what fills lines up."""
    return "\n".join(line.rstrip() for line in output.splitlines())


@pytest.fixture(scope="module")
def finished() -> subprocess.CompletedProcess[str]:
    """The command as a user types it, without a terminal, and with settings around that are not for it."""
    environment = os.environ | {
        "MODERATO_KAFKA__BOOTSTRAP": "kafka.example.com:9092",
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "100",
    }
    command = [sys.executable, "-m", "moderato.cli.main", "demo", "--seconds", "3"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    ran.stdout = stripped(ran.stdout)
    return ran


def test_the_demo_ends_well_and_says_nothing_on_stderr(finished: subprocess.CompletedProcess[str]) -> None:
    assert (finished.returncode, finished.stderr) == (0, "")


def test_every_line_of_the_ledger_balances(finished: subprocess.CompletedProcess[str]) -> None:
    lines = re.findall(r"^(\S.*?|)  +(\S.* = .*?)  +(ok|DOES NOT BALANCE)$", finished.stdout, re.M)
    assert {name for name, _, _ in lines if name} == set(LEDGER)
    assert {end for _, _, end in lines} == {"ok"}
    assert f"All {len(lines)} lines balance" in finished.stdout


def test_callbacks_verdicts_and_actions_have_really_flowed(
    finished: subprocess.CompletedProcess[str],
) -> None:
    found = re.search(r"received ([\d,]+) = published ([\d,]+) \+ rejected ([\d,]+)", finished.stdout)
    assert found
    received, published, rejected = (int(number.replace(",", "")) for number in found.groups())
    assert published > 100
    assert rejected > 0
    assert received == published + rejected
    deliveries = re.search(r"outcomes done (\d+) = verified deliveries (\d+)", finished.stdout)
    assert deliveries
    assert int(deliveries[1]) > 0


def test_without_a_terminal_there_is_a_line_about_every_second(
    finished: subprocess.CompletedProcess[str],
) -> None:
    lines = [line for line in finished.stdout.splitlines() if " s  running: received " in line]
    assert 3 <= len(lines) <= 6
    assert "\x1b" not in finished.stdout


def test_the_five_gravest_verdicts_are_told_down_to_their_bytes(
    finished: subprocess.CompletedProcess[str],
) -> None:
    assert len(re.findall(r"^vendor said  block by ", finished.stdout, re.M)) == 5
    assert len(re.findall(r"^rules        decision block → ", finished.stdout, re.M)) == 5
    assert (
        len(
            re.findall(
                r"^raw bytes    moderation\.raw\.\w+, partition \d, offset \d+$", finished.stdout, re.M
            )
        )
        == 5
    )
    assert re.search(
        r"^action       kick user \d+ \(.*\) → done by webhook after \d+ ms$", finished.stdout, re.M
    )


def test_an_encoding_without_the_vendors_characters_gets_question_marks() -> None:
    command = [sys.executable, "-m", "moderato.cli.main", "demo", "--seconds", "1"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "enforcer ?" in ran.stdout


def test_no_secret_is_printed(finished: subprocess.CompletedProcess[str]) -> None:
    assert "whsec_" not in finished.stdout
    assert "/v1/callbacks" not in finished.stdout


async def test_a_live_picture_is_drawn_over_itself(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(logging.Formatter())
    notices.handle(logging.makeLogRecord({"msg": "\x1b[1mcommit_failed\x1b[0m\nTraceback", "levelno": 30}))
    code, screen = await played(options(), notices)
    assert code == 0
    assert "─ \x1b[1mModerato\x1b[0m demo ─" in screen
    assert "\x1b[1A" in screen
    assert "commit_failed" in screen
    assert "Traceback" not in screen


@pytest.fixture
def miscounting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A receiver that counts one callback twice as published."""
    monkeypatch.setattr(demo_play, "_QUIET", 0.3)
    counter = metrics.CALLBACKS_PUBLISHED.labels("agora_voice")
    increment: Callable[[float], None] = counter.inc
    already: list[float] = []

    def inc(amount: float = 1.0) -> None:
        increment(amount if already else 2.0)
        already.append(amount)

    monkeypatch.setattr(counter, "inc", inc)
    yield
    assert already


@pytest.mark.usefixtures("miscounting")
async def test_a_ledger_that_does_not_balance_makes_the_exit_code_1() -> None:
    code, screen = await played(options())
    assert code == 1
    wrong = [line.split("  ")[0] for line in screen.splitlines() if line.endswith("DOES NOT BALANCE")]
    assert wrong == ["", "receiver", "raw topics"]  # the first is of the vendors, named above it
    assert "3 of 22 lines of the ledger does not balance" in screen


async def test_an_interrupted_demo_still_gives_account_of_what_it_did() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().call_later(0.7, ended.set)
    code, screen = await played(options(seconds=60.0), ended=ended)
    assert code == 130
    assert " stopping: received " in screen
    assert "All 22 lines balance" in screen


async def test_each_run_has_tokens_and_secrets_of_its_own_on_ports_of_its_own() -> None:
    async with scene(options()) as one, scene(options()) as other:
        assert one.endpoint.secret != other.endpoint.secret
        assert one.metrics_url != other.metrics_url


async def test_a_port_in_use_is_a_clear_message_and_leaves_nothing_running() -> None:
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(Fatal, match=r"http\.port.*in use"):
        await played(options(port=port))
    taken.close()
    await taken.wait_closed()
    code, _ = await played(options(port=port))
    assert code == 0


def test_the_command_takes_its_signal_from_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Options, bool, bool]] = []

    async def noted(
        options: Options, console: Console, ended: asyncio.Event, notices: Notices | None = None
    ) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        await ended.wait()
        logging.getLogger("test").warning("a warning that came late")
        given.append((options, console.is_terminal, notices is not None))
        return 130

    monkeypatch.setattr(demo_play, "play", noted)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        plain = demo_play.run(options(), Console(file=io.StringIO()))
        live = demo_play.run(options(), Console(file=io.StringIO(), force_terminal=True))
    finally:
        root.handlers, root.level = handlers, level
    assert (plain, live) == (130, 130)
    assert given == [(options(), False, False), (options(), True, True)]


def test_the_command_hands_its_options_on_and_its_exit_code_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Options] = []

    def noted(options: Options) -> int:
        given.append(options)
        return 1

    monkeypatch.setattr(demo_play, "run", noted)
    arguments = ["--seconds", "7", "--rooms", "16", "--rate", "40", "--seed", "3", "--port", "8081"]
    monkeypatch.setattr(sys, "argv", ["moderato", "demo", *arguments])
    assert main.main() == 1
    assert given == [Options(seconds=7.0, rooms=16, rate=40.0, seed=3, port=8081)]


@pytest.mark.parametrize(
    "wrong", [("--seconds", "0"), ("--rate", "1000"), ("--port", "65536"), ("--rooms", "none")]
)
def test_an_option_that_cannot_be_is_refused_by_name(
    wrong: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["moderato", "demo", *wrong])
    assert main.main() == 2
    assert f"Invalid value for '{wrong[0]}'" in capsys.readouterr().err
