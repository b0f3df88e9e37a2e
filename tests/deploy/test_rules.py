"""The rules against the metrics that there are, and, with promtool, against made-up histories."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from moderato.metrics import REGISTRY
from tests.deploy.rules import ALERTS, ENTRIES, FILES, ROOT, unknown

HISTORIES = sorted(Path(__file__).parent.glob("*.test.yaml"))
HEADINGS = ["What it means", "What is at stake", "Look", "Do"]
RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("Moderato*.md"))


@pytest.mark.parametrize("rule", ENTRIES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_rule_is_about_metrics_that_exist_with_labels_that_they_have(rule: dict[str, str]) -> None:
    assert "moderato" in rule["expr"]
    assert unknown(rule["expr"]) == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_leads_to_a_runbook_that_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert {"summary", "description", "runbook_url"} == set(rule["annotations"])
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"
    text = (ROOT / rule["annotations"]["runbook_url"]).read_text(encoding="utf-8")
    assert re.findall(r"^# (.+)$", text, re.M) == [rule["alert"]]
    assert re.findall(r"^## (.+)$", text, re.M) == HEADINGS


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_runbook_is_about_an_alert_and_names_metrics_that_exist(path: Path) -> None:
    assert path.stem in {rule["alert"] for rule in ALERTS}
    for code in re.findall(r"`([^`]+)`", path.read_text(encoding="utf-8")):
        if "moderato_" in code and not code.endswith("…`"):
            assert unknown(code) == []


def test_the_index_lists_every_runbook_once() -> None:
    text = (ROOT / "docs/runbooks/README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\((Moderato\w+\.md)\)", text)) == [path.name for path in RUNBOOKS]


def test_every_alert_is_seen_to_fire_and_to_stay_quiet() -> None:
    tried = "\n".join(path.read_text(encoding="utf-8") for path in HISTORIES)
    named = set(re.findall(r"alertname(?:: |=\")(\w+)", tried))
    assert named == {rule["alert"] for rule in ALERTS}


def test_promtool_finds_nothing_wrong_with_the_rules(promtool: Callable[..., str]) -> None:
    promtool("check", "rules", *map(str, FILES))


@pytest.mark.timeout(360)
@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name)
def test_alerts_fire_when_they_should_and_only_then(promtool: Callable[..., str], path: Path) -> None:
    promtool("test", "rules", str(path))


def test_promtool_finds_nothing_wrong_with_what_is_scraped(promtool: Callable[..., str]) -> None:
    promtool("check", "metrics", stdin=generate_latest(REGISTRY).decode())
