"""The alert rules: against the metrics that there are, and, where promtool is at hand, against made-up histories."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from moderato.metrics import REGISTRY

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/ledger.rules.yaml"
ENTRIES = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in ENTRIES if "alert" in rule]


def exported() -> dict[str, set[str]]:
    """Every metric by the name it is scraped under, with its labels."""
    found: dict[str, set[str]] = {}
    for collector in REGISTRY._collector_to_names:
        labels = set(getattr(collector, "_labelnames", ()))
        for name in REGISTRY._collector_to_names[collector]:
            found[name] = labels
    return found


@pytest.mark.parametrize("rule", ENTRIES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_rule_is_about_metrics_that_exist_with_labels_that_they_have(rule: dict[str, str]) -> None:
    known = exported()
    recorded = {entry["record"] for entry in ENTRIES if "record" in entry}
    names = re.findall(r"\b(moderato[a-z_:0-9]+)(?:\{([^}]*)\})?", rule["expr"])
    assert names
    for name, matchers in names:
        if name not in recorded:
            assert name in known
            assert set(re.findall(r"(\w+)=", matchers)) <= known[name]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert {"summary", "description", "runbook"} <= set(rule["annotations"])
    document, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / document).read_text(encoding="utf-8"), re.M)
    assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


if shutil.which("promtool"):

    def test_the_alerts_fire_when_numbers_do_not_add_up_and_only_then() -> None:
        command = ["promtool", "test", "rules", str(Path(__file__).parent / "ledger.test.yaml")]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
