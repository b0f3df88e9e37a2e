"""`moderato replay`: history normalized again, with the worker's own code."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import orjson
import pytest
from rich.console import Console

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message, Publisher
from moderato.bus.stage import Results
from moderato.errors import Poison, Retryable
from moderato.settings import Kafka
from moderato.sources import Source
from normalize.worker import Normalizer
from tests.cli.history_support import ids, letter, publish, raw, read
from tests.cli.support import Ended, body, moderato
from tests.moderato.bus.support import read_all

SHUMEI = body("shumei_audio", "built_v4_nested_reject_politics.json")
ENDED = body("shumei_audio", "built_end_of_stream_token_expired.json")
MANY = 1500


@pytest.fixture
def bootstrap(broker: EmbeddedBroker) -> str:
    return broker.bootstrap


def replay(bootstrap: str, *arguments: object, since: str = "beginning", until: str = "now") -> Ended:
    usual = ("--source", "shumei_audio", "--from", since, "--to", until, "--bootstrap", bootstrap)
    return moderato("replay", *usual, *arguments)


def fill(bootstrap: str) -> None:
    publish(
        bootstrap,
        [
            raw(Source.SHUMEI_AUDIO, 1, SHUMEI),
            raw(Source.SHUMEI_AUDIO, 2, ENDED, tenant="other"),
            raw(Source.SHUMEI_AUDIO, 3, b"{broken"),
            raw(Source.YIDUN_AUDIO, 4, b"{}"),
        ],
    )


def test_verdicts_and_signals_come_again_with_the_ids_that_they_had(bootstrap: str) -> None:
    fill(bootstrap)
    normalizer = Normalizer({})
    first = asyncio.run(normalizer.handle(read(bootstrap, topics.raw(Source.SHUMEI_AUDIO), 3)))
    ended = replay(bootstrap)
    assert ended.code == 0, ended.err
    kinds = first.kinds
    for topic, kind in ((topics.VERDICTS, "verdict"), (topics.SIGNALS, "signal")):
        expected = [message for message in first.messages if message.topic == topic]
        again = read(bootstrap, topic, len(expected))
        assert ids(again) == sorted(dict(message.headers)["ce_id"].decode() for message in expected)
        assert f"{kinds[kind]}  {kind}s: {topic}" in ended.out
        assert sorted(record.key or b"" for record in again) == sorted(message.key for message in expected)
    assert "3 raw records of shumei_audio normalized again in " in ended.out
    assert "1  records unreadable" in ended.out
    assert ended.err == ""


def test_no_dead_letter_is_written_again(bootstrap: str) -> None:
    fill(bootstrap)
    replay(bootstrap)
    publish(bootstrap, [letter(raw(Source.SHUMEI_AUDIO, 99, b""))])
    assert ids(read(bootstrap, topics.DEAD_LETTERS, 1)) == ["shumei_audio-99"]


def test_a_dry_run_counts_and_publishes_nothing(bootstrap: str) -> None:
    fill(bootstrap)
    ended = replay(bootstrap, "--dry-run")
    assert "2  verdicts: not published (dry run)" in ended.out
    publish(bootstrap, [Message(topics.VERDICTS, b"k", b"{}", [("ce_id", b"only")])])
    assert ids(read(bootstrap, topics.VERDICTS, 1)) == ["only"]


def test_one_tenant_can_be_picked(bootstrap: str) -> None:
    fill(bootstrap)
    assert "1 raw records of shumei_audio" in replay(bootstrap, "--tenant", "other").out
    assert "0 raw records of shumei_audio" in replay(bootstrap, "--tenant", "nobody").out


def test_records_without_a_tenant_are_nobodys(bootstrap: str) -> None:
    publish(bootstrap, [raw(Source.SHUMEI_AUDIO, 1, SHUMEI)._replace(headers=[])])
    assert "0 raw records" in replay(bootstrap, "--tenant", "acme").out


def test_other_tables_and_another_topic(bootstrap: str, tmp_path: Path) -> None:
    overrides = tmp_path / "lax.yaml"
    overrides.write_text("version: lax.1\nscale: {grave: {severity: {block: low}}}\n")
    fill(bootstrap)
    # Any topic that is none of the pipeline's does; the embedded broker makes none by itself.
    with mock.patch("moderato.cli.replay_run._OURS", frozenset()):
        ended = replay(bootstrap, "--tables", overrides, "--to-topic", topics.SESSIONS)
    assert ended.code == 0, ended.err
    assert f"verdicts: {topics.SESSIONS}" in ended.out
    records = [orjson.loads(each.value or b"") for each in read(bootstrap, topics.SESSIONS, 3)]
    versions = {each["mapping"]["version"] for each in records if "mapping" in each}
    assert versions == {"2026.11.1+lax.1"}
    [politics] = [each for each in records if each.get("category") == "politics"]
    assert politics["severity"] == "low"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to-topic", "moderation.raw.yidun_audio"], "that is one of the pipeline's"),
        (["--to-topic", "my.topic"], "--to-topic my.topic: no such topic at"),
        (["--tables", "/nowhere"], "--tables /nowhere: no such folder or file"),
        (["--from", "1h"], "cannot look up times"),
    ],
)
def test_what_cannot_be_is_told(bootstrap: str, arguments: list[str], words: str) -> None:
    fill(bootstrap)
    ended = replay(bootstrap, *arguments)
    assert ended.code == 2
    assert words in ended.err


@pytest.mark.parametrize("missing", ["--from", "--to", "--source"])
def test_the_range_and_the_source_have_to_be_given(missing: str) -> None:
    given = {"--from": "1h", "--to": "now", "--source": "shumei_audio"}
    del given[missing]
    ended = moderato("replay", *(word for pair in given.items() for word in pair))
    assert ended.code == 2
    assert f"Missing option '{missing}'" in ended.err


def test_a_kafka_that_takes_nothing_ends_it_and_says_where(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bootstrap)
    monkeypatch.setattr("moderato.cli.publishing._WAITS", ())
    for error, words in ((Retryable("no answer"), "no answer"), (Poison("too large"), "too large")):
        with mock.patch.object(Publisher, "publish_all", side_effect=error):
            ended = replay(bootstrap)
        assert ended.code == 2
        assert words in ended.err
        assert "and published, up to moderation.raw.shumei_audio partition" in ended.err
        assert "0 raw records of shumei_audio" in ended.out


def test_when_it_is_interrupted_it_says_where_it_stopped(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_many(bootstrap)
    ended_early = asyncio.Event()
    monkeypatch.setattr("moderato.cli.replay_run.until_signal", lambda: ended_early)
    handle = Normalizer.handle

    async def interrupted(self: Normalizer, records: Sequence[object]) -> Results:
        ended_early.set()
        return await handle(self, records)  # type: ignore[arg-type]

    monkeypatch.setattr(Normalizer, "handle", interrupted)
    ended = replay(bootstrap, "--dry-run")
    assert ended.code == 130
    assert "stopped: done up to moderation.raw.shumei_audio partition" in ended.err
    assert f"{MANY:,} raw records" not in ended.out


def test_at_a_terminal_a_bar_shows_how_much_and_how_fast(bootstrap: str) -> None:
    publish_many(bootstrap)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with mock.patch("moderato.cli.progress.Console", return_value=console):
        ended = replay(bootstrap)
    assert ended.code == 0, ended.err
    assert f"{MANY}/{MANY}" in screen.getvalue()
    assert "/s" in screen.getvalue()
    assert len(read(bootstrap, topics.VERDICTS, MANY)) == MANY


def publish_many(bootstrap: str) -> None:
    async def main() -> None:
        publisher = Publisher(Connection(bootstrap, Kafka()), deadline=10)
        await publisher.start([topics.raw(Source.SHUMEI_AUDIO)])
        await publisher.publish_all([raw(Source.SHUMEI_AUDIO, number, SHUMEI) for number in range(MANY)])
        await publisher.stop()

    asyncio.run(main())


@pytest.mark.kafka
def test_on_real_kafka_the_range_is_looked_up_by_time(kafka_connection: Connection) -> None:
    bootstrap = kafka_connection.bootstrap
    fill(bootstrap)
    assert "0 raw records" in replay(bootstrap, since="2h", until="1h").out
    ended = replay(bootstrap, since="1h", until="now")
    assert "3 raw records" in ended.out
    assert ended.code == 0
    written = asyncio.run(read_all(kafka_connection, topics.VERDICTS, 2))
    assert ids(written) == ["shumei_audio-1#0", "shumei_audio-3#0"]
