"""`moderato ledger`: counters of several processes, that start and end, against topics that stay."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from unittest import mock

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message
from moderato.bus.stage import Results, Stage
from moderato.cli import ledger
from moderato.cli.audit import Finding, Look, Offsets, Process, audit
from moderato.cli.scrape import address
from moderato.errors import Fatal
from tests.cli.history_support import publish
from tests.cli.support import Ended, moderato
from tests.cli.test_ledger import counters
from tests.moderato.bus.support import until

ENDS = {
    **dict.fromkeys(ledger.TOPICS, 0),
    "moderation.raw.yidun_audio": 6,
    "moderation.raw.agora_ncs": 3,
    topics.VERDICTS: 7,
    topics.SIGNALS: 2,
    topics.ACTIONS: 3,
    topics.OUTCOMES: 2,
    topics.DEAD_LETTERS: 2,
}
NOTHING_WAITS = dict.fromkeys(ledger.STAGES, 0)


def process(
    url: str = "a", started: float | None = 100.0, times: float = 1, spool: int = 0, **less: float
) -> Process:
    """One that has counted a balanced day `times` over; `less` takes away from single counters."""
    values = counters()
    scaled = {
        name: {labels: value * times for labels, value in series.items()} for name, series in values.items()
    }
    for name, number in less.items():
        series = scaled[getattr(ledger, name)]
        labels = next(labels for labels, value in series.items() if value)
        series[labels] -= number
    return Process(url, started, ledger.Counts(scaled), spool)


def look(
    *processes: Process,
    late: tuple[Process, ...] | None = None,
    times: int = 1,
    waiting: Mapping[str, int] = NOTHING_WAITS,
    changes: Mapping[str, int] = MappingProxyType({}),
) -> Look:
    """What is found at 1,000 s: the topics of `times` days."""
    ends = {topic: end * times + changes.get(topic, 0) for topic, end in ENDS.items()}
    return Look(1_000.0, processes, Offsets(ends, waiting), processes if late is None else late)


def odd(findings: list[Finding]) -> list[str]:
    return [f"{each.line.name}: {each.words}" for each in findings if each.words != "ok"]


def test_a_young_installation_balances_from_the_very_beginning() -> None:
    assert odd(audit(None, look(process()))) == []


def test_processes_are_added_up() -> None:
    assert odd(audit(None, look(process("a"), process("b"), times=2))) == []


def test_without_a_baseline_a_difference_proves_nothing() -> None:
    findings = audit(None, look(process(), changes={topics.VERDICTS: 5}))
    assert {each.status for each in findings} == {"ok", "not compared"}
    assert odd(findings)[0] == (
        "verdicts: what was counted before these processes started is not known: see --since"
    )


def test_inside_a_process_a_difference_always_counts() -> None:
    findings = audit(None, look(process(REJECTED=1.0), process("b")))
    assert "receiver: DOES NOT BALANCE, by 1" in odd(findings)


def test_from_a_baseline_on_only_what_came_after_counts() -> None:
    before = look(process(times=3), times=40)
    assert odd(audit(before, look(process(times=4), times=41))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {topics.VERDICTS: -1},
            ["verdicts: DOES NOT BALANCE, by 1", "policy: ok, 1 of them twice"],
        ),
        (
            {topics.VERDICTS: 1},
            ["verdicts: ok, 1 of them twice", "policy: DOES NOT BALANCE, by 1"],
        ),
        ({topics.DEAD_LETTERS: -1}, ["dead letters: DOES NOT BALANCE, by 1"]),
        ({topics.OUTCOMES: 2}, ["outcomes: ok, 2 of them twice"]),
        ({"moderation.raw.agora_ncs": -1}, ["raw topics: DOES NOT BALANCE, by 1", "normalizer: ok, 1 of them twice"]),
    ],
)  # fmt: skip
def test_a_loss_is_told_from_what_is_there_twice(changes: dict[str, int], words: list[str]) -> None:
    before = look(process(), times=10)
    assert odd(audit(before, look(process(times=2), times=11, changes=changes))) == words


def test_what_waits_is_no_loss() -> None:
    waiting = {"normalizer": 4, "policy": 0, "counter": 0, "enforcer": 0}
    before = look(process(), times=10)
    after = look(process(times=2), times=11, waiting=waiting, changes={"moderation.raw.yidun_audio": 4})
    findings = audit(before, after)
    # The raw records that nobody counted as published are somebody else's: there twice.
    assert odd(findings) == ["raw topics: ok, 4 of them twice"]


def test_callbacks_in_the_spool_wait_too() -> None:
    def receiver(waiting: int, spooled: float, drained: float) -> Process:
        values = counters()
        values[ledger.RECEIVED][(("source", "yidun_audio"),)] += spooled
        values[ledger.SPOOLED] = {(("source", "yidun_audio"),): spooled}
        values[ledger.DRAINED] = {(("source", "yidun_audio"),): drained}
        return Process("a", 100.0, ledger.Counts(values), waiting)

    before = look(receiver(waiting=5, spooled=5, drained=0))
    after = look(receiver(waiting=1, spooled=8, drained=7))
    ends = {**after.offsets.ends, "moderation.raw.yidun_audio": 13}
    waiting = {"normalizer": 7, "policy": 0, "counter": 0, "enforcer": 0}
    assert odd(audit(before, replace(after, offsets=Offsets(ends, waiting)))) == []
    lost = look(receiver(waiting=0, spooled=8, drained=7))
    assert "spool: DOES NOT BALANCE, by 1" in odd(
        audit(before, replace(lost, offsets=Offsets(ends, waiting)))
    )


def test_while_records_flow_a_line_holds_when_it_can_have_been_equal() -> None:
    before = look(process(times=1), times=10)
    now = look(process(times=2), late=(process(times=4),), times=12)
    findings = audit(before, now)
    assert {each.status for each in findings} == {"ok"}
    assert "ok (in motion)" in {each.words for each in findings}
    assert any(
        each.status == "fault" for each in audit(before, replace(now, late=now.early, early=now.early))
    )


def test_a_baseline_taken_while_records_flowed_does_not_cry_wolf() -> None:
    # Between its counters and its offsets one day's records went by.
    before = Look(1_000.0, [process(times=1)], look(times=12).offsets, [process(times=3)])
    after = look(process(times=5), times=15)
    assert {each.status for each in audit(before, after)} == {"ok"}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ([process("a", started=1_500.0)], "a was restarted since the baseline"),
        ([process("b", started=1_500.0)], "a is in the baseline and was not asked now"),
        ([process("a", times=2), process("b", started=500.0)], "b is older than the baseline and not in it"),
        ([process("a", times=2), process("b", started=None)], "b is older than the baseline and not in it"),
    ],
)
def test_what_a_restart_made_incomparable_is_named_and_left_out(now: list[Process], reason: str) -> None:
    findings = audit(look(process("a"), times=10), look(*now, times=14))
    assert {each.words for each in findings if each.status == "not compared"} == {reason}
    assert not any(each.status == "fault" for each in findings)


def test_a_process_that_started_later_counts_from_its_beginning() -> None:
    before = look(process("a"), times=10)
    after = look(process("a", times=2), process("b", started=1_500.0), times=12)
    assert odd(audit(before, after)) == []


def test_a_role_that_nobody_was_asked_about_is_named() -> None:
    values = {name: {} for name in counters()} | {ledger.RECEIVED: {}}
    quiet = Process("a", 100.0, ledger.Counts(values), 0)
    words = {each.words for each in audit(look(quiet), look(quiet, times=2)) if each.status == "not compared"}
    assert words == {
        f"no process of the {role} has counted anything"
        for role in ("receiver", "normalizer", "policy", "enforcer")
    }


def test_topics_that_were_made_anew_are_told() -> None:
    with pytest.raises(Fatal, match=r"moderation\.verdicts.*made anew since the baseline"):
        audit(look(process(), times=10), look(process(), times=1))


@given(st.integers(1, 5), st.integers(0, 3))
def test_a_baseline_survives_its_file(times: int, spool: int) -> None:
    before = look(process(times=times, spool=spool), late=(process(times=times + 1),), times=times)
    again = Look.from_json(json.loads(json.dumps(before.as_json())))
    assert again.as_json() == before.as_json()


@pytest.mark.parametrize("data", [None, [], {}, {"version": 2}, {"version": 1}, {"version": 1, "at": "x"}])
def test_a_file_that_is_no_baseline_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Look.from_json(data)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("host:9090", "http://host:9090/metrics"),
        ("http://host:9090", "http://host:9090/metrics"),
        ("http://host:9090/", "http://host:9090/metrics"),
        ("https://host/moderato/metrics", "https://host/moderato/metrics"),
    ],
)
def test_an_address_may_be_short(text: str, url: str) -> None:
    assert address(text) == url


def test_another_programs_metrics_are_refused() -> None:
    registry = CollectorRegistry()
    Counter("other_total", "Other.", registry=registry).inc()
    page = generate_latest(registry).decode()
    with pytest.raises(Fatal, match="no metrics page of this version's Moderato: no moderato_"):
        Process.of("u", text_string_to_metric_families(page))


# --- the command -----------------------------------------------------------------------------------------------------


class Page:
    """The metrics page of a process, that a test turns the counters of."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.status = 200
        self.started = Gauge("process_start_time_seconds", "Started.", registry=self.registry)
        self.started.set(100.0)
        self.counters = {
            name: Counter(
                name, "It.", tuple(dict(next(iter(series), ()))) or ("source",), registry=self.registry
            )
            for name, series in counters().items()
        }

    def count(self, name: str, number: float, **labels: str) -> None:
        self.counters[name].labels(**labels).inc(number)

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.registry), status=self.status)


