"""`moderato tail`, against the embedded broker."""

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from signal import SIGINT
from typing import Any
from unittest import mock

import orjson
import pytest
from aiokafka import ConsumerRecord
from rich.console import Console

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message, Publisher
from moderato.cli import printer
from moderato.cli.follow import follow
from moderato.cli.views import VIEWS, Filter
from moderato.codec import encode
from moderato.dead_letters import dead_letter
from moderato.errors import Fatal
from moderato.settings import Kafka
from moderato.sources import Source
from tests.cli.support import moderato

AT = "2026-11-21T08:00:00.000Z"


def message(topic: str, kind: str, number: int, /, **data: Any) -> Message:
    key = f"default/{number}"
    headers = encode(kind, id=f"i-{number}", source=Source.YIDUN_AUDIO, tenant="default", key=key, time=AT)
    return Message(topic, key.encode(), orjson.dumps({"id": f"i-{number}", **data}), headers)


def verdict(number: int, **data: Any) -> Message:
    usual = {
        "source": "yidun_audio",
        "tenant": "default",
        "room": "room-1",
        "user": "u-1",
        "decision": "block",
        "severity": "high",
        "severity_level": 3,
        "category": "abuse",
        "occurred_at": AT,
        "text": "some words",
    }
    return message(topics.VERDICTS, "verdict", number, **usual | data)


def action(number: int) -> Message:
    judged = {"severity": "critical", "severity_level": 4, "category": "politics", "decision": "block"}
    return message(
        topics.ACTIONS,
        "action",
        number,
        type="kick",
        mode="enforce",
        target={"kind": "user", "id": "u-1"},
        rule={"id": "grave"},
        created_at=AT,
        verdict=judged,
    )


def lost(number: int) -> Message:
    original = message(topics.raw(Source.YIDUN_AUDIO), "raw", number)
    record: ConsumerRecord[bytes, bytes] = ConsumerRecord(
        original.topic, 0, 41, 0, 0, original.key, original.value, None, 0, 0, original.headers
    )
    return dead_letter(record, stage="normalizer", reason="not \x1b[31mJSON", at=AT)


def publish(broker: EmbeddedBroker, messages: Sequence[Message]) -> None:
    async def main() -> None:
        publisher = Publisher(Connection(broker.bootstrap, Kafka()), deadline=5)
        await publisher.start({each.topic for each in messages})
        try:
            await publisher.publish_all(messages)
        finally:
            await publisher.stop()

    asyncio.run(main())


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """With one partition a topic, so that records come in the order in which they were written."""
    embedded = EmbeddedBroker(partitions=1)
    yield embedded
    embedded.stop()


def tail(broker: EmbeddedBroker, what: str, *arguments: object) -> list[str]:
    """The lines of a tail that begins at the beginning and ends by itself."""
    ended = moderato("tail", what, "--from-beginning", "--bootstrap", broker.bootstrap, *arguments)
    assert ended.code == 0, ended.err
    return ended.lines


def test_json_lines_are_the_records(broker: EmbeddedBroker) -> None:
    publish(broker, [verdict(1), verdict(2)])
    lines = tail(broker, "verdicts", "--json", "--max", 2)
    assert [json.loads(line) for line in lines] == [orjson.loads(verdict(n).value or b"") for n in (1, 2)]


