"""Yidun's results, polled instead of pushed: all of one business together, and each once.

    results = YidunResults(opening)
    for item in await results.fetch():      # JSON, as a push's `callbackData`
        ...                                 # publish it to the raw topic
    results.handled()                       # only then does the next fetch ask for more

Version 4 gives the same results again until they are handled. Version 3 gives each only once: what is fetched and not
published is lost there, as is an answer that does not arrive.
"""

import time
import uuid
from collections.abc import Callable
from typing import Any

import orjson

from ingest.clients.contract import Opening
from ingest.clients.yidun import YidunApi
from moderato.vendor import Rate, Rule, Unreadable

# Fewer than 20 calls in 10 s. Our own retries count as well.
_RESULTS = Rule(timeout=10, waits=(1, 3), limit="results", rate=Rate(19, 10.0))


class YidunResults:
    """The poller of one tenant's business; one a business, however many tasks it has."""

    def __init__(self, opening: Opening, now: Callable[[], float] = time.time) -> None:
        self._api = YidunApi(opening, now)
        self._request_id = str(uuid.uuid4())

    async def fetch(self) -> list[bytes]:
        """What is there, each as JSON; empty when there is nothing. Takes its turn under the rate limit."""
        version = self._api.version
        fields = {"yidunRequestId": self._request_id} if version == "v4" else {}
        path = f"/{version}/liveaudio/callback/results"
        return await self._api.call("results", _RESULTS, path, version, fields, items)

    def handled(self) -> None:
        """All that was fetched is safe: the next fetch is for new results."""
        self._request_id = str(uuid.uuid4())


def items(result: Any) -> list[bytes]:
    """One by one: version 4's array as it is, version 3's two arrays with their names kept around each item."""
    if result is None:
        return []
    if isinstance(result, list):
        return [orjson.dumps(item) for item in result if isinstance(item, dict)]
    if isinstance(result, dict):
        return [
            orjson.dumps({kind: [item]})
            for kind in ("antispam", "asr")
            for item in _array(result.get(kind))
            if isinstance(item, dict)
        ]
    raise Unreadable("yidun", "results", "its result is neither an array nor an object", code="200")


def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
