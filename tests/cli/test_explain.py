"""`moderato explain`: raw bytes of every vendor in, records and their story out."""

import base64
import io
import json
import os
import pty
import subprocess
import sys
from contextlib import redirect_stderr
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from moderato.cli import chain
from moderato.cli.explain import _stdin
from moderato.records import Verdict
from moderato.sources import Source
from normalize import scale
from tests.cli.support import Ended, body, moderato

# source, fixture, what the first record is: (decision, category, severity) or the kind of a signal
FIRST = [
    ("agora_voice", "callback.form", ("block", "abuse", "high")),
    ("agora_video", "built_review_sexy.json", ("review", "suggestive", "low")),
    ("agora_ncs", "channel_created.json", "room_created"),
    ("shumei_audio", "v4_flat_pass.json", ("pass", "none", "none")),
    ("shumei_audio", "built_v4_nested_reject_politics.json", ("block", "politics", "critical")),
    ("shumei_video", "v4_audio_reject_ad.json", ("block", "ad", "medium")),
    ("iflytek_audio", "query_answer.json", ("block", "abuse", "high")),
    ("yidun_audio", "v4_push.form", ("block", "abuse", "high")),
    ("yidun_audio", "built_politics_block.json", ("block", "politics", "critical")),
    ("yunxin_rtc", "built_room_started.json", "room_created"),
]


def records(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.lines]


def line(source: str, content: bytes, **fields: object) -> bytes:
    given = {"source": source, "content_type": "", "body_b64": base64.b64encode(content).decode()}
    return json.dumps(given | fields).encode() + b"\n"


def test_every_source_is_among_the_examples() -> None:
    assert {source for source, _, _ in FIRST} == set(Source)


@pytest.mark.parametrize(("source", "name", "expected"), FIRST)
def test_json_gives_one_record_a_line(source: str, name: str, expected: object) -> None:
    ended = moderato("explain", "--source", source, "--json", stdin=body(source, name))
    assert (ended.code, ended.err) == (0, "")
    first = records(ended)[0]
    assert set(first) == {"kind", "record"}
    record = first["record"]
    if first["kind"] == "signal":
        assert record["kind"] == expected
    else:
        assert (record["decision"], record["category"], record["severity"]) == expected
    assert record["tenant"] == "default"
    assert record["raw"] == {
        "topic": f"moderation.raw.{source}",
        "partition": 0,
        "offset": 0,
        "id": record["id"].rpartition("#")[0],
    }


@pytest.mark.parametrize(("source", "name", "expected"), FIRST)
def test_people_are_told_the_chain(source: str, name: str, expected: object) -> None:
    ended = moderato("explain", "--source", source, stdin=body(source, name))
    assert ended.code == 0
    assert "\x1b" not in ended.out
    if isinstance(expected, tuple):
        decision, category, severity = expected
        assert f"{decision} -> {category} -> {severity} (" in ended.lines[0]
        assert "1. decision" in ended.out
        assert "version 2026.11.1" in ended.out
    else:
        assert f"{source}  {expected}" in ended.lines[0]
    assert f"moderation.raw.{source}, partition 0, offset 0" in ended.out


def test_every_rule_of_the_scale_has_its_phrase() -> None:
    assert set(chain.RULES) == {*scale._RULE_ORDER, *scale.FAIL_SAFE.rules}


def test_the_same_body_gives_the_same_ids() -> None:
    given = body("yidun_audio", "v4_push.form")
    twice = [moderato("explain", "--source", "yidun_audio", "--json", stdin=given) for _ in "ab"]
    first, second = ([each["record"]["id"] for each in records(ended)] for ended in twice)
    assert first == second


def test_the_content_type_may_be_given() -> None:
    ended = moderato(
        "explain",
        "--source=yidun_audio",
        "--content-type=application/x-www-form-urlencoded",
        "--json",
        stdin=body("yidun_audio", "v4_push.form"),
    )
    assert records(ended)[0]["record"]["decision"] == "block"


