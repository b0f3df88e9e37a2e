import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from moderato import logs
from moderato.settings import Log


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_json_lines_carry_the_event_its_fields_and_utc(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log(format="json"))
    structlog.get_logger("moderato.x").info("role_started", role="receiver", 房间="一")
    logging.getLogger("aiohttp").warning("from %s", "aiohttp")
    ours, theirs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["role"], ours["level"], ours["房间"]) == (
        "role_started",
        "receiver",
        "info",
        "一",
    )
    assert ours["timestamp"].endswith("Z")
    assert theirs["event"] == "from aiohttp"


def test_the_console_is_for_people_and_the_level_counts(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log(format="console", level="warning"))
    structlog.get_logger("moderato.x").info("quiet")
    structlog.get_logger("moderato.x").warning("loud", wait=1)
    printed = capsys.readouterr().err
    assert "quiet" not in printed
    assert "loud" in printed
    assert "wait" in printed
