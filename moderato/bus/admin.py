"""Topics as they are on the brokers: made where they are missing, compared with what they should be.

Through confluent-kafka's AdminClient; every call has a deadline. The embedded broker answers metadata only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # re-exports without __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
)

from moderato.bus.connection import Connection
from moderato.errors import Fatal
from moderato.topics import Topic

DEADLINE = 10.0  # seconds a call
_NO_BROKER = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}
_FORBIDDEN = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the brokers say of themselves: their number, and the partitions of every topic."""

    brokers: int
    partitions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of a topic that is not as it should be. `expected` and `found` are for people."""

    topic: str
    property: str
    expected: str
    found: str


class Admin:
    """An administrator of one cluster. `client` takes librdkafka's settings; `deadline` is seconds a call."""

    def __init__(
        self,
        connection: Connection,
        *,
        client: Callable[[dict[str, Any]], AdminClient] = AdminClient,
        deadline: float = DEADLINE,
    ) -> None:
        self._connection = connection
        self._deadline = deadline
        self._refusal: str | None = None
        # librdkafka would write to stderr by itself; what it has to say comes through error_cb too.
        arguments = connection.for_librdkafka() | {"error_cb": self._noted, "log_level": 0}
        try:
            self._client = client(arguments)
        except KafkaException as error:
            raise Fatal(f"kafka.tls, kafka.sasl: {_text(error)}") from error

    def cluster(self) -> Cluster:
        """Brokers and topics. Raises Fatal when nobody answers, or lets us in, within the deadline."""
        try:
            metadata = self._client.list_topics(timeout=self._deadline)
        except KafkaException as error:
            self._client.poll(0)  # lets error_cb tell why
            raise self._unreachable(error) from error
        sizes = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
        return Cluster(len(metadata.brokers), sizes)

    def create(self, topics: Iterable[Topic], *, replication: int | None = None) -> list[str]:
        """Makes those topics that are missing and returns their names; what exists is left as it is.

        `replication` None leaves it to the brokers. Raises Fatal that names every topic that could not be made."""
        existing = self.cluster().partitions
        missing = [topic for topic in topics if topic.name not in existing]
        if not missing:
            return []
        wanted = [
            NewTopic(topic.name, topic.partitions, replication or -1, config=topic.config)
            for topic in missing
        ]
        made = self._client.create_topics(
            wanted, operation_timeout=self._deadline, request_timeout=self._deadline
        )
        faults: dict[str, KafkaException] = {}
        for name, future in made.items():
            try:
                self._result(future)
            except KafkaException as error:
                # Another one was quicker: then it is there.
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    faults[name] = error
        if faults:
            raise self._failed("make", faults)
        return [topic.name for topic in missing]

    def differences(self, topics: Sequence[Topic]) -> list[Difference]:
        """What is not as it should be. More partitions than planned are no difference. Raises Fatal."""
        partitions = self.cluster().partitions
        present = [topic for topic in topics if topic.name in partitions]
        settings = self._settings([topic.name for topic in present]) if present else {}
        found: list[Difference] = []
        for topic in topics:
            if topic.name in partitions:
                found += _compare(topic, partitions[topic.name], settings[topic.name])
            else:
                found.append(Difference(topic.name, "topic", "exists", "missing"))
        return found

    def newest(self, topics: Iterable[str]) -> float | None:
        """The newest timestamp of any record in `topics`, epoch seconds, without reading one; None when there is none.

        Raises Fatal."""
        partitions = self.cluster().partitions
        wanted = {
            TopicPartition(topic, partition): OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
            for topic in topics
            for partition in range(partitions.get(topic, 0))
        }
        times: list[int] = []
        for partition, future in self._client.list_offsets(wanted, request_timeout=self._deadline).items():
            try:
                times.append(self._result(future).timestamp)
            except KafkaException as error:
                raise self._failed("read the newest time of", {partition.topic: error}) from error
        known = [milliseconds for milliseconds in times if milliseconds > 0]
        return max(known) / 1000 if known else None

    def _settings(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        described = self._client.describe_configs(resources, request_timeout=self._deadline)
        settings: dict[str, dict[str, str]] = {}
        faults: dict[str, KafkaException] = {}
        for resource, future in described.items():
            try:
                entries = self._result(future)
            except KafkaException as error:
                faults[resource.name] = error
            else:
                settings[resource.name] = {name: entry.value for name, entry in entries.items()}
        if faults:
            raise self._failed("read the settings of", faults)
        return settings

    def _result(self, future: "Future[Any]") -> Any:
        # Beyond librdkafka's own deadline, so that its error comes, which says more.
        return future.result(self._deadline * 2)

    def _noted(self, error: KafkaError) -> None:
        """Of all that librdkafka reports, what an operator can do something about: it comes first and is kept."""
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
            self._refusal = error.str()

    def _unreachable(self, error: KafkaException) -> Fatal:
        bootstrap = self._connection.bootstrap
        if self._refusal:
            return Fatal(f"kafka.sasl, kafka.tls: {bootstrap} does not let us in: {self._refusal}")
        return Fatal(f"kafka.bootstrap {bootstrap}: no answer within {self._deadline:g} s ({_text(error)})")

    def _failed(self, what: str, faults: Mapping[str, KafkaException]) -> Fatal:
        """One line for faults of the whole cluster, one a topic for the others."""
        codes = {error.args[0].code() for error in faults.values()}
        if codes <= _FORBIDDEN:
            return Fatal(
                f"not allowed to {what} {', '.join(faults)}: give this Kafka user the ACLs "
                "Create, Describe and DescribeConfigs on topics moderation.*"
            )
        if codes <= _NO_BROKER:
            return Fatal(
                f"kafka.bootstrap {self._connection.bootstrap}: could not {what} topics within "
                f"{self._deadline:g} s: {_text(next(iter(faults.values())))} (the embedded broker has no admin API)"
            )
        return Fatal(
            "\n".join(
                f"{name}: could not {what} this topic: {_text(error)}" for name, error in faults.items()
            )
        )


def _compare(topic: Topic, partitions: int, settings: Mapping[str, str]) -> Iterable[Difference]:
    if partitions < topic.partitions:
        yield Difference(topic.name, "partitions", f"at least {topic.partitions}", str(partitions))
    for name, expected in topic.config.items():
        if (value := settings.get(name)) != expected:
            yield Difference(topic.name, name, expected, str(value))


def _text(error: KafkaException) -> str:
    cause = error.args[0]
    return str(cause.str() if isinstance(cause, KafkaError) else cause)