def test_a_body_without_verdict_or_signal_prints_nothing_and_says_so() -> None:
    ended = moderato("explain", "--source=agora_ncs", "--json", stdin=b'{"eventType":999,"productId":9}')
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.startswith("ignored: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"code":NaN}'])
def test_an_unreadable_body_gives_the_fail_safe_and_the_reason(broken: bytes) -> None:
    ended = moderato("explain", "--source=shumei_audio", "--json", stdin=broken)
    assert ended.code == 0
    [record] = records(ended)
    assert record["record"]["mapping"]["rules"] == ["fail-safe"]
    assert record["record"]["degraded"] is True
    assert ended.err.startswith("unreadable: ")


def test_an_unreadable_body_of_a_source_without_content_gives_its_reason_only() -> None:
    ended = moderato("explain", "--source=agora_ncs", "--json", stdin=b"{")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.startswith("unreadable: ")
    assert "dead letter" in ended.err


def test_a_fault_of_ours_in_a_mapping_gives_the_fail_safe_too() -> None:
    with mock.patch("moderato.cli.reader.read", side_effect=ZeroDivisionError("oops")):
        ended = moderato("explain", "--source=shumei_audio", "--json", stdin=b"{}")
    assert records(ended)[0]["record"]["degraded"] is True
    assert "ZeroDivisionError: oops" in ended.err


def test_jsonl_answers_every_line_by_its_number() -> None:
    given = b"".join(
        [
            line("shumei_audio", body("shumei_audio", "v4_flat_pass.json")),
            line("agora_ncs", b'{"eventType":999,"productId":9}'),
            b"\n",
            line("iflytek_audio", body("iflytek_audio", "query_answer.json"), content_type=None),
        ]
    )
    ended = moderato("explain", "--jsonl", stdin=given)
    assert (ended.code, ended.err) == (0, "")
    answers = records(ended)
    assert [(each["n"], len(each["records"])) for each in answers] == [(0, 1), (1, 0), (3, 3)]
    assert all(set(each) == {"n", "records"} for each in answers)
    assert answers[2]["records"][0]["kind"] == "verdict"
    assert answers[2]["records"][0]["record"]["raw"]["offset"] == 3


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (b"{\n", "not JSON"),
        (b"[]\n", "a JSON object is due"),
        (b'{"body_b64":""}\n', "source: missing"),
        (b'{"source":"nobody","body_b64":""}\n', "source: 'nobody' is not one"),
        (b'{"source":["x"],"body_b64":""}\n', "source: ['x'] is not one"),
        (b'{"source":"agora_ncs"}\n', "body_b64: text"),
        (b'{"source":"agora_ncs","body_b64":7}\n', "body_b64: text"),
        (b'{"source":"agora_ncs","body_b64":"%%"}\n', "body_b64: not base64"),
        (b'{"source":"agora_ncs","body_b64":"\xc3\xa4\xc3\xa4"}\n', "body_b64: not base64"),
        (b'{"source":"agora_ncs","content_type":7,"body_b64":""}\n', "content_type: text"),
    ],
)
def test_a_broken_line_is_named_and_the_rest_goes_on(broken: bytes, fault: str) -> None:
    good = line("shumei_audio", body("shumei_audio", "v4_flat_pass.json"))
    ended = moderato("explain", "--jsonl", stdin=good + broken + good)
    assert ended.code == 1
    [error] = ended.err.splitlines()
    assert error.startswith("moderato: line 1: ")
    assert fault in error
    first, wrong, last = records(ended)
    assert len(first["records"]) == len(last["records"]) == 1
    assert (wrong["n"], wrong["records"]) == (1, [])
    assert wrong["error"] in error


