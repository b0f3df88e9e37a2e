"""`moderato simulate` hands its options to the simulator."""

from pathlib import Path
from unittest import mock

import pytest

from simulator.traffic import DEFAULT_SHARES as USUAL
from tests.cli.support import moderato


def test_options_reach_the_simulator() -> None:
    with mock.patch("simulator.main.run", return_value=1) as run:
        ended = moderato(
            "simulate",
            "https://receiver.example.com",
            *("--targets=t.yaml", "--rate=5", "--seconds=1", "--rooms=2", "--seed=9", "--duplicates=0.5"),
            *("--late=0.1", "--out-of-order=0.2", "--malformed=0.3", "--time-scale=0.01", "--allow-remote"),
        )
    assert ended.code == 1
    run.assert_called_once_with(
        "https://receiver.example.com",
        targets_file=Path("t.yaml"),
        rate=5.0,
        seconds=1.0,
        rooms=2,
        seed=9,
        duplicates=0.5,
        late=0.1,
        out_of_order=0.2,
        malformed=0.3,
        time_scale=0.01,
        allow_remote=True,
    )


def test_what_is_not_given_is_as_usual() -> None:
    with mock.patch("simulator.main.run", return_value=0) as run:
        assert moderato("simulate").code == 0
    [address], options = run.call_args
    assert address == "http://127.0.0.1:8080"
    assert options["malformed"] == USUAL.malformed
    assert options["allow_remote"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["http://receiver.example.com"], "--allow-remote"),
        (["ftp://127.0.0.1"], "no http address"),
        (["--late", "2"], "'--late'"),
    ],
)
def test_a_wrong_command_says_what_is_wrong_in_one_line(arguments: list[str], message: str) -> None:
    ended = moderato("simulate", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
