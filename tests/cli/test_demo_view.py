import io
from typing import Any

from rich.console import Console, RenderableType

from moderato import topics
from moderato.cli import demo_report, demo_view, ledger
from moderato.cli.demo_seen import Seen, Taken
from moderato.cli.demo_view import Frame
from moderato.cli.ledger import Counts, Line
from moderato.metrics import REGISTRY
from tests.cli.test_demo_seen import RECEIVED, outcome, record
from tests.sinks.support import action, verdict


def counts(**values: dict[tuple[tuple[str, str], ...], float]) -> Counts:
    """No counter has moved but the given ones."""
    names = {f"{family.name}_total" for family in REGISTRY.collect() if family.type == "counter"}
    return Counts({name: values.get(name, {}) for name in names})


def frame(**changes: Any) -> Frame:
    usual: dict[str, Any] = {
        "doing": "running",
        "elapsed": 5.0,
        "seconds": 20.0,
        "counts": counts(
            moderato_callbacks_received_total={(("source", "yidun_audio"),): 1204},
            moderato_callbacks_published_total={(("source", "yidun_audio"),): 1190},
            moderato_callbacks_rejected_total={
                (("code", "bad_token"), ("source", "yidun_audio")): 14,
                (("code", "empty_body"), ("source", "yidun_audio")): 0,
            },
            moderato_verdicts_total={
                (("category", "porn"), ("severity", "high"), ("source", "yidun_audio")): 17,
                (("category", "none"), ("severity", "none"), ("source", "yidun_audio")): 901,
            },
            moderato_actions_total={(("mode", "enforce"), ("type", "kick")): 16},
            moderato_outcomes_total={(("executor", "webhook"), ("state", "done"), ("type", "kick")): 15},
        ),
        "seen": Seen(),
        "sent": 1205,
        "delivered": 15,
        "sessions": 12,
        "rate": 59.6,
        "memory": 90 * 2**20,
        "metrics_url": "http://127.0.0.1:9090/metrics",
    }
    return Frame(**usual | changes)


def printed(part: RenderableType, width: int = 100) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=width).print(part)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def line_with(lines: list[str], word: str) -> str:
    [found] = [line for line in lines if word in line]
    return found


def test_the_picture_shows_every_figure_in_80_columns() -> None:
    seen = Seen()
    seen.take(record(topics.VERDICTS, verdict()), RECEIVED + 0.03)
    seen.take(record(topics.DEAD_LETTERS, "broken"), RECEIVED)
    lines = printed(demo_view.picture(frame(seen=seen)), 80)
    assert " ".join(line_with(lines, "yidun_audio").split()) == "│ yidun_audio 1,204 1,190 901 · · 17 · · 1 │"
    assert line_with(lines, "1,205").split() == ["│", "1,205", "1,190", "918", "16", "15", "15", "│"]
    assert "to verdict p50 30 ms, p99 30 ms; to outcome p50 -, p99 -" in line_with(lines, " age ")
    assert "60 callbacks/s, memory 90 MiB, http://127.0.0.1:9090/metrics" in line_with(lines, " process ")
    assert "bad_token 14" in line_with(lines, " rejected ")
    assert "empty_body" not in "".join(lines)
    assert "5 of 20 s" in line_with(lines, "running")
    assert not [line for line in lines if "…" in line]
    assert max(map(len, lines)) == 80


def test_before_anything_has_come_the_picture_says_so() -> None:
    lines = printed(demo_view.picture(frame(counts=counts(), memory=None)))
    assert "none yet" in line_with(lines, " actions   none")
    assert "memory unknown" in line_with(lines, " process ")
    assert not [line for line in lines if " rejected " in line]


def test_a_warning_has_one_line_of_the_picture_however_long_it_is() -> None:
    lines = printed(demo_view.picture(frame(notice="commit_failed " + "x" * 200)), 80)
    assert line_with(lines, "commit_failed").endswith("… │")


def test_the_plain_line_holds_the_same_figures() -> None:
    line = demo_view.plain_line(frame())
    for words in (
        "received 1204, published 1190, rejected 14",
        "verdicts 918 (none 901, low 0, medium 0, high 17, critical 0)",
        "actions 16, outcomes 15, dead letters 0",
        "60/s, 90 MiB",
    ):
        assert words in line
    assert "\n" not in line


def test_long_ages_are_told_in_seconds() -> None:
    assert [demo_view.milliseconds(age) for age in (None, 0.0123, 1.5, 90.2)] == [
        "-",
        "12 ms",
        "1,500 ms",
        "90 s",
    ]


def test_the_ledger_names_a_stage_once_and_marks_what_does_not_balance() -> None:
    lines = [
        Line("policy", {"verdicts": 7}, {"consumed": 7}),
        Line("policy", {"consumed": 7}, {"done": 3, "ignored": 3, "dead-lettered": 0}),
    ]
    told = printed(demo_report.ledger(lines))
    assert line_with(told, "verdicts 7 = consumed 7").startswith("policy")
    assert line_with(told, "verdicts 7 = consumed 7").endswith("ok")
    assert line_with(told, "ignored 3").startswith(" ")
    assert line_with(told, "ignored 3").endswith("DOES NOT BALANCE")