def test_a_reader_gets_each_answer_before_it_sends_the_next_line() -> None:
    command = [sys.executable, "-m", "moderato.cli.main", "explain", "--jsonl"]
    given = line("shumei_audio", body("shumei_audio", "v4_flat_pass.json"))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for number in range(3):
            process.stdin.write(given)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["n"] == number
        process.stdin.close()
        assert process.wait(10) == 0


def test_bytes_pass_a_real_process_unharmed() -> None:
    command = [sys.executable, "-m", "moderato.cli.main", "explain", "--source", "yidun_audio", "--json"]
    ended = subprocess.run(
        command, input=body("yidun_audio", "v4_push.form"), capture_output=True, timeout=30
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert json.loads(ended.stdout.splitlines()[0])["record"]["text"] == "示例"


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    given = line("shumei_audio", body("shumei_audio", "v4_flat_pass.json")) * 2000
    command = [sys.executable, "-m", "moderato.cli.main", "explain", "--jsonl"]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(command, input=given, stdout=gone, stderr=subprocess.PIPE, timeout=30)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_the_tables_of_the_tenant_default_are_used(tmp_path: Any) -> None:
    tables = tmp_path / "tables.yaml"
    tables.write_text("version: own\nyidun: {labels: {label: {600: minor}}}\n")
    config = tmp_path / "moderato.yaml"
    config.write_text(f"tenants: {{default: {{tables: {tables}}}, other: {{tables: /no/such/file}}}}\n")
    given = body("yidun_audio", "v4_push.form")
    ended = moderato("--config", config, "explain", "--source=yidun_audio", "--json", stdin=given)
    record = records(ended)[0]["record"]
    assert record["category"] == "minor"
    assert record["mapping"]["version"] == "2026.11.1+own"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--source is missing"),
        (["--source", "nobody"], "'nobody' is not one of 'agora_voice'"),
        (["--jsonl", "--json"], "--jsonl excludes"),
        (["--jsonl", "--source", "agora_ncs"], "--jsonl excludes"),
        (["--source=agora_ncs", "--config=/no/such/file"], "/no/such/file: No such file"),
    ],
)
def test_a_wrong_command_says_what_is_wrong_in_one_line(arguments: list[str], message: str) -> None:
    ended = moderato("explain", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.startswith("moderato: ")
    assert ended.err.count("\n") == 1


def test_vendors_cannot_write_to_the_terminal() -> None:
    given = body("shumei_audio", "v4_flat_pass.json").replace(
        "坚持".encode(), b"\\u001b[2J\\u0007evil\\u202e"
    )
    ended = moderato("explain", "--source=shumei_audio", stdin=given)
    assert "\\x1b[2J\\x07evil\\u202e" in ended.out
    assert "\x1b" not in ended.out


def test_at_a_terminal_long_text_wraps_under_its_column() -> None:
    ended = moderato(
        "explain", "--source=shumei_audio", "--json", stdin=body("shumei_audio", "v4_flat_pass.json")
    )
    record = records(ended)[0]["record"]
    verdict = _verdict(record | {"text": "word " * 60})
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=60, color_system=None, highlight=False)
    with mock.patch.object(chain, "Console", return_value=console):
        chain.show([verdict], [])
    lines = text.getvalue().splitlines()
    start = next(number for number, each in enumerate(lines) if each.startswith("  text"))
    column = lines[start].index("word")
    assert all(len(each) <= 60 for each in lines[start:])
    assert lines[start + 1].startswith(" " * column + "word")


def _verdict(record: dict[str, Any]) -> Verdict:
    from pydantic import TypeAdapter

    return TypeAdapter(Verdict).validate_python(record)


def test_who_types_at_a_terminal_is_told_how_to_end() -> None:
    _, terminal = pty.openpty()
    err = io.StringIO()
    with os.fdopen(terminal) as stdin, mock.patch.object(sys, "stdin", stdin), redirect_stderr(err):
        assert _stdin() is stdin.buffer
    assert "Ctrl-D" in err.getvalue()
