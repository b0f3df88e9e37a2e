"""A policy file and its lists, looked at again and again: a good one takes effect, a bad one never does."""

import asyncio
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import structlog

from moderato import metrics
from moderato.errors import Fatal
from sinks.policy.evaluate import Evaluator
from sinks.policy.loading import list_path, load

log = structlog.get_logger(__name__)

_Seen: TypeAlias = tuple[bytes | None, tuple[bytes, ...]]

_PERIOD = 2.0  # seconds between two looks


class LivePolicy:
    """`evaluator` is that of the newest file that was good. Raises Fatal when the first one is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.evaluator = Evaluator(load(path))
        self._seen: _Seen | None = None
        self.refused: str | None = None
        """Why the file as it is now is not in effect, one line a fault."""
        metrics.POLICY_REFUSED.set(0)

    async def follow(self) -> None:
        """Looks for as long as it is let. A ConfigMap changes by a symbolic link, which no file event tells of."""
        while True:
            await asyncio.sleep(_PERIOD)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Takes the file over when it or one of its lists has changed and all are good."""
        seen = (_content(self._path), self._lists())
        # A list that was missing may come at any time, and a file that is refused does not say where it is.
        if seen == self._seen and self.refused is None:
            return
        try:
            evaluator = Evaluator(load(self._path))
        except Fatal as fault:
            self._refuse(str(fault))
            return
        policy, before = evaluator.policy, self.evaluator.policy
        # Lists that are new were not looked at before they were read: the next look reads them once more.
        self._seen = seen if policy.lists.keys() == before.lists.keys() else None
        self.refused = None
        metrics.POLICY_REFUSED.set(0)
        if policy.version != before.version:
            self.evaluator = evaluator
            log.info("policy_loaded", version=policy.version, rules=len(policy.rules))

    def _refuse(self, faults: str) -> None:
        if faults != self.refused:
            self.refused = faults
            metrics.POLICY_REFUSED.set(1)
            log.error("policy_refused", faults=faults.splitlines(), stays=self.evaluator.policy.version)

    def _lists(self) -> tuple[bytes, ...]:
        paths = (list_path(self._path, name) for name in sorted(self.evaluator.policy.lists))
        return tuple(blake2b(_content(path) or b"").digest() for path in paths)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None  # `load` says why