@asynccontextmanager
async def served(page: Page) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/metrics", page.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderato.cli.balance_run._PAUSES", (0.0, 0.01))


async def run(bootstrap: str, *arguments: object) -> Ended:
    """The command has a loop of its own, so it runs beside the one that serves the page."""
    with mock.patch("moderato.lifecycle.uvloop.new_event_loop", asyncio.new_event_loop):
        return await asyncio.to_thread(moderato, "ledger", "--bootstrap", bootstrap, *arguments)


async def fill(broker: EmbeddedBroker, **counts: int) -> None:
    names = {name: f"moderation.{name.replace('_', '-')}" for name in counts}
    messages = [
        Message(names[name], b"%d" % number, b"{}", [])
        for name, count in counts.items()
        for number in range(count)
    ]
    await asyncio.to_thread(publish, broker.bootstrap, messages)


async def test_a_pipeline_is_compared_with_its_topics(broker: EmbeddedBroker, tmp_path: Path) -> None:
    page, baseline = Page(), tmp_path / "baseline.json"
    await fill(broker, verdicts=3)
    page.count(ledger.PRODUCED, 3, stage="normalizer", kind="verdict")
    page.count(ledger.CONSUMED, 3, stage="normalizer")
    page.count(ledger.DONE, 3, stage="normalizer")
    async with served(page) as address:
        saved = await run(broker.bootstrap, "--metrics", address, "--save", baseline)
        assert saved.code == 0, saved.err
        assert "could not be compared" in saved.lines[-1]

        await fill(broker, verdicts=2)
        page.count(ledger.PRODUCED, 2, stage="normalizer", kind="verdict")
        well = await run(broker.bootstrap, "--metrics", address, "--since", baseline)
        assert well.code == 0, well.out
        assert "records 2 = written by the normalizer 2" in well.out

        page.count(ledger.PRODUCED, 1, stage="normalizer", kind="verdict")
        wrong = await run(broker.bootstrap, "--metrics", address, "--since", baseline)
        assert wrong.code == 1
        assert "DOES NOT BALANCE, by 1" in wrong.out
        assert wrong.lines[-1] == "1 of 18 lines DO NOT BALANCE (were all processes asked?)"

        page.started.set(5_000_000_000.0)
        restarted = await run(broker.bootstrap, "--metrics", address, "--since", baseline)
        assert restarted.code == 0
        assert f"not compared: http://{address}/metrics was restarted since the baseline" in restarted.out


