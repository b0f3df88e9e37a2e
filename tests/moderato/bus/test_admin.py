"""Topics made and compared: against a stand-in for librdkafka's client, and against real brokers when there are any."""

import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined] # a re-export without __all__

from moderato.bus.admin import Admin, Cluster, Difference
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.errors import Fatal
from moderato.settings import Kafka
from moderato.topics import Topic

PLAIN = Topic("t.plain", 3, 1000)
COMPACTED = Topic("t.compacted", 3, -1, compacted=True)
NOWHERE = Connection("broker:9092", Kafka())


@dataclass
class Entry:
    value: str


@dataclass
class Offsets:
    timestamp: int


@dataclass
class Metadata:
    topics: dict[str, Any]
    brokers: dict[int, str] = field(default_factory=lambda: {1: "broker"})


@dataclass
class Described:
    authorized_operations: list[AclOperation] | None = None


def _names(topics: TopicCollection) -> list[str]:
    names: list[str] = topics.topic_names
    return names


@dataclass
class Partitions:
    partitions: list[int]


def ended(result: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    if isinstance(result, int) and not isinstance(result, bool):
        future.set_exception(KafkaException(KafkaError(result, f"code {result}")))
    else:
        future.set_result(result)
    return future


class Broker:
    """What AdminClient does, by heart. A number in place of an answer is the code of the error that comes."""

    def __init__(
        self, topics: dict[str, int], settings: dict[str, dict[str, str] | int] | None = None
    ) -> None:
        self.topics = topics
        self.settings = settings or {}
        self.answers: dict[str, int | None] = {}
        self.newest: int | Offsets = Offsets(-1)
        self.described: dict[str, int | Described] = {}
        self.asked: list[Any] = []
        self.reports: list[KafkaError] = []

    def __call__(self, arguments: dict[str, Any]) -> "Broker":
        self.report = arguments["error_cb"]
        return self

    def list_topics(self, timeout: float) -> Metadata:
        if self.reports:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "Failed to get metadata"))
        return Metadata({name: Partitions(list(range(count))) for name, count in self.topics.items()})

    def poll(self, timeout: float) -> None:
        for each in self.reports:
            self.report(each)

    def create_topics(self, wanted: list[Any], **deadlines: float) -> dict[str, "Future[None]"]:
        self.asked += wanted
        self.topics |= {
            topic.topic: topic.num_partitions for topic in wanted if self.answers.get(topic.topic) is None
        }
        return {topic.topic: ended(self.answers.get(topic.topic)) for topic in wanted}

    def describe_topics(self, wanted: Any, **options: Any) -> dict[str, "Future[Any]"]:
        return {name: ended(self.described.get(name, Described())) for name in _names(wanted)}

    def describe_consumer_groups(self, groups: list[str], **options: Any) -> dict[str, "Future[Any]"]:
        return {name: ended(self.described.get(name, Described())) for name in groups}

    def describe_configs(self, resources: list[Any], **deadlines: float) -> dict[Any, "Future[Any]"]:
        return {each: ended(self._entries(self.settings[each.name])) for each in resources}

    def _entries(self, settings: dict[str, str] | int) -> dict[str, Entry] | int:
        if isinstance(settings, int):
            return settings
        return {name: Entry(value) for name, value in settings.items()}

    def list_offsets(self, wanted: dict[Any, Any], **deadlines: float) -> dict[Any, "Future[Any]"]:
        return {partition: ended(self.newest) for partition in wanted}


def admin(broker: Broker) -> Admin:
    return Admin(NOWHERE, client=broker, deadline=1)  # type: ignore[arg-type]


def test_the_brokers_tell_their_number_and_their_topics() -> None:
    assert admin(Broker({"a": 2})).cluster() == Cluster(1, {"a": 2})


def test_missing_topics_are_made_and_others_left_as_they_are() -> None:
    broker = Broker({PLAIN.name: 1})
    assert admin(broker).create([PLAIN, COMPACTED], replication=2) == [COMPACTED.name]
    [made] = broker.asked
    assert (made.topic, made.num_partitions, made.replication_factor) == (COMPACTED.name, 3, 2)
    assert made.config == {
        "cleanup.policy": "compact",
        "retention.ms": "-1",
        "max.message.bytes": str(2 * 1024 * 1024),
    }


def test_the_brokers_choose_the_replication_when_nobody_else_does() -> None:
    broker = Broker({})
    admin(broker).create([PLAIN])
    assert broker.asked[0].replication_factor == -1


def test_nothing_is_asked_for_when_nothing_is_missing() -> None:
    broker = Broker({PLAIN.name: 3})
    assert admin(broker).create([PLAIN]) == []
    assert broker.asked == []


def test_a_topic_that_another_made_meanwhile_is_there() -> None:
    broker = Broker({})
    broker.answers[PLAIN.name] = KafkaError.TOPIC_ALREADY_EXISTS
    assert admin(broker).create([PLAIN, COMPACTED]) == [COMPACTED.name]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, r"not allowed to make t.plain, t.compacted: .* ACLs"),
        (KafkaError._TIMED_OUT, r"could not make topics within 1 s: .* embedded broker has no admin API"),
        (KafkaError.INVALID_REPLICATION_FACTOR, r"t.plain: could not make .*code 38\nt.compacted: could not"),
    ],
)
def test_every_topic_that_could_not_be_made_is_told(code: int, message: str) -> None:
    broker = Broker({})
    broker.answers = {PLAIN.name: code, COMPACTED.name: code}
    with pytest.raises(Fatal, match=message):
        admin(broker).create([PLAIN, COMPACTED])


