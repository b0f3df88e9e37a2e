"""Shumei's times: text without a zone ("2021-12-18 19:00:48.375"), or (v5) milliseconds since the Unix epoch."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from moderato.records import Media, Span
from normalize.payload import Json, Object, as_float

LONGEST = 40  # characters of a time, and of what the cache keeps
_EPOCH_MS = (1e11, 2.5e14)  # the years 1973 to 9892: a smaller number is no point in time


def span_of(media: Media, places: tuple[Object, ...], zone: ZoneInfo) -> tuple[Span | None, float | None]:
    """When a content was heard or seen: its span, and its end in epoch seconds, which may be known alone. `places`
    are looked through in their order; a picture's span has no length."""
    if media is Media.IMAGE:
        moment = _first("imgTime", places, zone)
        if moment is not None:
            return Span(moment, moment, "epoch"), moment
    start, end = _first("audioStartTime", places, zone), _first("audioEndTime", places, zone)
    if start is None and end is None:
        start, end = _first("startTime", places, zone), _first("endTime", places, zone)
    return (Span(start, end, "epoch") if start is not None and end is not None else None), end


def _first(key: str, places: Iterable[Object], zone: ZoneInfo) -> float | None:
    for place in places:
        value = place.get(key)
        if value is not None:
            moment = _moment(value, zone)
            if moment is not None:
                return moment
    return None


def _moment(value: Json, zone: ZoneInfo) -> float | None:
    if type(value) is not str:
        return _from_number(value)
    return _from_text(value, zone) if len(value) <= LONGEST else None


def _from_number(value: Json) -> float | None:
    number = as_float(value)
    return number / 1000 if number is not None and _EPOCH_MS[0] <= number <= _EPOCH_MS[1] else None


@lru_cache(maxsize=4096)
def _from_text(text: str, zone: ZoneInfo) -> float | None:
    """Cached, since the segments of all rooms that end in one second carry the same text."""
    # First as a number: thirteen digits may also be read as a date and a time.
    number = _from_number(text)
    if number is not None:
        return number
    try:
        moment = datetime.fromisoformat(text.strip())
        epoch = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return None
    return epoch if epoch > 0 else None
