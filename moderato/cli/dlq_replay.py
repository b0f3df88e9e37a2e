"""Brings dead letters back: the original records, to the topics that they came from."""

import sys
from collections import Counter
from collections.abc import Sequence

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.history import history
from moderato.bus.publisher import Message
from moderato.bus.record import Record
from moderato.cli.chain import printable
from moderato.cli.letters import Seen, Wanted, found
from moderato.cli.publishing import Refused, press
from moderato.dead_letters import revived
from moderato.errors import Fatal, Poison
from moderato.lifecycle import until_signal

_TOPICS = [topic.name for topic in topics.ALL if topic.name != topics.DEAD_LETTERS]
_MOST_FAULTS = 20  # lines
_INTERRUPTED = 130


class _Tally:
    """How many went to which topic, and which could not."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.refused = 0

    def refuse(self, what: str, why: str) -> None:
        self.refused += 1
        if self.refused <= _MOST_FAULTS:
            print(f"not replayed: {printable(what)}: {printable(why)}", file=sys.stderr)


async def replay(connection: Connection, wanted: Wanted, limit: int | None, *, dry_run: bool) -> int:
    """Publishes the originals of the letters that are wanted. Exit code 1 when there are some that cannot be."""
    tally, seen, ended = _Tally(), Seen(), until_signal()
    async with (
        history(connection, [topics.DEAD_LETTERS], since=wanted.since, until=wanted.until) as opened,
        press(connection, _TOPICS) as out,
    ):
        try:
            async for records in found(opened, wanted, limit, seen, ended):
                messages = _originals(records, tally)
                try:
                    if not dry_run:
                        await out.publish(messages)
                except Refused as refused:
                    tally.sent.subtract(message.topic for message, _ in refused.faults)
                    for message, why in refused.faults:
                        tally.refuse(dict(message.headers).get("ce_id", b"").decode("utf-8", "replace"), why)
                tally.sent.update(message.topic for message in messages)
        except Fatal as fault:
            _say(tally, seen, dry_run=dry_run)
            raise Fatal(f"{fault}\nreplayed up to {opened.place()}") from fault
    _say(tally, seen, dry_run=dry_run)
    if ended.is_set():
        print(f"stopped: replayed up to {opened.place()}", file=sys.stderr)
        return _INTERRUPTED
    return 1 if tally.refused else 0


def _originals(records: Sequence[Record], tally: _Tally) -> list[Message]:
    messages = []
    for record in records:
        try:
            messages.append(revived(record))
        except Poison as fault:
            tally.refuse(f"{record.partition}:{record.offset}", str(fault))
    return messages


def _say(tally: _Tally, seen: Seen, *, dry_run: bool) -> None:
    for topic, count in sorted(tally.sent.items()):
        if count:
            print(f"{count:>9,}  {topic}")
    total = tally.sent.total()
    if dry_run:
        print(f"{total:,} of {seen.all:,} dead letters would be replayed (dry run: nothing was published)")
    else:
        print(
            f"{total:,} of {seen.all:,} dead letters were replayed, ids kept; "
            "the letters stay until `moderato dlq purge` or the end of their retention"
        )
    if tally.refused:
        print(f"{tally.refused:,} cannot be replayed", file=sys.stderr)
