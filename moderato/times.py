"""RFC 3339 times in UTC with milliseconds, the only time text in our records."""

import time
from datetime import datetime
from functools import lru_cache

_MAX_EPOCH = 253_402_300_799.0  # 9999-12-31T23:59:59Z: later cannot be written in RFC 3339


def rfc3339(epoch: float) -> str | None:
    """`epoch` seconds -> "2026-11-21T08:43:35.123Z"; None outside the years 1970 to 9999 and for NaN."""
    if not 0 <= epoch <= _MAX_EPOCH:
        return None
    seconds, milliseconds = divmod(round(epoch * 1000), 1000)
    return f"{_to_the_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=1024)
def _to_the_second(seconds: int) -> str:
    # Cached, since the records of a batch fall into a few seconds.
    moment = time.gmtime(seconds)
    return (
        f"{moment.tm_year:04d}-{moment.tm_mon:02d}-{moment.tm_mday:02d}"
        f"T{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}"
    )


def now() -> str:
    """The current time."""
    return rfc3339(time.time()) or ""


def epoch(text: str) -> float | None:
    """RFC 3339 text -> epoch seconds; None when it is not a time with a zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None