def test_the_closing_line_counts_what_is_wrong() -> None:
    good, bad = Line("a", {"x": 1}, {"y": 1}), Line("b", {"x": 1}, {"y": 2})
    assert str(demo_report.closing([good], 1190, 24.2, 90 * 2**20)) == (
        "All 1 lines balance: 1,190 callbacks acknowledged, none lost (24 s, 90 MiB)"
    )
    assert str(demo_report.closing([good, bad], 1190, 24.2, None)) == (
        "1 of 2 lines of the ledger does not balance (24 s)"
    )


def test_a_grave_verdict_is_told_from_the_vendors_words_to_the_outcome() -> None:
    seen = Seen()
    seen.take(record(topics.VERDICTS, verdict(text="那位领导的内幕\n你们懂的")), RECEIVED)
    seen.take(record(topics.ACTIONS, action()), RECEIVED)
    seen.take(record(topics.OUTCOMES, outcome()), RECEIVED + 0.05)
    lines = printed(demo_report.gravest(seen))
    chain = [line for line in lines[1:] if line]
    assert chain == [
        "critical     politics, shumei_audio: room lounge-7, user u-42, account acc-9",
        "vendor said  block by machine: politics, “那位领导的内幕 你们懂的”",
        "rules        decision block → category politics → grave → critical (2026.11.1)",
        "action       kick user u-42 (critical-kick) → done by webhook after 50 ms",
        "raw bytes    moderation.raw.shumei_audio, partition 0, offset 7",
    ]


def test_a_verdict_without_a_place_is_told_by_its_task() -> None:
    nowhere = verdict(room=None, user=None, account=None)
    seen = Seen()
    seen.take(record(topics.VERDICTS, nowhere), RECEIVED)
    assert line_with(printed(demo_report.gravest(seen)), "critical  ").endswith("shumei_audio: task task-1")


def test_when_all_was_well_the_report_says_so() -> None:
    assert "nothing but passes" in " ".join(printed(demo_report.gravest(Seen())))
    assert "None was called for" in " ".join(printed(demo_report.actions(Seen())))


def test_of_many_labels_those_of_the_verdicts_category_are_told() -> None:
    def label(code: str, category: str, **more: Any) -> dict[str, Any]:
        return {"code": code, "category": category, "name": None, "level": None, "confidence": None} | more

    labels = [
        label("timbre", "other"),
        label("porn", "porn", name="porn", level=2, confidence=0.876),
        label("300", "porn", name="涉黄"),
    ]
    words = demo_report.vendors_words(verdict(category="porn", labels=labels, text=None))
    assert words == "block by machine: porn level 2 (88%), 300 涉黄"
    many = verdict(category="porn", labels=labels * 3, text=None, judge="vendor_human")
    assert demo_report.vendors_words(many).startswith("block by vendor human: ")
    assert demo_report.vendors_words(many).endswith(", 2 more")
    assert demo_report.vendors_words(verdict(labels=[], text=None)) == "block by machine: no label"


def test_a_long_text_is_cut_around_its_keyword() -> None:
    text = "前" * 50 + "加我微信" + "后" * 50
    shown = demo_report.excerpt(text, ["加我微信"], cells=60)
    assert shown == "…" + "前" * 12 + "加我微信" + "后" * 13 + "…"
    assert demo_report.excerpt(text, [], cells=9) == "前前前前…"
    assert demo_report.excerpt("short", ["elsewhere"]) == "short"


def test_every_state_of_an_action_is_told_with_its_reason() -> None:
    def told(**changes: Any) -> str:
        return demo_report.deed(Taken(action(), RECEIVED, outcome(**changes), 0.05)).partition(" → ")[2]

    assert told() == "done by webhook after 50 ms"
    assert told(state="failed", detail="HTTP 500") == "failed: HTTP 500"
    assert told(state="shadow", detail=None) == "shadow"
    assert demo_report.deed(Taken(action(), RECEIVED)).endswith("→ no outcome yet")


def test_actions_are_counted_by_type_target_and_state() -> None:
    seen = Seen()
    for state, kind in (("done", "user"), ("done", "user"), ("expired", "user"), ("done", "room")):
        found = outcome(
            state=state, type="kick" if kind == "user" else "notify", target={"kind": kind, "id": "x"}
        )
        seen.take(record(topics.OUTCOMES, found), RECEIVED)
    lines = printed(demo_report.actions(seen))
    assert line_with(lines, "action ").split() == ["action", "target", "done", "expired"]
    assert line_with(lines, "kick").split() == ["kick", "user", "2", "1"]
    assert line_with(lines, "notify").split() == ["notify", "room", "1", "·"]


def test_where_to_look_next_names_what_exists() -> None:
    text = "\n".join(printed(demo_report.next_steps()))
    for command in ("explain", "run all", "tail", "/metrics", "README.md"):
        assert command in text


def test_the_ledgers_names_are_those_of_the_metrics() -> None:
    for name in (
        demo_view.VERDICTS,
        demo_view.SIGNALS,
        demo_view.ACTIONS,
        demo_view.OUTCOMES,
        ledger.PUBLISHED,
    ):
        assert counts().total(name) == 0
