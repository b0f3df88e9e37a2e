"""The times that people give on the command line."""

import math
import re
import time

import typer

from moderato.times import epoch

BEGINNING = -math.inf
END = math.inf

_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(text: str | float) -> float:
    """Epoch seconds of an RFC 3339 time or of an age (`90s`, `30m`, `2h`, `7d`); `beginning` and `now` are infinite.

    Raises BadParameter for anything else."""
    if isinstance(text, float):
        return text  # typer parses an option's default too
    if text == "beginning":
        return BEGINNING
    if text == "now":
        return END
    if ago := _AGO.fullmatch(text):
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    seconds = epoch(text)
    if seconds is None:
        raise typer.BadParameter(
            f"{text!r} is neither a time with its zone (2026-11-21T08:00:00Z) nor an age (90s, 30m, 2h, 7d) "
            "nor one of the words beginning and now"
        )
    return seconds
