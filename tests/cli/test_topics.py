"""`moderato topics`, with a stand-in for the brokers' administrator."""

from unittest import mock

import pytest

from moderato import topics
from moderato.bus.admin import Admin, Difference
from tests.cli.support import moderato


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    stand_in: mock.Mock = mock.create_autospec(Admin, instance=True)
    monkeypatch.setattr("moderato.bus.admin.Admin", mock.Mock(return_value=stand_in))
    monkeypatch.setenv("MODERATO_KAFKA__BOOTSTRAP", "kafka.example.com:9092")
    return stand_in


def test_create_says_what_it_made_and_what_was_there(admin: mock.Mock) -> None:
    admin.create.return_value = [topics.VERDICTS]
    ended = moderato("topics", "create", "--replication", 3)
    assert ended.code == 0
    admin.create.assert_called_once_with(topics.ALL, replication=3)
    assert len(ended.lines) == len(topics.ALL)
    assert "created  moderation.verdicts" in ended.lines
    assert "exists   moderation.signals" in ended.lines


def test_check_is_content_when_all_is_as_it_should_be(admin: mock.Mock) -> None:
    admin.differences.return_value = []
    ended = moderato("topics", "check")
    assert (ended.code, ended.out) == (0, f"all {len(topics.ALL)} topics are as they should be\n")


def test_check_shows_differences_and_fails(admin: mock.Mock) -> None:
    admin.differences.return_value = [Difference(topics.VERDICTS, "partitions", "at least 12", "4")]
    ended = moderato("topics", "check")
    assert ended.code == 1
    assert any(
        line.split() == [topics.VERDICTS, "partitions", "at", "least", "12", "4"] for line in ended.lines
    )
    assert "topics create" not in ended.out


def test_check_tells_how_missing_topics_are_made(admin: mock.Mock) -> None:
    admin.differences.return_value = [Difference(topics.VERDICTS, "topic", "exists", "missing")]
    assert "moderato topics create" in moderato("topics", "check").lines[-1]


@pytest.mark.parametrize("command", ["create", "check"])
def test_without_a_cluster_there_is_nothing_to_do(command: str) -> None:
    ended = moderato("topics", command)
    assert (ended.code, ended.out) == (2, "")
    assert "kafka.bootstrap is not set" in ended.err


def test_no_replica_is_no_replication() -> None:
    ended = moderato("topics", "create", "--replication", 0)
    assert ended.code == 2
    assert "'--replication'" in ended.err
