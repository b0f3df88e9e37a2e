"""Publishing from a command: with acks=all, tried again for a while, and an end when Kafka does not come back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence

from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.errors import Fatal, Poison, Retryable

_DEADLINE = 10.0  # seconds an attempt
_WAITS = (0.2, 1.0, 3.0)  # seconds between attempts


class Refused(Exception):
    """Kafka does not take these messages and never will; the others it has. `faults`: each message and why."""

    def __init__(self, faults: list[tuple[Message, str]]) -> None:
        super().__init__(f"Kafka does not take {len(faults)} of the messages: {faults[0][1]}")
        self.faults = faults


class Press:
    """Publishes batches and waits for their acknowledgement."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, messages: Sequence[Message]) -> None:
        """Raises Refused for messages that are too large, and Fatal when Kafka does not answer in the end."""
        try:
            await self._patiently(messages)
        except Poison:
            # One message that is too large takes all of its batch with it.
            faults = [each for message in messages if (each := await self._alone(message))]
            if faults:
                raise Refused(faults) from None

    async def _alone(self, message: Message) -> tuple[Message, str] | None:
        try:
            await self._patiently([message])
        except Poison as error:
            return message, str(error)
        return None

    async def _patiently(self, messages: Sequence[Message]) -> None:
        for wait in (*_WAITS, None):
            try:
                return await self._publisher.publish_all(messages)
            except Retryable as error:
                if wait is None:
                    raise Fatal(str(error)) from error
                await asyncio.sleep(wait)


@contextlib.asynccontextmanager
async def press(connection: Connection, topics: Iterable[str]) -> AsyncIterator[Press]:
    """A connected press for `topics`. Raises Fatal when the brokers or a topic cannot be had."""
    publisher = Publisher(connection, deadline=_DEADLINE)
    await publisher.start(topics)
    try:
        yield Press(publisher)
    finally:
        await publisher.stop()
