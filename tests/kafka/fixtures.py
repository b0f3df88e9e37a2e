"""Real Kafka for tests: what they ask for is started when the first of them asks, and once.

- `kafka_connection`: the brokers of KAFKA_BOOTSTRAP, or else a broker of our own, with fresh topics
- `secured_connection`: our own broker over SASL_SSL, as a user with the documented ACLs, with fresh topics
- `secured_kafka`: that broker, for tests of users, passwords and certificates
- `kafka_cluster`: three brokers, to be killed, frozen and started again by number

Tests that use them carry the marker `kafka`. Without Java or Maven they are skipped, and in CI they fail.
"""

import contextlib
import os
from collections.abc import Generator, Iterator

import pytest

from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.settings import Kafka
from tests.kafka.brokers import Cluster
from tests.kafka.installation import Broken, Missing
from tests.kafka.secured import Secured
from tests.kafka.topics import Topics

EVERY_BROKER = (
    pytest.param("embedded_connection", id="embedded"),
    pytest.param("kafka_connection", id="kafka", marks=pytest.mark.kafka),
    pytest.param("secured_connection", id="kafka-sasl-ssl", marks=pytest.mark.kafka),
)
"""For `pytest.fixture(params=...)`: names of fixtures that give a Connection to fresh topics, two partitions each."""

_running: list[Cluster] = []


@contextlib.contextmanager
def _available() -> Iterator[None]:
    """Without Java or Maven a test is skipped, but in CI it fails, as it does when Kafka does not start."""
    try:
        yield
    except Missing as reason:
        if os.environ.get("CI", "").lower() not in ("true", "1"):
            raise pytest.skip.Exception(str(reason)) from None
        must = f"with CI=true the tests on real Kafka must run. {reason}"
        raise pytest.fail.Exception(must, pytrace=False) from None
    except Broken as reason:
        raise pytest.fail.Exception(str(reason), pytrace=False) from None


@contextlib.contextmanager
def _shown_on_failure(cluster: Cluster) -> Iterator[None]:
    _running.append(cluster)
    try:
        yield
    finally:
        _running.remove(cluster)
        cluster.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test on real Kafka shows what its brokers logged."""
    report = yield
    if report.failed and item.get_closest_marker("kafka"):
        for broker in (broker for cluster in _running for broker in cluster.brokers.values()):
            report.sections.append((f"log of broker {broker.number}, {broker.log}", broker.tail()))
    return report


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Our own broker with a plain listener and a SASL_SSL one. A test may freeze it when it thaws it again."""
    with _available():
        secured = Secured(tmp_path_factory.mktemp("kafka"))
        secured.start()
    with _shown_on_failure(secured.cluster):
        yield secured


@pytest.fixture(scope="session")
def kafka_topics(request: pytest.FixtureRequest) -> Topics:
    """The topics of the cluster of KAFKA_BOOTSTRAP, or of our own broker."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        topics = Topics(given)
        with _available():
            topics.claim()
        return topics
    secured: Secured = request.getfixturevalue("secured_kafka")
    return secured.topics


@pytest.fixture
def kafka_connection(kafka_topics: Topics) -> Connection:
    """Real brokers, plain, with fresh topics."""
    kafka_topics.fresh()
    return Connection(kafka_topics.bootstrap, Kafka(bootstrap=kafka_topics.bootstrap))


@pytest.fixture
def secured_connection(secured_kafka: Secured) -> Connection:
    """Our own broker over SASL_SSL and SCRAM, as the user whose ACLs are documented, with fresh topics."""
    secured_kafka.topics.fresh()
    return secured_kafka.connection()


@pytest.fixture
def embedded_connection(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The embedded broker. It lets a group's next member in only when the last one's session would have ended."""
    monkeypatch.setattr("moderato.bus.stage._SESSION_TIMEOUT_MS", 1_500)
    return Connection(broker.bootstrap, Kafka())


@pytest.fixture(scope="module")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three brokers, with topics of three replicas of which two have to be in sync; a module has it for itself."""
    with _available():
        cluster = Cluster(tmp_path_factory.mktemp("kafka-cluster"), 3)
        cluster.start()
    with _shown_on_failure(cluster):
        Topics(cluster.bootstrap).fresh()
        yield cluster