async def test_what_a_group_has_not_committed_waits(
    broker: EmbeddedBroker, connection: Connection, tmp_path: Path
) -> None:
    page, baseline = Page(), tmp_path / "baseline.json"
    handled = 0

    async def handle(records: object) -> Results:
        nonlocal handled
        handled += len(records)  # type: ignore[arg-type]
        return Results(ignored=len(records))  # type: ignore[arg-type]

    async with served(page) as address:
        await run(broker.bootstrap, "--metrics", address, "--save", baseline)
        await fill(broker, verdicts=4)
        stage = Stage("policy", connection, consumes=[topics.VERDICTS], produces=[], handle=handle)
        await stage.start()
        await until(lambda: handled == 4)
        await stage.stop()
        await fill(broker, verdicts=3)
        page.count(ledger.CONSUMED, 4, stage="policy")
        page.count(ledger.IGNORED, 4, stage="policy")
        ended = await run(broker.bootstrap, "--metrics", address, "--since", baseline)
    assert "verdicts 7 = consumed 4 + waiting 3" in ended.out


async def test_pages_that_cannot_be_read_are_all_named(broker: EmbeddedBroker) -> None:
    page = Page()
    page.status = 503
    async with served(page) as address:
        ended = await run(broker.bootstrap, "--metrics", address, "--metrics", "127.0.0.1:1")
    assert ended.code == 2
    assert f"--metrics http://{address}/metrics: HTTP status 503" in ended.err
    assert "--metrics http://127.0.0.1:1/metrics: " in ended.err


async def test_a_page_that_is_none_is_told(broker: EmbeddedBroker) -> None:
    page = Page()
    with mock.patch("tests.cli.test_ledger_audit.generate_latest", return_value=b"{ not metrics"):
        async with served(page) as address:
            ended = await run(broker.bootstrap, "--metrics", address)
    assert ended.code == 2
    assert "that is no metrics page" in ended.err


async def test_without_an_address_this_machines_process_is_asked(broker: EmbeddedBroker) -> None:
    with mock.patch("moderato.cli.balance_run.run", new=mock.AsyncMock(return_value=0)) as asked:
        await run(broker.bootstrap)
    assert asked.call_args.args[1] == ["http://127.0.0.1:9090/metrics"]


@pytest.mark.parametrize("option", ["--since", "--save"])
async def test_a_file_that_cannot_be_had_is_told(broker: EmbeddedBroker, tmp_path: Path, option: str) -> None:
    page = Page()
    async with served(page) as address:
        ended = await run(broker.bootstrap, "--metrics", address, option, tmp_path / "none" / "f.json")
        assert ended.code == 2
        assert f"{option} {tmp_path}/none/f.json: No such file or directory" in ended.err
        (wrong := tmp_path / "wrong.json").write_text("{}")
        if option == "--since":
            ended = await run(broker.bootstrap, "--metrics", address, option, wrong)
            assert ended.code == 2
            assert "this is no baseline that --save wrote" in ended.err


def test_it_wants_brokers() -> None:
    ended = moderato("ledger")
    assert ended.code == 2
    assert "no brokers: set kafka.bootstrap" in ended.err
