"""`moderato dlq`: against the embedded broker, and against real Kafka for what needs it."""

import asyncio
import base64
import json
from unittest import mock

import pytest
from aiokafka import ConsumerRecord

from moderato import topics
from moderato.bus.admin import Admin
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message, Publisher
from moderato.cli.dlq_show import readable
from moderato.errors import Poison, Retryable
from moderato.sources import Source
from tests.cli.history_support import ids, letter, publish, raw, read
from tests.cli.support import Ended, body, moderato

SHUMEI = body("shumei_audio", "v4_nested_reject_normal.json")


@pytest.fixture
def bootstrap(broker: EmbeddedBroker) -> str:
    return broker.bootstrap


def dlq(bootstrap: str, *arguments: object) -> Ended:
    command, *rest = arguments
    return moderato("dlq", command, "--bootstrap", bootstrap, *rest)


def fill(bootstrap: str) -> None:
    """Four letters: of two stages, three sources, two tenants."""
    verdict = Message(topics.VERDICTS, b"acme/r", b"[]", raw(Source.YUNXIN_RTC, 4, b"").headers)
    publish(
        bootstrap,
        [
            letter(raw(Source.YIDUN_AUDIO, 1, b"\xff\xfe"), offset=1, reason="not UTF-8"),
            letter(raw(Source.SHUMEI_AUDIO, 2, SHUMEI), offset=2, stack='  File "x.py", line 1\n'),
            letter(raw(Source.SHUMEI_AUDIO, 3, b"{", tenant="other"), offset=3),
            letter(verdict, offset=4, stage="policy", reason="the verdict is not a JSON object"),
        ],
    )


def listed(ended: Ended) -> set[str]:
    return {json.loads(line)["id"] for line in ended.lines}


# --- list ------------------------------------------------------------------------------------------------------------


def test_a_table_says_place_time_stage_source_id_and_reason(bootstrap: str) -> None:
    fill(bootstrap)
    ended = dlq(bootstrap, "list")
    title, *lines = ended.lines
    assert title.split() == ["place", "at", "stage", "source", "id", "try", "reason"]
    [line] = [line for line in lines if "yidun_audio-1" in line]
    assert line.split()[1:] == [
        "2026-11-21T08:00:00.000Z", "normalizer", "yidun_audio", "yidun_audio-1", "1", "not", "UTF-8",
    ]  # fmt: skip
    assert "4 of 4 dead letters" in ended.err
    assert ended.code == 0


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--stage", "policy"], {"yunxin_rtc-4"}),
        (["--source", "shumei_audio"], {"shumei_audio-2", "shumei_audio-3"}),
        (["--tenant", "other"], {"shumei_audio-3"}),
        (["--reason", "utf"], {"yidun_audio-1"}),
        (["--id", "shumei_audio-2"], {"shumei_audio-2"}),
        (["--topic", "moderation.verdicts"], {"yunxin_rtc-4"}),
        (["--source", "shumei_audio", "--tenant", "acme"], {"shumei_audio-2"}),
        (["--stage", "enforcer"], set()),
        (["--from", "beginning", "--to", "now", "--stage", "policy"], {"yunxin_rtc-4"}),
    ],
)
def test_filters_combine(bootstrap: str, filters: list[str], expected: set[str]) -> None:
    fill(bootstrap)
    assert listed(dlq(bootstrap, "list", "--json", *filters)) == expected


def test_a_line_of_json_has_the_bytes(bootstrap: str) -> None:
    fill(bootstrap)
    [line] = dlq(bootstrap, "list", "--json", "--id", "yidun_audio-1").lines
    data = json.loads(line)
    assert base64.b64decode(data["value_b64"]) == b"\xff\xfe"
    assert (data["attempts"], data["key"], data["offset"]) == (1, "acme/task-1", "1")


def test_a_limit_ends_the_list(bootstrap: str) -> None:
    fill(bootstrap)
    assert len(dlq(bootstrap, "list", "--json", "--limit", 2).lines) == 2


def test_an_empty_topic_has_an_empty_list(bootstrap: str) -> None:
    ended = dlq(bootstrap, "list", "--json")
    assert (ended.code, ended.out) == (0, "")


def test_what_is_no_letter_is_listed_without_a_reason(bootstrap: str) -> None:
    publish(bootstrap, [Message(topics.DEAD_LETTERS, b"k", None, [])])
    [line] = dlq(bootstrap, "list", "--json").lines
    assert json.loads(line)["reason"] is None


