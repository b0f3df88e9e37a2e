"""Normalizes a stretch of one raw topic again. What is in memory is one batch, and what the consumer has fetched."""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from moderato import topics
from moderato.bus.admin import Admin
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.bus.stage import Results
from moderato.cli.progress import bar
from moderato.cli.publishing import Press, Refused, press
from moderato.errors import Fatal
from moderato.lifecycle import until_signal
from moderato.sources import Source
from normalize.worker import Normalizer

_OURS = frozenset(topic.name for topic in topics.ALL)
_INTERRUPTED = 130


async def run(
    connection: Connection,
    normalizer: Normalizer,
    source: Source,
    *,
    since: float,
    until: float,
    to_topic: str | None,
    tenant: str | None,
    dry_run: bool,
) -> int:
    """Normalizes the raw records of `source` from `since` up to `until` and publishes what they give. Raises Fatal."""
    if to_topic:
        await _check_topic(connection, to_topic)
    produces = [] if dry_run else [to_topic] if to_topic else [topics.VERDICTS, topics.SIGNALS]
    tally, ended, began = _Tally(), until_signal(), time.monotonic()
    async with (
        history(connection, [topics.raw(source)], since=since, until=until) as opened,
        _press(connection, produces) as out,
    ):
        try:
            with bar(f"{source}", len(opened)) as advance:
                async for batch in opened.batches(ended):
                    records = [record for record in batch if tenant is None or tenant_of(record) == tenant]
                    results = await normalizer.handle(records)
                    if out is not None:
                        await out.publish(_messages(results.messages, to_topic))
                    tally.add(records, results)
                    advance(len(batch))
        except (Fatal, Refused) as fault:
            raise Fatal(f"{fault}\nnormalized again, and published, up to {opened.place()}") from fault
        finally:
            tally.say(source, time.monotonic() - began, to_topic, dry_run=dry_run)
    if ended.is_set():
        print(f"stopped: done up to {opened.place()}", file=sys.stderr)
        return _INTERRUPTED
    return 0


async def _check_topic(connection: Connection, topic: str) -> None:
    if topic in _OURS:
        raise Fatal(f"--to-topic {topic}: that is one of the pipeline's; give a topic of your own, or none")
    cluster = await asyncio.to_thread(lambda: Admin(connection).cluster())
    if topic not in cluster.partitions:
        raise Fatal(f"--to-topic {topic}: no such topic at {connection.bootstrap}; make it first")


@contextlib.asynccontextmanager
async def _press(connection: Connection, produces: Sequence[str]) -> AsyncIterator[Press | None]:
    if not produces:
        yield None
        return
    async with press(connection, produces) as out:
        yield out


def tenant_of(record: Record) -> str | None:
    """The tenant that a raw record names."""
    for name, text in record.headers:
        if name == "ce_tenant":
            return str(text, "utf-8", "replace")
    return None


def _messages(messages: Sequence[Message], to_topic: str | None) -> list[Message]:
    # The dead letter of a record was written when it was normalized first.
    kept = [message for message in messages if message.topic != topics.DEAD_LETTERS]
    return [message._replace(topic=to_topic) for message in kept] if to_topic else kept


class _Tally:
    """What came of the records."""

    def __init__(self) -> None:
        self._records = 0
        self._kinds: Counter[str] = Counter()
        self._ignored = 0
        self._unreadable = 0

    def add(self, records: Sequence[Record], results: Results) -> None:
        self._records += len(records)
        self._kinds.update(results.kinds)
        self._ignored += results.ignored
        self._unreadable += results.dead_lettered

    def say(self, source: Source, seconds: float, to_topic: str | None, *, dry_run: bool) -> None:
        """Prints it to stdout."""
        rate = self._records / seconds if seconds else 0.0
        print(
            f"{self._records:,} raw records of {source} normalized again in {seconds:.1f} s ({rate:,.0f}/s)"
        )
        for kind, topic in (("verdict", topics.VERDICTS), ("signal", topics.SIGNALS)):
            where = "not published (dry run)" if dry_run else to_topic or topic
            print(f"{self._kinds[kind]:>9,}  {kind}s: {where}")
        print(f"{self._ignored:>9,}  records ignored")
        print(f"{self._unreadable:>9,}  records unreadable: their fail-safe verdicts are counted above")
