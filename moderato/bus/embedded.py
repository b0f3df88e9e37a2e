"""The embedded broker: librdkafka's mock cluster out of the confluent-kafka wheel, for trying out and for fast tests.

It speaks Kafka's protocol on a loopback port. Its limits: everything is in memory, a partition keeps 5 MiB or 100,000
batches and then drops the oldest, a consumer group has one member, there is no admin API, and times are not stored.
"""

import ctypes
import importlib.util
from pathlib import Path

from confluent_kafka import Producer

from moderato import topics
from moderato.bus.connection import Connection
from moderato.errors import Fatal
from moderato.settings import Kafka

_FETCH_WAIT_MS = 20  # this broker always waits in full, also when records come in meanwhile


class EmbeddedBroker:
    """A broker of this process with all of Moderato's topics, `partitions` each; it lives until `stop`."""

    def __init__(self, partitions: int = 1) -> None:
        self._owner: Producer | None = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._owner.list_topics(timeout=10).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        self._library = _librdkafka()
        cluster = self._library.rd_kafka_handle_mock_cluster(self._handle())
        # The default waits 3 s for more members of a group, and this broker allows one only.
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 50)
        for topic in topics.ALL:
            code = self._library.rd_kafka_mock_topic_create(cluster, topic.name.encode(), partitions, 1)
            if code:
                raise Fatal(f"the embedded broker could not make {topic.name} (librdkafka error {code})")

    def connection(self, settings: Kafka) -> Connection:
        """How to reach this broker; of `settings` only the time-outs count."""
        return Connection(self.bootstrap, settings, _FETCH_WAIT_MS)

    def stop(self) -> None:
        """Ends the broker; what it held is gone."""
        self._owner = None

    def _handle(self) -> int:
        # confluent_kafka's Producer is a C struct that begins with PyObject_HEAD and the rd_kafka_t pointer.
        assert self._owner is not None
        head = object.__basicsize__
        return ctypes.c_void_p.from_address(id(self._owner) + head).value or 0


def _librdkafka() -> ctypes.CDLL:
    spec = importlib.util.find_spec("confluent_kafka")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    found = sorted(package.parent.glob("confluent_kafka.libs/librdkafka*")) or sorted(
        package.glob(".dylibs/librdkafka*")
    )
    if not found:
        raise Fatal(
            "the embedded broker needs confluent-kafka's own wheel, which brings librdkafka; set kafka.bootstrap"
        )
    library = ctypes.CDLL(str(found[0]))
    library.rd_kafka_handle_mock_cluster.restype = ctypes.c_void_p
    library.rd_kafka_handle_mock_cluster.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.restype = None
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    library.rd_kafka_mock_topic_create.restype = ctypes.c_int
    library.rd_kafka_mock_topic_create.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    return library
