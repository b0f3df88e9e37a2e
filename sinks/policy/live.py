"""A policy file that is looked at again and again: a good one takes effect, a bad one never does."""

import asyncio
from pathlib import Path

import structlog

from moderato import metrics
from moderato.errors import Fatal
from sinks.policy.evaluate import Evaluator
from sinks.policy.loading import load

log = structlog.get_logger(__name__)

_PERIOD = 2.0  # seconds between two looks


class LivePolicy:
    """`evaluator` is that of the newest file that was good. Raises Fatal when the first one is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _content(path)
        self.evaluator = Evaluator(load(path))
        self.refused: str | None = None
        """Why the file as it is now is not in effect, one line a fault."""
        metrics.POLICY_REFUSED.set(0)

    async def follow(self) -> None:
        """Looks for as long as it is let. A ConfigMap changes by a symbolic link, which no file event tells of."""
        while True:
            await asyncio.sleep(_PERIOD)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Takes the file over when it has changed and is good."""
        content = _content(self._path)
        if content == self._seen:
            return
        self._seen = content
        try:
            evaluator = Evaluator(load(self._path))
        except Fatal as fault:
            self.refused = str(fault)
            metrics.POLICY_REFUSED.set(1)
            log.error("policy_refused", faults=self.refused.splitlines(), stays=self.evaluator.policy.version)
            return
        self.evaluator, self.refused = evaluator, None
        metrics.POLICY_REFUSED.set(0)
        log.info("policy_loaded", version=evaluator.policy.version, rules=len(evaluator.policy.rules))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None  # `load` says why
