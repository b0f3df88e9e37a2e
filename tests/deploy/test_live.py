"""Every panel's and every rule's query, asked of a real Prometheus that scrapes the running demo."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.deploy.installation import Missing
from tests.deploy.live import Prometheus, filled, watched
from tests.deploy.rules import ENTRIES
from tests.deploy.test_dashboards import PANELS

# Nothing to show while all is well, and what would have to happen.
EMPTY_WHEN_WELL = {
    "Against a week ago": "a week of history",
}
# What happens, or not, in the time of the test; the queries have to be good all the same.
BY_CHANCE = {
    # Vendors are called at the start of a room, and then every two minutes.
    "Calls that did not go well",
    "Time of a call, p99",
    "Precision by later human verdicts",
    "Refuted, and missed",
    "Agreement of vendors",  # counted after ten minutes, and where a room has two vendors
}
# The demo shows in seconds what takes a real installation hours to go wrong.
FIRE_IN_THE_DEMO = {"ModeratoTasksFailing"}
_ENOUGH = 25.0  # seconds of history: more than the window of the rates
_SLOW = 120.0  # seconds until what is rare in the demo has happened


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    try:
        with watched(tmp_path_factory.mktemp("prometheus")) as server:
            began = time.time()
            while time.time() - began < _ENOUGH or not server.query("moderato_build_info"):
                assert time.time() - began < _SLOW
                time.sleep(0.5)
            yield server
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


def _within(seconds: float, ask: Callable[[], object]) -> bool:
    limit = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > limit:
            return False
        time.sleep(1.0)
    return True


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("slug", "panel"), PANELS)
def test_every_query_of_a_panel_gives_data(prometheus: Prometheus, slug: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        expression = filled(target["expr"])
        if panel["title"] in EMPTY_WHEN_WELL:
            assert prometheus.query(expression) == []
        elif panel["title"] in BY_CHANCE:
            assert prometheus.query(expression) is not None
        else:
            assert _within(_SLOW, lambda asked=expression: prometheus.query(asked)), expression


@pytest.mark.parametrize("rule", ENTRIES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_rule_is_evaluated_without_an_error(prometheus: Prometheus, rule: dict[str, str]) -> None:
    prometheus.query(rule["expr"])
    groups = prometheus.ask("rules")["groups"]
    (found,) = [
        entry
        for group in groups
        for entry in group["rules"]
        if entry["name"] == (rule.get("alert") or rule["record"])
        and entry.get("labels", {}).get("stage") == rule.get("labels", {}).get("stage")  # type: ignore[attr-defined]
    ]
    assert found["health"] == "ok", found


def test_nothing_else_is_alerted_while_the_demo_is_well(prometheus: Prometheus) -> None:
    firing = prometheus.query('ALERTS{alertstate="firing"}')
    assert {sample["metric"]["alertname"] for sample in firing} <= FIRE_IN_THE_DEMO
