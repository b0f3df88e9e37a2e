"""The dashboards: current, and by the rules of Grafana's dashboard linter, which cannot be had as a package."""

import json
import re
from itertools import combinations
from typing import Any

import pytest

from deploy.grafana.__main__ import FOLDER
from deploy.grafana.board import Board
from deploy.grafana.boards import BOARDS, rendered
from tests.deploy.rules import ALERTS, unknown

LOADED: dict[str, Any] = {board.slug: json.loads(rendered(board)) for board in BOARDS}
PANELS = [
    pytest.param(slug, panel, id=f"{slug}: {panel['title']}")
    for slug, board in LOADED.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.slug)
def test_the_files_are_what_the_code_makes(board: Board) -> None:
    assert (FOLDER / f"{board.slug}.json").read_text(encoding="utf-8") == rendered(board), "make dashboards"


def test_there_is_no_file_without_code() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(LOADED)


@pytest.mark.parametrize("slug", LOADED)
def test_a_dashboard_can_be_pointed_at_any_prometheus_job_and_instance(slug: str) -> None:
    variables = {variable["name"]: variable for variable in LOADED[slug]["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["label"]) == (
        "datasource",
        "Data source",
    )
    for name in ("job", "instance"):
        assert variables[name]["multi"]
        assert variables[name]["includeAll"]
        assert variables[name]["allValue"] == ".+"
        assert variables[name]["datasource"]["uid"] == "${datasource}"
    assert LOADED[slug]["editable"] is False
    assert LOADED[slug]["uid"] == f"moderato-{slug}"


@pytest.mark.parametrize("slug", LOADED)
def test_panels_do_not_lie_over_one_another(slug: str) -> None:
    places = [panel["gridPos"] for panel in LOADED[slug]["panels"]]
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y, (one, other)
    assert all(place["x"] + place["w"] <= 24 for place in places)


@pytest.mark.parametrize(("slug", "panel"), PANELS)
def test_a_panel_says_what_it_shows_in_which_unit(slug: str, panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize(("slug", "panel"), PANELS)
def test_a_query_is_about_metrics_that_exist_and_keeps_to_the_variables(
    slug: str, panel: dict[str, Any]
) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        expression = target["expr"]
        assert unknown(expression) == []
        selectors = re.findall(r"((?:moderato|process)_\w+)(\{[^}]*\})?", expression)
        assert selectors
        for metric, matchers in selectors:
            assert 'namespace=~"$namespace", job=~"$job", instance=~"$instance"' in matchers
            if metric.endswith(("_total", "_bucket")):
                counted = re.search(rf"(?:rate|increase)\({metric}\{{", expression)
                balance = "- sum by" in expression  # the ledger compares counters as they stand
                assert counted or balance, metric
        for window in re.findall(r"\[(.*?)\]", expression):
            assert window in ("$__rate_interval", "30m", "1d")  # people decide rarely


@pytest.mark.parametrize(("slug", "panel"), PANELS)
def test_links_lead_to_dashboards_and_runbooks_that_exist(slug: str, panel: dict[str, Any]) -> None:
    for link in panel["fieldConfig"]["defaults"].get("links", []):
        (target,) = re.findall(r"/d/moderato-(\w+)\?", link["url"])
        assert target in LOADED
        assert target != slug
    for link in panel.get("links", []):
        (alert,) = re.findall(r"^\$\{runbooks\}/(\w+)\.md$", link["url"])
        assert alert in {rule["alert"] for rule in ALERTS}


def test_every_alert_is_reached_from_a_panel() -> None:
    linked = set(re.findall(r"\$\{runbooks\}/(\w+)\.md", json.dumps(LOADED)))
    assert linked == {rule["alert"] for rule in ALERTS}