def test_a_table_has_titles_and_a_line_a_record(broker: EmbeddedBroker) -> None:
    publish(broker, [verdict(1, text="安全\x1b[2J", user=None)])
    title, line = tail(broker, "verdicts", "--max", 1)
    assert title.split() == ["occurred", "source", "decision", "severity", "category", "room", "user", "text"]
    assert line.split() == [AT, "yidun_audio", "block", "high", "abuse", "room-1", "安全\\x1b[2J"]
    assert line.index("room-1") == title.index("room")


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        (["--tenant", "t2"], {"tenant": "t2"}),
        (["--source", "agora_voice"], {"source": "agora_voice"}),
        (["--severity-at-least", "critical"], {"severity_level": 4}),
        (["--category", "porn", "--decision", "review"], {"category": "porn", "decision": "review"}),
        (["--room", "room-2"], {"room": "room-2"}),
        (["--user", "u-2"], {"user": "u-2"}),
    ],
)
def test_filters_let_through_what_was_asked_for(
    broker: EmbeddedBroker, wanted: list[str], other: dict[str, Any]
) -> None:
    publish(broker, [verdict(1), verdict(2, severity_level=None), verdict(3, **other), verdict(4)])
    lines = tail(broker, "verdicts", "--json", "--max", 1, *wanted)
    assert [json.loads(line)["id"] for line in lines] == ["i-3"]


def test_actions_are_filtered_by_their_verdict_too(broker: EmbeddedBroker) -> None:
    publish(broker, [action(1)])
    lines = tail(
        broker, "actions", "--kind=kick", "--severity-at-least=critical", "--category=politics", "--max=1"
    )
    assert lines[1].split() == [AT, "kick", "enforce", "user", "u-1", "critical", "politics", "grave"]


def test_outcomes_and_signals_are_followed(broker: EmbeddedBroker) -> None:
    outcome = {"type": "kick", "state": "done", "executor": "webhook", "attempts": 1, "finished_at": AT}
    publish(
        broker,
        [
            message(topics.OUTCOMES, "outcome", 1, target={"kind": "user", "id": "u-1"}, **outcome),
            message(topics.SIGNALS, "signal", 1, kind="task_failed", code="430", occurred_at=AT),
        ],
    )
    assert tail(broker, "outcomes", "--max=1")[1].split() == [
        AT,
        "kick",
        "done",
        "webhook",
        "user",
        "u-1",
        "1",
    ]
    assert tail(broker, "signals", "--kind=task_failed", "--max=1")[1].split() == [AT, "task_failed", "430"]


def test_dead_letters_say_where_and_why(broker: EmbeddedBroker) -> None:
    publish(broker, [lost(1), Message(topics.DEAD_LETTERS, b"", None, [])])
    title, line, bare = tail(broker, "dead-letters", "--max=2")
    assert title.split() == ["at", "stage", "topic", "part", "offset", "reason"]
    assert line.split() == [AT, "normalizer", "moderation.raw.yidun_audio", "0", "41", "not", "\\x1b[31mJSON"]
    assert bare == ""
    first, second = tail(broker, "dead-letters", "--json", "--max=2")
    data = json.loads(first)
    assert (data["id"], data["source"], data["tenant"]) == ("i-1", "yidun_audio", "default")
    assert data["value_b64"] == "eyJpZCI6ImktMSJ9"
    assert json.loads(second)["value_b64"] is None


def test_what_cannot_be_read_is_named_and_passed_over(broker: EmbeddedBroker) -> None:
    bad = [
        Message(topics.VERDICTS, b"k", b"{}", []),
        message(topics.VERDICTS, "signal", 1),
        verdict(2)._replace(value=b"{"),
        verdict(3)._replace(value=b"[]"),
    ]
    publish(broker, [*bad, verdict(4)])
    ended = moderato(
        "tail", "verdicts", "--from-beginning", "--json", "--max=1", "--bootstrap", broker.bootstrap
    )
    assert [json.loads(line)["id"] for line in ended.lines] == ["i-4"]
    faults = [line for line in ended.err.splitlines() if line.startswith("moderation.verdicts/0/")]
    assert [fault.split(": ")[1].split(",")[0] for fault in faults] == [
        "no CloudEvents attribute specversion",
        "a verdict is due",
        "not JSON",
        "not a JSON object",
    ]


def test_at_a_terminal_lines_are_cut_and_coloured(broker: EmbeddedBroker) -> None:
    publish(broker, [verdict(1, text="长" * 200)])
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=120, color_system="standard", highlight=False)
    with mock.patch.object(printer, "Console", return_value=console):
        tail(broker, "verdicts", "--max=1")
    line = text.getvalue().splitlines()[1]
    assert line.startswith("\x1b[31m")
    assert line.count("长") < 30


