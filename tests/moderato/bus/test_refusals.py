"""Brokers that do not let us in, or not everywhere: the error names the setting to change."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    TopicAuthorizationFailedError,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # re-exports without __all__
    AclOperation,
    ResourceType,
)

from moderato import topics
from moderato.bus import refusal
from moderato.bus.admin import Admin
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.bus.stage import Results, Stage
from moderato.errors import Fatal, Retryable, Unreachable
from moderato.settings import Kafka, Tls
from tests.kafka.certificates import Certificates
from tests.kafka.secured import DOCUMENTED, Secured, acls
from tests.moderato.bus.support import read_all, until

WRONG_PASSWORD = (
    r"kafka\.sasl: user 'moderato' \({mechanism}\) is not let in with this password by 127\.0\.0\.1:"
)
WRONG_AUTHORITY = (
    r"kafka\.tls\.ca_file \(.*stranger\.pem\): the certificate of 127\.0\.0\.1:\d+ is not to be trusted"
)
WRONG_LISTENER = (
    r"kafka\.tls, kafka\.sasl: 127\.0\.0\.1:\d+ takes connections and drops ours: .* speak {spoken}, "
    r"or something on the way resets them$"
)


def stage(connection: Connection) -> Stage:
    async def ignore(records: Sequence[Any]) -> Results:
        return Results(ignored=len(records))

    return Stage("refused", connection, consumes=[topics.VERDICTS], produces=[], handle=ignore)


async def assert_refused(connection: Connection, message: str) -> None:
    """By everything that starts: publisher, stage and administrator, and soon."""
    async with asyncio.timeout(15):
        with pytest.raises(Fatal, match=message):
            await Publisher(connection, deadline=1).start([topics.VERDICTS])
        refused = stage(connection)
        with pytest.raises(Fatal, match=message):
            await refused.start()
        await refused.stop()
        with pytest.raises(Fatal, match=message):
            await asyncio.to_thread(Admin(connection, deadline=1).cluster)


@pytest.mark.kafka
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_told_as_such(secured_kafka: Secured, mechanism: str) -> None:
    wrong = secured_kafka.connection(mechanism=mechanism, password="wrong-password")
    await assert_refused(wrong, WRONG_PASSWORD.format(mechanism=mechanism))
    assert "wrong-password" not in (await refusal.refusal(wrong) or "")


@pytest.mark.kafka
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_the_other_mechanisms_carry_records_too(
    secured_connection: Connection, secured_kafka: Secured, mechanism: str
) -> None:
    connection = secured_kafka.connection(mechanism=mechanism)
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    await publisher.publish(topics.VERDICTS, b"k", mechanism.encode(), [])
    await publisher.stop()
    assert [record.value for record in await read_all(connection, topics.VERDICTS, 1)] == [mechanism.encode()]


@pytest.mark.kafka
async def test_an_authority_that_did_not_sign_the_brokers_certificate_is_told_as_such(
    secured_kafka: Secured,
) -> None:
    stranger = secured_kafka.connection(ca_file=secured_kafka.certificates.stranger)
    await assert_refused(stranger, WRONG_AUTHORITY)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("missing", "spoken"),
    [
        ({"tls"}, "plain text with SASL"),
        ({"sasl"}, "TLS without SASL"),
        ({"tls", "sasl"}, "plain text without SASL"),
    ],
    ids=["tls", "sasl", "both"],
)
async def test_a_listener_that_wants_more_than_is_configured_is_told_as_such(
    secured_kafka: Secured, missing: set[str], spoken: str
) -> None:
    right = secured_kafka.connection()
    wrong = right.settings.model_copy(update=dict.fromkeys(missing))
    await assert_refused(Connection(right.bootstrap, wrong), WRONG_LISTENER.format(spoken=spoken))


@pytest.mark.kafka
async def test_tls_to_a_plain_listener_is_told_as_such(secured_kafka: Secured) -> None:
    connection = Connection(secured_kafka.cluster.bootstrap, secured_kafka.connection().settings)
    await assert_refused(connection, WRONG_LISTENER.format(spoken="TLS with SASL"))


@pytest.mark.kafka
async def test_one_broker_that_lets_us_in_is_enough(secured_kafka: Secured) -> None:
    plain = Kafka()
    both = f"{secured_kafka.connection().bootstrap},{secured_kafka.cluster.bootstrap}"
    assert await refusal.refusal(Connection(both, plain)) is None


def on_topics(*operations: AclOperation) -> Any:
    return acls(ResourceType.TOPIC, "moderation.", *operations)


GROUPS = acls(ResourceType.GROUP, "moderato.", AclOperation.READ)


@pytest.fixture
async def limited(secured_connection: Connection, secured_kafka: Secured) -> Secured:
    """Our own broker with fresh topics and a verdict in them."""
    publisher = Publisher(secured_connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    await publisher.publish(topics.VERDICTS, b"k", b"v", [])
    await publisher.stop()
    return secured_kafka


@pytest.mark.kafka
async def test_a_user_without_acls_is_told_which_are_missing(limited: Secured) -> None:
    limited.grant("nobody", [])
    connection = limited.connection(user="nobody")
    lacks = "lacks ACLs: Describe, Read and Write on topic moderation\\.verdicts"
    message = rf"kafka\.sasl: user 'nobody' \(SCRAM-SHA-512\) {lacks}"
    with pytest.raises(Fatal, match=message):
        await Publisher(connection, deadline=1).start([topics.VERDICTS])
    refused = stage(connection)
    with pytest.raises(Fatal, match=message):
        await refused.start()
    await refused.stop()


@pytest.mark.kafka
async def test_a_user_who_may_not_join_the_group_is_told_at_the_start(limited: Secured) -> None:
    limited.grant("alone", on_topics(AclOperation.READ, AclOperation.WRITE))
    refused = stage(limited.connection(user="alone"))
    with pytest.raises(Fatal, match=r"user 'alone' .* lacks ACLs: Read on group moderato\.refused"):
        await refused.start()
    await refused.stop()


@pytest.mark.kafka
async def test_a_user_who_may_only_look_is_told_at_the_first_record(limited: Secured) -> None:
    limited.grant("onlooker", [*on_topics(AclOperation.DESCRIBE), *GROUPS])
    connection = limited.connection(user="onlooker")
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    lacks = (
        r"kafka\.sasl: user 'onlooker' .* lacks ACLs: Describe, Read and Write on topic moderation\.verdicts"
    )
    with pytest.raises(Retryable, match=lacks):
        await publisher.publish_all([Message(topics.VERDICTS, b"k", b"v", [])])
    await publisher.stop()
    reader = stage(connection)
    await reader.start()
    await until(lambda: reader.unready() is not None)
    assert "lacks ACLs: Describe, Read and Write on topic moderation.verdicts" in (reader.unready() or "")
    await reader.stop()


@pytest.mark.kafka
def test_the_administrator_tells_what_a_user_may_not_do(limited: Secured) -> None:
    names, groups = [topics.VERDICTS, topics.SIGNALS], ["moderato.normalizer"]
    assert Admin(limited.connection()).lacks(names, groups) == []
    limited.grant("reader", [*on_topics(AclOperation.READ)])
    reader = Admin(limited.connection(user="reader"))
    who = "kafka.sasl: user 'reader' (SCRAM-SHA-512) lacks"
    assert reader.lacks(names, groups) == [
        f"{who} Write on topics moderation.verdicts, moderation.signals",
        f"{who} Read on groups moderato.normalizer",
    ]
    with pytest.raises(
        Fatal, match=r"'reader' .* is not allowed to read the settings of moderation\.verdicts"
    ):
        reader.differences([topic for topic in topics.ALL if topic.name == topics.VERDICTS])


@pytest.mark.kafka
def test_topics_that_may_not_be_seen_do_not_count_as_missing(limited: Secured) -> None:
    limited.grant("blind", [])
    blind = Admin(limited.connection(user="blind"))
    message = r"kafka\.sasl: user 'blind' .* is not allowed to {what} moderation\..* it needs the ACLs Create, Describe"
    with pytest.raises(Fatal, match=message.format(what="see")):
        blind.differences(topics.ALL)
    limited.topics.remove()
    with pytest.raises(Fatal, match=message.format(what="make")):
        blind.create(topics.ALL)


@pytest.mark.kafka
def test_the_documented_acls_are_enough_to_make_and_check_the_topics(secured_kafka: Secured) -> None:
    secured_kafka.topics.remove()
    admin = Admin(secured_kafka.connection())
    assert admin.create(topics.ALL) == [topic.name for topic in topics.ALL]
    assert admin.differences(topics.ALL) == []
    assert (
        len(DOCUMENTED) == len({operation for _, _, operation in DOCUMENTED}) + 1
    )  # Read: on topics and on groups


async def test_where_nobody_listens_nothing_is_refused(unused_tcp_port: int) -> None:
    nowhere = Connection(f"127.0.0.1:{unused_tcp_port}", Kafka(request_timeout=1))
    assert await refusal.refusal(nowhere) is None
    message = rf"^kafka\.bootstrap 127\.0\.0\.1:{unused_tcp_port}: no broker can be reached there$"
    with pytest.raises(Fatal, match=message):
        await Publisher(nowhere, deadline=1).start([topics.VERDICTS])


async def test_a_server_that_says_nothing_is_told_as_such() -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    address = "{}:{}".format(*server.sockets[0].getsockname())
    publisher = Publisher(Connection(address, Kafka(request_timeout=0.5)), deadline=1)
    with pytest.raises(Fatal, match=rf"^kafka\.bootstrap {address}: no answer$"):
        await publisher.start([topics.VERDICTS], patience=0.2)
    server.close()


@pytest.mark.kafka
async def test_a_topic_that_is_not_there_is_told_with_the_command_that_makes_it(
    kafka_connection: Connection,
) -> None:
    brief = Connection(kafka_connection.bootstrap, Kafka(request_timeout=0.5))
    with pytest.raises(Fatal, match=r"^no-such-topic: no such topic at .*: moderato topics create$"):
        await Publisher(brief, deadline=1).start(["no-such-topic"])


@pytest.mark.kafka
async def test_a_mechanism_that_a_listener_does_not_take_is_told_as_such(secured_kafka: Secured) -> None:
    scram_only = secured_kafka.without_tls(mechanism="PLAIN")
    await assert_refused(scram_only, r"kafka\.sasl\.mechanism: 127\.0\.0\.1:\d+ does not take PLAIN$")
    assert (await asyncio.to_thread(Admin(secured_kafka.without_tls()).cluster)).brokers == 1


async def test_a_server_that_speaks_something_else_than_tls_is_told_as_such(
    certificates: Certificates,
) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    address = "{}:{}".format(*server.sockets[0].getsockname())
    connection = Connection(address, Kafka(tls=Tls(ca_file=certificates.authority)))
    told = await refusal.refusal(connection)
    assert told == f"kafka.tls: {address} and we do not agree on TLS: WRONG_VERSION_NUMBER"
    server.close()


ANONYMOUS = Connection("broker:9092", Kafka())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TopicAuthorizationFailedError("t"), "lacks ACLs: Describe, Read and Write on topic t"),
        (TopicAuthorizationFailedError({"u", "t"}), "lacks ACLs: Describe, Read and Write on topic t, u"),
        (GroupAuthorizationFailedError("g"), "lacks ACLs: Read on group g"),
    ],
)
def test_a_missing_acl_is_told_with_the_user_who_lacks_it(
    error: Exception, message: str, certificates: Certificates
) -> None:
    assert refusal.lacking(ANONYMOUS, error) == f"kafka.sasl is not set: an anonymous user {message}"
    own = certificates.server
    certified = Connection("broker:9092", Kafka(tls=Tls(certificate_file=own, key_file=own)))
    assert refusal.lacking(certified, error) == (f"kafka.tls.certificate_file: the user of {own} {message}")
    assert refusal.lacking(ANONYMOUS, ZeroDivisionError()) is None


async def test_connections_that_are_dropped_may_be_mended_by_waiting() -> None:
    async def drop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        connection = Connection(f"127.0.0.1:{port}", Kafka())
        error = await refusal.unreachable(connection, KafkaConnectionError("unable to bootstrap"))
    assert isinstance(error, Unreachable)
    assert "drops ours" in str(error)