def test_the_embedded_broker_says_that_it_cannot_look_up_times(bootstrap: str) -> None:
    fill(bootstrap)
    ended = dlq(bootstrap, "list", "--from", "2h")
    assert ended.code == 2
    assert "cannot look up times" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "yesterday"], "'yesterday' is neither a time with its zone"),
        (["--from", "2026-11-21T08:00:00"], "neither a time with its zone"),
        (["--from", "now", "--to", "now"], "--from must be before --to"),
        (["--source", "yidun"], "'yidun' is not one of"),
    ],
)
def test_a_wrong_filter_is_told(bootstrap: str, arguments: list[str], words: str) -> None:
    ended = dlq(bootstrap, "list", *arguments)
    assert ended.code == 2
    assert words in ended.err


# --- show ------------------------------------------------------------------------------------------------------------


def test_a_letter_is_shown_with_its_headers_its_body_and_what_it_would_give_now(bootstrap: str) -> None:
    fill(bootstrap)
    ended = dlq(bootstrap, "show", "shumei_audio-2")
    out = ended.out
    assert ended.code == 0, ended.err
    for words in (
        "reason     not JSON",
        "attempts   1",
        "topic      moderation.raw.shumei_audio",
        'File "x.py", line 1',
        "ce_id            shumei_audio-2",
        "key              acme/task-2",
        '    "code": 1100,',
        "what the normalizer makes of it now",
        "verdict 1 of 1  shumei_audio  ",
        "moderation.raw.shumei_audio, partition 0, offset 2, id shumei_audio-2",
    ):
        assert words in out


def test_a_letter_is_found_by_its_place(bootstrap: str) -> None:
    fill(bootstrap)
    [line] = dlq(bootstrap, "list", "--json", "--id", "yidun_audio-1").lines
    out = dlq(bootstrap, "show", json.loads(line)["place"]).out
    assert "ff fe" in out
    assert "unreadable: " in out
    assert "fail-safe" in out


def test_all_letters_with_an_id_are_shown(bootstrap: str) -> None:
    fill(bootstrap)
    fill(bootstrap)
    assert dlq(bootstrap, "show", "yidun_audio-1").out.count("dead letter ") == 2


def test_a_letter_of_another_stage_is_no_raw_record(bootstrap: str) -> None:
    fill(bootstrap)
    assert (
        "it is no raw record: it came from moderation.verdicts" in dlq(bootstrap, "show", "yunxin_rtc-4").out
    )


def test_what_would_be_a_letter_again_or_ignored_says_so(bootstrap: str) -> None:
    notice = body("agora_ncs", "built_test_webhook.json")
    publish(
        bootstrap,
        [
            letter(raw(Source.AGORA_NCS, 1, notice)),
            letter(raw(Source.AGORA_NCS, 2, b"{}")._replace(headers=[("ce_id", b"bare")])),
            letter(raw(Source.AGORA_NCS, 3, b"x" * 5_000_000)),
        ],
    )
    assert "ignored: nothing in it is a verdict or a signal" in dlq(bootstrap, "show", "agora_ncs-1").out
    assert "a dead letter again: no CloudEvents attribute" in dlq(bootstrap, "show", "bare").out
    large = dlq(bootstrap, "show", "agora_ncs-3").out
    assert "left_out   5000000" in large
    assert "value: none" in large


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("nobody", "no dead letter has the id 'nobody'"),
        ("0:77", "0:77: there is no such dead letter (partition 0 has"),
        ("9:0", "9:0: there is no such dead letter"),
    ],
)
def test_a_letter_that_is_not_there_is_an_error(bootstrap: str, which: str, words: str) -> None:
    fill(bootstrap)
    ended = dlq(bootstrap, "show", which)
    assert ended.code == 2
    assert words in ended.err


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (b"", []),
        (b'{"a":[1]}', ["{", '  "a": [', "    1", "  ]", "}"]),
        (b'sign=x&callbackData={"a":1}', ["sign = x", "callbackData = {", '  "a": 1', "}"]),
        (b"{broken", ["{broken"]),
        ("文字".encode(), ["文字"]),
        (b"\xff" * 33, ["ff " * 31 + "ff", "ff"]),
        (b'{"n":99999999999999999999}', ["{", '  "n": 99999999999999999999', "}"]),
        (b"[" * 100_000, ["[" * 100_000]),
    ],
)
def test_a_body_is_written_for_people(value: bytes, lines: list[str]) -> None:
    assert readable(value) == lines


def test_a_long_body_is_cut_and_says_so() -> None:
    assert readable(b"x" * 200_000)[-1].startswith("... 100,000 more characters")
    assert readable(b"\xff" * 1000)[-1].startswith("... 488 more bytes")


# --- replay ----------------------------------------------------------------------------------------------------------


def header(record: "ConsumerRecord[bytes, bytes]", name: str) -> bytes:
    return dict(record.headers)[name]


