"""Moderato's topics on a real cluster, as if nobody had used them before."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # re-exports without __all__

from moderato import topics
from tests.kafka.installation import Broken

PARTITIONS = 2  # as the embedded broker of the tests has them
MAY_BE_DELETED = "moderato-tests-may-delete"
"""A topic with this name says that a cluster is there for tests: they delete all topics moderation.* on it."""

_DEADLINE = 20.0  # seconds; longer than the session of a group's member
_PREFIXES = ("moderation.", "moderato.")  # topics, groups


class Topics:
    """The topics and groups of one cluster, through a listener whose users may do everything."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def claim(self) -> None:
        """Raises Broken when somebody else's records may be on this cluster."""
        names = self._names()
        if MAY_BE_DELETED not in names and any(name.startswith(_PREFIXES) for name in names):
            raise Broken(
                f"KAFKA_BOOTSTRAP: {self.bootstrap} has topics moderation.*, which the tests delete and make again. "
                f"If that is what you want, create the topic {MAY_BE_DELETED} there; it is not needed on a cluster "
                "without them, or on the one of `make kafka-up`"
            )
        if MAY_BE_DELETED not in names:
            self._create([NewTopic(MAY_BE_DELETED, 1)])

    def fresh(self, partitions: int = PARTITIONS, replication: int = -1) -> None:
        """All of Moderato's topics, empty; and none of its groups."""
        self.remove()
        self._create(
            [NewTopic(topic.name, partitions, replication, config=topic.config) for topic in topics.ALL]
        )
        wanted = {topic.name for topic in topics.ALL}
        self._until(lambda: wanted <= self._names())

    def remove(self) -> None:
        """None of Moderato's topics and groups."""
        self._until(self._remove_groups)
        self._delete([name for name in self._names() if name.startswith(_PREFIXES)])

    def _remove_groups(self) -> bool:
        """Whether none is left. One that has members stays; those of a test that failed are gone with their session."""
        groups = self._client.list_consumer_groups(request_timeout=_DEADLINE).result(_DEADLINE).valid
        ours = [group.group_id for group in groups if group.group_id.startswith(_PREFIXES)]
        removed = self._client.delete_consumer_groups(ours, request_timeout=_DEADLINE) if ours else {}
        return _settle(removed.values())

    def _delete(self, names: list[str]) -> None:
        if names:
            _settle(self._client.delete_topics(names).values())
            # Gone for clients too: one that still saw the old topic could write into it.
            self._until(lambda: not self._names().intersection(names))

    def _create(self, wanted: list[NewTopic]) -> None:
        _settle(self._client.create_topics(wanted).values())

    def _names(self) -> set[str]:
        found = self._client.list_topics(timeout=_DEADLINE).topics
        return {name for name, topic in found.items() if topic.error is None}

    def _until(self, there: Callable[[], bool]) -> None:
        end = time.monotonic() + _DEADLINE
        while not there():
            if time.monotonic() > end:
                raise Broken(f"{self.bootstrap} did not follow within {_DEADLINE:.0f} s")
            time.sleep(0.01)


def _settle(futures: "Iterable[Future[Any]]") -> bool:
    """Whether all is done, or was done already."""
    done = True
    for future in futures:
        try:
            future.result(_DEADLINE)
        except KafkaException as error:
            code = error.args[0].code()
            if code not in (
                KafkaError.GROUP_ID_NOT_FOUND,
                KafkaError.UNKNOWN_TOPIC_OR_PART,
                KafkaError.NON_EMPTY_GROUP,
            ):
                raise
            done &= code != KafkaError.NON_EMPTY_GROUP
    return done
