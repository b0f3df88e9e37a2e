"""Topics as they are on the brokers: made where they are missing, compared with what they should be.

Through confluent-kafka's AdminClient; every call has a deadline. The embedded broker answers metadata only.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # re-exports without __all__
    AclOperation,
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewTopic,
    OffsetSpec,
)

from moderato.bus.connection import Connection
from moderato.bus.refusal import refusal, user
from moderato.errors import Fatal
from moderato.topics import Topic

Place: TypeAlias = tuple[str, int]
"""A topic and the number of one of its partitions."""

DEADLINE = 10.0  # seconds a call
_QUICK = 0.5  # seconds after which brokers that have not answered are asked whether they refuse us
_NO_BROKER = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}
_PIPELINE = {AclOperation.READ, AclOperation.WRITE}
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
            metadata = self._metadata()
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
        ours: list[str] = []
        for name, future in made.items():
            try:
                self._result(future)
                ours.append(name)
            except KafkaException as error:
                # Another one was quicker: then it is there.
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    faults[name] = error
        if faults:
            raise self._failed("make", faults)
        self._until_seen(ours)
        return ours

    def differences(self, topics: Sequence[Topic]) -> list[Difference]:
        """What is not as it should be. More partitions than planned are no difference. Raises Fatal."""
        partitions = self.cluster().partitions
        present = [topic for topic in topics if topic.name in partitions]
        self._refuse_unseen([topic.name for topic in topics if topic.name not in partitions])
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
        spec = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
        found = self._offsets(topics, spec, "read the newest time of")
        known = [info.timestamp for info in found.values() if info.timestamp > 0]
        return max(known) / 1000 if known else None

    def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """The offset after the newest record of every partition of `topics`. Raises Fatal."""
        found = self._offsets(topics, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {place: info.offset for place, info in found.items()}

    def oldest(self, topics: Iterable[str]) -> dict[Place, int]:
        """The offset of the oldest record that Kafka still has of every partition of `topics`. Raises Fatal."""
        found = self._offsets(topics, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        return {place: info.offset for place, info in found.items()}

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """What a consumer group has committed, for those of `places` where it has. Raises Fatal."""
        asked = ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])
        [answer] = self._client.list_consumer_group_offsets([asked], request_timeout=self._deadline).values()
        try:
            found = self._result(answer).topic_partitions
        except KafkaException as error:
            raise self._failed("read the offsets of the group", {group: error}) from error
        return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}

    def _offsets(
        self, topics: Iterable[str], spec: OffsetSpec, what: str = "read the offsets of"
    ) -> dict[Place, Any]:
        partitions = self.cluster().partitions
        wanted = {
            TopicPartition(topic, partition): spec
            for topic in topics
            for partition in range(partitions.get(topic, 0))
        }
        found: dict[Place, Any] = {}
        for place, future in self._client.list_offsets(wanted, request_timeout=self._deadline).items():
            try:
                found[place.topic, place.partition] = self._result(future)
            except KafkaException as error:
                raise self._failed(what, {place.topic: error}) from error
        return found

    def delete_before(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Deletes for good what each partition of `topic` has before an offset. Raises Fatal."""
        places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        deleted = self._client.delete_records(
            places, operation_timeout=self._deadline, request_timeout=self._deadline
        )
        faults: dict[str, KafkaException] = {}
        for place, future in deleted.items():
            try:
                self._result(future)
            except KafkaException as error:
                faults[f"{place.topic} partition {place.partition}"] = error
        if faults:
            raise self._failed("delete records of", faults)

    def lacks(self, topics: Sequence[str], groups: Sequence[str]) -> list[str]:
        """ACLs for running the pipeline that our user does not have, one line each, for existing topics.

        What the brokers do not tell counts as allowed. Raises Fatal when nobody answers."""
        existing = [topic for topic in topics if topic in self.cluster().partitions]
        found: dict[str, list[str]] = {}
        for name, operations in self._operations(existing).items():
            for wanted in _PIPELINE - operations if operations else ():
                found.setdefault(f"{wanted.name.title()} on topics", []).append(name)
        closed = [group for group in groups if not self._may_join(group)]
        if closed:
            found["Read on groups"] = closed
        return [
            f"{user(self._connection.settings)} lacks {what} {', '.join(names)}"
            for what, names in found.items()
        ]

    def _operations(self, names: Sequence[str]) -> dict[str, set[AclOperation]]:
        """What may be done with topics; the empty set where the brokers do not tell."""
        if not names:
            return {}
        described = self._client.describe_topics(
            TopicCollection(list(names)), include_authorized_operations=True, request_timeout=self._deadline
        )
        told: dict[str, set[AclOperation]] = {}
        for name, future in described.items():
            try:
                told[name] = set(self._result(future).authorized_operations or ())
            except KafkaException as error:
                raise self._failed("describe", {name: error}) from error
        return told

    def _may_join(self, group: str) -> bool:
        [future] = self._client.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=self._deadline
        ).values()
        try:
            told = set(self._result(future).authorized_operations or ())
        except KafkaException as error:
            # A group that was never used is not there; then nothing is told.
            return bool(error.args[0].code() != KafkaError.GROUP_AUTHORIZATION_FAILED)
        return not told or AclOperation.READ in told

    def _refuse_unseen(self, names: Sequence[str]) -> None:
        """Topics that we may not see look as if they were missing. Raises Fatal when one of `names` is such a one."""
        if not names:
            return
        faults: dict[str, KafkaException] = {}
        described = self._client.describe_topics(TopicCollection(list(names)), request_timeout=self._deadline)
        for name, future in described.items():
            try:
                self._result(future)
            except KafkaException as error:
                if error.args[0].code() in _FORBIDDEN:
                    faults[name] = error
        if faults:
            raise self._failed("see", faults)

    def _until_seen(self, names: Sequence[str]) -> None:
        """Brokers hear of a new topic a little after it is made: who asks next shall find it."""
        end = time.monotonic() + self._deadline
        while not set(names) <= self.cluster().partitions.keys() and time.monotonic() < end:
            time.sleep(0.02)

    def _metadata(self) -> ClusterMetadata:
        quick = min(_QUICK, self._deadline / 2)
        try:
            return self._client.list_topics(timeout=quick)
        except KafkaException as error:
            # A refusal does not get better by waiting; brokers that are away may come back.
            if text := asyncio.run(refusal(self._connection)):
                raise Fatal(text) from error
        return self._client.list_topics(timeout=self._deadline - quick)

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
                f"{user(self._connection.settings)} is not allowed to {what} {', '.join(faults)}: it needs the ACLs "
                "Create, Describe, DescribeConfigs and (to purge dead letters) Delete on topics moderation.*, "
                "and Read and Describe on groups moderato.*"
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