def test_replay_brings_the_originals_back_with_their_ids(bootstrap: str) -> None:
    fill(bootstrap)
    ended = dlq(bootstrap, "replay", "--source", "shumei_audio", "--tenant", "acme")
    assert ended.code == 0, ended.err
    assert "1  moderation.raw.shumei_audio" in ended.out
    assert "1 of 4 dead letters were replayed, ids kept" in ended.out
    [record] = read(bootstrap, topics.raw(Source.SHUMEI_AUDIO), 1)
    original = raw(Source.SHUMEI_AUDIO, 2, SHUMEI)
    assert (record.key, record.value) == (original.key, original.value)
    assert list(record.headers) == [*original.headers, ("dl_attempts", b"1")]


def test_a_second_failure_counts_up(bootstrap: str) -> None:
    fill(bootstrap)
    dlq(bootstrap, "replay", "--id", "yidun_audio-1")
    [again] = read(bootstrap, topics.raw(Source.YIDUN_AUDIO), 1)
    second = letter(Message(again.topic, again.key or b"", again.value, list(again.headers)))
    assert dict(second.headers)["dl_attempts"] == b"2"


def test_a_dry_run_publishes_nothing(bootstrap: str) -> None:
    fill(bootstrap)
    ended = dlq(bootstrap, "replay", "--all", "--dry-run")
    assert "4 of 4 dead letters would be replayed (dry run: nothing was published)" in ended.out
    publish(bootstrap, [raw(Source.SHUMEI_AUDIO, 99, b"{}")])
    assert ids(read(bootstrap, topics.raw(Source.SHUMEI_AUDIO), 1)) == ["shumei_audio-99"]


def test_all_come_back_each_to_its_own_topic(bootstrap: str) -> None:
    fill(bootstrap)
    assert dlq(bootstrap, "replay", "--all").code == 0
    assert ids(read(bootstrap, topics.VERDICTS, 1)) == ["yunxin_rtc-4"]
    assert ids(read(bootstrap, topics.raw(Source.SHUMEI_AUDIO), 2)) == ["shumei_audio-2", "shumei_audio-3"]


def test_a_limit_caps_a_replay(bootstrap: str) -> None:
    fill(bootstrap)
    assert dlq(bootstrap, "replay", "--all", "--limit", 2).out.splitlines()[-1].startswith("2 of ")


@pytest.mark.parametrize("command", ["replay", "purge"])
def test_nobody_means_all_by_saying_nothing(bootstrap: str, command: str) -> None:
    ended = dlq(bootstrap, command)
    assert ended.code == 2
    assert "give a filter" in ended.err
    both = dlq(bootstrap, command, "--all", "--stage", "policy")
    assert both.code == 2
    assert "--all excludes the filters" in both.err


def test_what_cannot_be_replayed_is_named_and_the_rest_goes_on(bootstrap: str) -> None:
    foreign = Message("bank.transfers", b"k", b"{}", raw(Source.SHUMEI_AUDIO, 9, b"").headers)
    publish(
        bootstrap,
        [
            letter(foreign),
            letter(raw(Source.SHUMEI_AUDIO, 8, b"x" * 5_000_000)),
            letter(raw(Source.SHUMEI_AUDIO, 1, b"{}")),
        ],
    )
    ended = dlq(bootstrap, "replay", "--all")
    assert ended.code == 1
    assert "1 of 3 dead letters were replayed" in ended.out
    assert "it says that it came from 'bank.transfers'" in ended.err
    assert "its value was too large to be kept (5000000 bytes)" in ended.err
    assert "2 cannot be replayed" in ended.err
    assert ids(read(bootstrap, topics.raw(Source.SHUMEI_AUDIO), 1)) == ["shumei_audio-1"]


def test_one_message_that_kafka_refuses_does_not_keep_back_the_others(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bootstrap)
    publish_all = Publisher.publish_all

    async def choosy(self: Publisher, messages: list[Message]) -> None:
        if any(("ce_id", b"shumei_audio-3") in message.headers for message in messages):
            raise Poison("too large for this topic")
        await publish_all(self, messages)

    monkeypatch.setattr(Publisher, "publish_all", choosy)
    ended = dlq(bootstrap, "replay", "--source", "shumei_audio")
    assert ended.code == 1
    assert "not replayed: shumei_audio-3: too large for this topic" in ended.err
    assert "1 of 4 dead letters were replayed" in ended.out
    assert ids(read(bootstrap, topics.raw(Source.SHUMEI_AUDIO), 1)) == ["shumei_audio-2"]


def test_a_kafka_that_takes_nothing_ends_it_and_says_how_far_it_came(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bootstrap)
    monkeypatch.setattr("moderato.cli.publishing._WAITS", (0.0, 0.0))
    with mock.patch.object(Publisher, "publish_all", side_effect=Retryable("no answer in 10 s")) as tried:
        ended = dlq(bootstrap, "replay", "--all")
    assert ended.code == 2
    assert "no answer in 10 s" in ended.err
    assert "replayed up to moderation.dead-letters partition" in ended.err
    assert "0 of " in ended.out
    assert tried.call_count == 3