async def test_from_now_on_only_what_comes_is_shown(connection: Connection) -> None:
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    await publisher.publish_all([verdict(number) for number in range(10)])
    begun, ended = asyncio.Event(), asyncio.Event()
    seen: list[bytes] = []

    def take(record: "ConsumerRecord[bytes, bytes]") -> bool:
        seen.append(record.value or b"")
        return len(seen) < 2

    following = asyncio.create_task(
        follow(
            connection,
            topics.VERDICTS,
            take,
            from_beginning=False,
            started=lambda partitions: begun.set(),
            ended=ended,
        )
    )
    await asyncio.wait_for(begun.wait(), 20)
    await publisher.publish_all([verdict(number) for number in (10, 11)])
    await asyncio.wait_for(following, 20)
    await publisher.stop()
    assert {orjson.loads(value)["id"] for value in seen} == {"i-10", "i-11"}


async def test_it_ends_when_it_is_told_to(connection: Connection) -> None:
    ended = asyncio.Event()
    ended.set()
    async with asyncio.timeout(20):
        await follow(
            connection,
            topics.SIGNALS,
            lambda record: True,
            from_beginning=True,
            started=lambda partitions: None,
            ended=ended,
        )


def test_ctrl_c_ends_it_well(broker: EmbeddedBroker) -> None:
    command = [sys.executable, "-m", "moderato.cli.main", "tail", "signals", "--bootstrap", broker.bootstrap]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert b"following moderation.signals, 1 partition(s)" in process.stderr.readline()
        process.send_signal(SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


async def test_a_topic_that_is_not_there_is_named(connection: Connection) -> None:
    with pytest.raises(Fatal, match=r"moderation\.nothing: no such topic"):
        await follow(
            connection,
            "moderation.nothing",
            lambda record: True,
            from_beginning=True,
            started=lambda partitions: None,
            ended=asyncio.Event(),
        )


async def test_brokers_that_stop_answering_are_named(connection: Connection) -> None:
    with (
        mock.patch("moderato.cli.follow.AIOKafkaConsumer.start", side_effect=TimeoutError),
        pytest.raises(Fatal, match=r"kafka\.bootstrap .*: no answer"),
    ):
        await follow(
            connection,
            topics.SIGNALS,
            lambda record: True,
            from_beginning=True,
            started=lambda partitions: None,
            ended=asyncio.Event(),
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verdicts"], "no brokers: set kafka.bootstrap"),
        (["verdicts", "--bootstrap", "nonsense"], "--bootstrap: 'nonsense' is not host:port"),
        (["verdict"], "'verdict' is not one of 'verdicts', 'signals'"),
        (["verdicts", "--category", "crime"], "'crime' is not one of 'none', 'politics'"),
        (
            ["outcomes", "--room", "r", "--category", "porn"],
            "outcomes cannot be filtered by --category, --room",
        ),
        (["signals", "--kind", "kick"], "--kind: signals have no 'kick' (there are: task_started"),
        (["actions", "--kind", "kik"], "--kind: actions have no 'kik'"),
        (["verdicts", "--max", "0"], "'--max'"),
    ],
)
def test_a_wrong_command_says_what_is_wrong_in_one_line(arguments: list[str], message: str) -> None:
    ended = moderato("tail", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_the_configured_brokers_are_used(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(broker, [verdict(1)])
    monkeypatch.setenv("MODERATO_KAFKA__BOOTSTRAP", broker.bootstrap)
    ended = moderato("tail", "verdicts", "--from-beginning", "--json", "--max=1")
    assert json.loads(ended.lines[0])["id"] == "i-1"


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_can_be_filtered_by_tenant(name: str) -> None:
    condition = Filter(name, VIEWS[name], {"tenant": "t1"})
    assert condition.admits({"tenant": "t1"})
    assert not condition.admits({"tenant": "t2"})
