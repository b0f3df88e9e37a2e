"""The command line as a whole: quick, and with one clear line for every mistake."""

import os
import subprocess
import sys
from unittest import mock

import pytest

from moderato.cli import main as command_line
from tests.cli.support import moderato


def test_help_loads_nothing_that_is_slow() -> None:
    code = (
        "import sys; from moderato.cli.main import main; sys.argv = ['moderato', '--help']; main(); "
        "slow = {'aiokafka', 'aiohttp', 'confluent_kafka', 'pydantic', 'structlog', 'orjson'} & set(sys.modules); "
        "sys.exit(str(slow) if slow else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
    for name in ("demo", "run", "explain", "tail", "simulate", "doctor", "schema", "topics"):
        assert name in ended.stdout


def test_without_a_command_there_is_help() -> None:
    ended = moderato()
    assert "Usage: moderato" in ended.out
    assert ended.err == ""


def test_the_version_is_printed() -> None:
    ended = moderato("--version")
    assert ended.code == 0
    assert ended.out.split()[0] == "moderato"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "moderato: No such command 'fly'. (help: moderato --help)"),
        (
            ["run"],
            "moderato: Missing argument 'role'. Choose from: receiver, controller, normalizer, policy, enforcer, all",
        ),
        (["run", "flyer"], "moderato: Invalid value for 'role': 'flyer' is not one of 'receiver'"),
        (["doctor", "--fast"], "moderato: No such option: --fast"),
        (["--config"], "moderato: Option '--config' requires an argument."),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(arguments: list[str], message: str) -> None:
    ended = moderato(*arguments)
    assert (ended.code, ended.out) == (2, "")
    [line] = ended.err.splitlines()
    assert line.startswith(message)


def test_the_configuration_may_stand_before_or_after_the_command() -> None:
    for arguments in (["--config=/no/file", "run", "all"], ["run", "all", "--config=/no/file"]):
        ended = moderato(*arguments)
        assert (ended.code, ended.err) == (2, "moderato: /no/file: No such file or directory\n")


@pytest.mark.parametrize("fault", [KeyboardInterrupt, EOFError])
def test_an_interruption_is_no_traceback(fault: type[BaseException]) -> None:
    with mock.patch("moderato.cli.reader.Reader.configured", side_effect=fault):
        ended = moderato("explain", "--source=agora_ncs")
    assert (ended.code, ended.err.strip()) == (130, "")


def test_a_signal_outside_a_command_is_no_traceback() -> None:
    with mock.patch.object(command_line, "app", side_effect=KeyboardInterrupt):
        assert moderato("doctor").code == 130


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["topics"]])
def test_a_reader_that_goes_away_ends_it_quietly(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "moderato.cli.main", *arguments]
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, timeout=30)
    assert (ended.returncode, ended.stderr) == (1, b"")
