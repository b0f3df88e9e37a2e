"""Three brokers: what is acknowledged survives the death of one, and nothing is acknowledged by one alone."""

import asyncio

import pytest

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Publisher
from moderato.errors import Retryable
from moderato.settings import Kafka
from tests.kafka.brokers import Cluster
from tests.kafka.probe import brokers_known_at
from tests.moderato.bus.support import read_until

pytestmark = pytest.mark.kafka


async def acknowledged(publisher: Publisher, value: bytes) -> None:
    """Tries as a receiver's client would: until it is taken, or for 20 s."""
    async with asyncio.timeout(20):
        while True:
            try:
                await publisher.publish(topics.VERDICTS, b"k", value, [])
            except Retryable:
                await asyncio.sleep(0.1)
            else:
                return


async def test_with_one_broker_dead_records_are_taken_and_with_two_dead_none_are(
    kafka_cluster: Cluster,
) -> None:
    connection = Connection(kafka_cluster.bootstrap, Kafka(request_timeout=2))
    publisher = Publisher(connection, deadline=1)
    await publisher.start([topics.VERDICTS])
    await acknowledged(publisher, b"three")
    kafka_cluster.brokers[1].kill()
    await acknowledged(publisher, b"two")
    kafka_cluster.brokers[2].kill()
    with pytest.raises(Retryable):
        await publisher.publish(topics.VERDICTS, b"k", b"one", [])
    await asyncio.gather(*(asyncio.to_thread(kafka_cluster.restart, number) for number in (1, 2)))
    await acknowledged(publisher, b"three again")
    await publisher.stop()
    taken = {b"three", b"two", b"three again"}
    await read_until(
        connection, topics.VERDICTS, lambda records: taken <= {record.value for record in records}
    )


async def test_a_frozen_broker_is_there_again_when_it_thaws(kafka_cluster: Cluster) -> None:
    one, two = kafka_cluster.brokers[1], kafka_cluster.brokers[2]
    one.freeze()
    assert brokers_known_at(one.port, patience=0.2) == set()
    one.thaw()
    await asyncio.to_thread(one.wait, {1, 2, 3})
    two.stop()
    assert brokers_known_at(two.port) == set()
    await asyncio.to_thread(kafka_cluster.restart, 2)
    assert 2 in brokers_known_at(two.port)