def test_topics_as_they_should_be_have_no_differences() -> None:
    broker = Broker(
        {PLAIN.name: 3, COMPACTED.name: 7}, {each.name: each.config for each in (PLAIN, COMPACTED)}
    )
    assert admin(broker).differences([PLAIN, COMPACTED]) == []


def test_every_difference_is_found() -> None:
    settings = {"cleanup.policy": "compact", "retention.ms": "1000"}
    broker = Broker({PLAIN.name: 2}, {PLAIN.name: settings})
    assert admin(broker).differences([PLAIN, COMPACTED]) == [
        Difference(PLAIN.name, "partitions", "at least 3", "2"),
        Difference(PLAIN.name, "cleanup.policy", "delete", "compact"),
        Difference(PLAIN.name, "max.message.bytes", "2097152", "None"),
        Difference(COMPACTED.name, "topic", "exists", "missing"),
    ]


def test_settings_that_may_not_be_read_are_told() -> None:
    broker = Broker({PLAIN.name: 3}, {PLAIN.name: KafkaError.CLUSTER_AUTHORIZATION_FAILED})
    with pytest.raises(Fatal, match=r"not allowed to read the settings of t\.plain"):
        admin(broker).differences([PLAIN])


def test_the_newest_time_is_that_of_any_partition() -> None:
    broker = Broker({PLAIN.name: 3})
    assert admin(broker).newest([PLAIN.name, "t.absent"]) is None
    broker.newest = Offsets(1_500)
    assert admin(broker).newest([PLAIN.name]) == 1.5
    broker.newest = KafkaError._TIMED_OUT
    with pytest.raises(Fatal, match="could not read the newest time"):
        admin(broker).newest([PLAIN.name])


def test_missing_acls_are_told_by_what_cannot_be_done() -> None:
    broker = Broker({"a": 1, "b": 1, "c": 1})
    broker.described = {
        "a": Described([AclOperation.READ, AclOperation.DESCRIBE]),
        "b": Described([AclOperation.READ, AclOperation.WRITE]),
        "g": Described([AclOperation.DESCRIBE]),
        "h": KafkaError.GROUP_AUTHORIZATION_FAILED,
        "i": KafkaError.GROUP_ID_NOT_FOUND,
    }
    who = "kafka.sasl is not set: an anonymous user lacks"
    assert admin(broker).lacks(["a", "b", "c", "d"], ["f", "g", "h", "i"]) == [
        f"{who} Write on topics a",
        f"{who} Read on groups g, h",
    ]
    assert admin(broker).lacks(["d"], []) == []
    broker.described["a"] = KafkaError.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(Fatal, match="an anonymous user is not allowed to describe a"):
        admin(broker).lacks(["a"], [])


def test_a_topic_that_may_not_be_seen_is_not_missing() -> None:
    broker = Broker({})
    broker.described = {
        PLAIN.name: KafkaError.TOPIC_AUTHORIZATION_FAILED,
        COMPACTED.name: KafkaError._TIMED_OUT,
    }
    with pytest.raises(Fatal, match=r"not allowed to see t\.plain: it needs the ACLs"):
        admin(broker).differences([PLAIN, COMPACTED])
    assert [each.found for each in admin(broker).differences([COMPACTED])] == ["missing"]


@pytest.mark.parametrize("code", [KafkaError._AUTHENTICATION, KafkaError._SSL])
def test_brokers_that_do_not_let_us_in_say_why(code: int) -> None:
    broker = Broker({})
    broker.reports = [KafkaError(code, "SASL: wrong"), KafkaError(KafkaError._ALL_BROKERS_DOWN, "down")]
    with pytest.raises(Fatal, match=r"kafka.sasl, kafka.tls: broker:9092 does not let us in: SASL: wrong"):
        admin(broker).cluster()


def test_brokers_that_do_not_answer_are_given_up(unused_tcp_port: int) -> None:
    connection = Connection(f"127.0.0.1:{unused_tcp_port}", Kafka())
    with pytest.raises(Fatal, match=rf"kafka.bootstrap 127.0.0.1:{unused_tcp_port}: no answer within 0.2 s"):
        Admin(connection, deadline=0.2).cluster()


def test_settings_that_librdkafka_does_not_take_are_told() -> None:
    def refuses(arguments: dict[str, Any]) -> Any:
        raise KafkaException(KafkaError(KafkaError._INVALID_ARG, "ssl.ca.location: no such file"))

    with pytest.raises(Fatal, match=r"kafka.tls, kafka.sasl: ssl.ca.location: no such file"):
        Admin(NOWHERE, client=refuses)


def test_the_embedded_broker_has_no_admin_api(broker: EmbeddedBroker) -> None:
    embedded = Admin(Connection(broker.bootstrap, Kafka()), deadline=0.3)
    assert embedded.cluster().partitions["moderation.verdicts"] == 2
    with pytest.raises(Fatal, match="embedded broker has no admin API"):
        embedded.create([PLAIN])


@pytest.mark.kafka
def test_on_real_brokers_a_topic_is_made_as_planned_and_found_so(kafka_connection: Connection) -> None:
    real = Admin(kafka_connection)
    name = f"moderato-test-{uuid.uuid4()}"
    topic = Topic(name, 2, 3_600_000)
    try:
        assert real.create([topic]) == [name]
        assert real.create([topic]) == []
        assert real.differences([topic]) == []
        assert real.newest([name]) is None
        wanted = Topic(name, 3, -1, compacted=True, max_message_bytes=1)
        assert {each.property for each in real.differences([wanted])} == {
            "partitions",
            "cleanup.policy",
            "retention.ms",
            "max.message.bytes",
        }
        with pytest.raises(Fatal, match="could not make this topic"):
            real.create([Topic(f"{name}-2", 1, 1)], replication=99)
    finally:
        for future in real._client.delete_topics([name]).values():
            future.result(10)
