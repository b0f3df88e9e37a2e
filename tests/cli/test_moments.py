import math
import time
from unittest import mock

import pytest
import typer

from moderato.cli.moments import BEGINNING, END, moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T08:01:00.500+08:00", 60.5),
        ("90s", 1_000_000 - 90),
        ("30m", 1_000_000 - 1800),
        ("2h", 1_000_000 - 7200),
        ("7d", 1_000_000 - 604_800),
        ("beginning", -math.inf),
        ("now", math.inf),
        (BEGINNING, -math.inf),
        (END, math.inf),
    ],
)
def test_times_and_ages_are_understood(text: str | float, seconds: float) -> None:
    with mock.patch.object(time, "time", return_value=1_000_000.0):
        assert moment(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2h30m", "-2h", "yesterday", "2026-11-21T08:00:00", "2026-11-21", "8", "٢h"]
)
def test_anything_else_is_refused_with_what_is_due(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="neither a time with its zone"):
        moment(text)