def test_a_replay_that_is_interrupted_says_how_far_it_came(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def already() -> asyncio.Event:
        ended = asyncio.Event()
        ended.set()
        return ended

    fill(bootstrap)
    monkeypatch.setattr("moderato.cli.dlq_replay.until_signal", already)
    ended = dlq(bootstrap, "replay", "--all")
    assert ended.code == 130
    assert "stopped: replayed up to moderation.dead-letters partition" in ended.err


# --- purge -----------------------------------------------------------------------------------------------------------


def test_a_purge_says_what_it_would_delete_and_what_lies_behind(bootstrap: str) -> None:
    key = letter(raw(Source.SHUMEI_AUDIO, 0, b"{")).key
    letters = [
        letter(raw(Source.SHUMEI_AUDIO, 0, b"{"), reason=reason) for reason in ("old", "old", "new", "old")
    ]
    publish(bootstrap, [each._replace(key=key) for each in letters])
    ended = dlq(bootstrap, "purge", "--reason", "old", "--dry-run")
    assert ended.code == 0
    [line] = ended.lines
    assert line.endswith(
        "everything before offset 2 (2 offsets); 1 more match, but lie behind "
        f"{line.split()[1][0]}:2, which does not"
    )


def test_a_purge_that_cannot_begin_says_what_is_in_its_way(bootstrap: str) -> None:
    key = letter(raw(Source.SHUMEI_AUDIO, 0, b"{")).key
    letters = [letter(raw(Source.SHUMEI_AUDIO, 0, b"{"), reason=reason) for reason in ("new", "old")]
    publish(bootstrap, [each._replace(key=key) for each in letters])
    [line] = dlq(bootstrap, "purge", "--reason", "old", "--yes").lines
    assert ": nothing; 1 more match, but lie behind " in line


def test_a_purge_that_matches_nothing_says_so(bootstrap: str) -> None:
    fill(bootstrap)
    ended = dlq(bootstrap, "purge", "--id", "nobody")
    assert (ended.code, ended.lines) == (0, ["no dead letter matches"])


def test_a_purge_asks_and_without_a_terminal_wants_yes(bootstrap: str) -> None:
    fill(bootstrap)
    ended = dlq(bootstrap, "purge", "--all")
    assert ended.code == 2
    assert "look with --dry-run, then give --yes" in ended.err


@pytest.mark.parametrize(("answer", "code", "deleted"), [(True, 0, 1), (False, 1, 0)])
def test_at_a_terminal_the_answer_counts(bootstrap: str, answer: bool, code: int, deleted: int) -> None:
    fill(bootstrap)
    with (
        mock.patch("moderato.cli.dlq.sys") as stand_in,
        mock.patch("moderato.cli.dlq.typer.confirm", return_value=answer),
        mock.patch("moderato.bus.admin.Admin.delete_before") as delete,
    ):
        stand_in.stdin.isatty.return_value = True
        assert dlq(bootstrap, "purge", "--all").code == code
    assert delete.call_count == deleted


def test_the_embedded_broker_cannot_delete(bootstrap: str) -> None:
    fill(bootstrap)
    with mock.patch.dict(Admin.__init__.__kwdefaults__, {"deadline": 0.5}):
        ended = dlq(bootstrap, "purge", "--all", "--yes")
    assert ended.code == 2
    assert "could not delete records of" in ended.err


@pytest.mark.kafka
def test_on_real_kafka_a_purge_deletes_the_oldest_and_times_are_looked_up(
    kafka_connection: Connection,
) -> None:
    bootstrap = kafka_connection.bootstrap
    fill(bootstrap)
    assert listed(dlq(bootstrap, "list", "--json", "--from", "1h")) == {
        "yidun_audio-1", "shumei_audio-2", "shumei_audio-3", "yunxin_rtc-4",
    }  # fmt: skip
    assert listed(dlq(bootstrap, "list", "--json", "--to", "1h")) == set()
    assert dlq(bootstrap, "purge", "--to", "1h", "--yes").lines == ["no dead letter matches"]

    [first] = dlq(bootstrap, "list", "--json", "--limit", 1).lines
    oldest = json.loads(first)
    assert dlq(bootstrap, "purge", "--id", oldest["id"], "--yes").lines[-1] == "deleted"
    left = listed(dlq(bootstrap, "list", "--json"))
    assert len(left) == 3
    assert oldest["id"] not in left
    gone = dlq(bootstrap, "show", oldest["place"])
    assert gone.code == 2
    assert "there is no such dead letter" in gone.err

    assert dlq(bootstrap, "purge", "--all", "--yes").code == 0
    assert dlq(bootstrap, "list", "--json").out == ""
