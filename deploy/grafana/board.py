"""What every dashboard has in common: its variables, and panels that cannot be without title, unit and description.

Queries are written with `{M}` in their selectors, for the matchers of the variables, and with `$__rate_interval`.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
    from grafana_foundation_sdk.models import common as common_model
    from grafana_foundation_sdk.models import dashboard as model

MATCHERS = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"'
_SOURCE = common_model.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "docs/runbooks"


@dataclass(frozen=True)
class Query:
    """A query of a panel. `legend` is a Grafana template like `{{source}}`."""

    expr: str
    legend: str = ""


def rate(metric: str, by: str, more: str = "") -> Query:
    """A counter's rate, summed by labels; `more` are matchers besides those of the variables."""
    selector = f"{{M, {more}}}" if more else "{M}"
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return Query(f"sum by ({by}) (rate({metric}{selector}[$__rate_interval]))", legend)


def quantile(share: float, metric: str, by: str) -> Query:
    """A quantile of a histogram, by one label."""
    return Query(
        f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket{{M}}[$__rate_interval])))",
        f"p{share * 100:.0f} {{{{{by}}}}}",
    )


def ratio(part: str, whole: str, by: str) -> Query:
    """One counter's rate as a share of another's, 0 while the first has not come to be; each may carry matchers of its
    own, as `metric{state="failed"}`."""
    rates = [
        f"sum by ({by}) (rate({term.replace('{', '{M, ') if '{' in term else term + '{M}'}[$__rate_interval]))"
        for term in (part, whole)
    ]
    return Query(f"({rates[0]} or 0 * {rates[1]}) / {rates[1]}", f"{{{{{by}}}}}")


@dataclass(frozen=True)
class Panel:
    """A panel: time series, or with `kind` a stat of the newest value. `unit` is one of Grafana's ids (`reqps`,
    `s`, `short`, …); `height` and `width` in cells of Grafana's grid, 24 of which are a row. `alerts` are the runbooks
    that it helps with, `leads_to` the dashboard that the next look goes to. `thresholds` colour a stat from
    the value on; `empty` says what it means when there is nothing to show."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    kind: str = "timeseries"
    stacked: bool = False
    width: int = 8
    height: int = 8
    alerts: Sequence[str] = ()
    leads_to: str = ""
    thresholds: Sequence[tuple[float, str]] = ()
    empty: str = ""


@dataclass(frozen=True)
class Row:
    """A row with a title, and its panels."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    """A dashboard. `slug` is the end of its uid and the name of its file."""

    slug: str
    title: str
    description: str
    rows: Sequence[Row]

    def json(self) -> model.Dashboard:
        """The dashboard as Grafana takes it."""
        built = (
            dashboard.Dashboard(f"Moderato / {self.title}")
            .uid(f"moderato-{self.slug}")
            .description(self.description)
            .tags(["moderato"])
            .readonly()
            .refresh("30s")
            .time("now-1h", "now")
            .timezone("browser")
            .link(
                dashboard.DashboardLink("Moderato")
                .type(model.DashboardLinkType.DASHBOARDS)
                .tags(["moderato"])
                .as_dropdown(True)
                .include_vars(True)
                .keep_time(True)
            )
        )
        for variable in _variables():
            built = built.with_variable(variable)
        for row in self.rows:
            built = built.with_row(dashboard.Row(row.title))
            for panel in row.panels:
                built = built.with_panel(_panel(panel))
        return built.build()


def _variables() -> list[object]:
    def labels(name: str, label: str, scope: str, all_value: str) -> dashboard.QueryVariable:
        return (
            dashboard.QueryVariable(name)
            .label(label)
            .datasource(_SOURCE)
            .query(f"label_values(moderato_build_info{scope}, {name})")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(all_value)
            .current(model.VariableOption(selected=True, text="All", value="$__all"))
            .sort(model.VariableSort.ALPHABETICAL_ASC)
        )

    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        # A Prometheus outside Kubernetes has no namespaces: everything then.
        labels("namespace", "Namespace", "", ".*"),
        labels("job", "Job", '{namespace=~"$namespace"}', ".+"),
        labels("instance", "Instance", '{namespace=~"$namespace", job=~"$job"}', ".+"),
        # Where the runbooks are to be read: a page of one's own, when the repository's is not at hand.
        dashboard.ConstantVariable("runbooks").value(RUNBOOKS),
    ]


def _panel(panel: Panel) -> object:
    makers = {"timeseries": timeseries.Panel, "stat": stat.Panel}
    built = (
        makers[panel.kind]()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .height(panel.height)
        .span(panel.width)
    )
    for place, query in enumerate(panel.queries):
        target = (
            prometheus.Dataquery()
            .datasource(_SOURCE)
            .expr(query.expr.replace("{M}", "{" + MATCHERS + "}").replace("{M, ", "{" + MATCHERS + ", "))
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + place))
        )
        built = built.with_target(target.range())
    if panel.kind == "timeseries":
        built = (
            built.line_width(1)
            .fill_opacity(30 if panel.stacked else 8)
            .show_points(common_model.VisibilityMode.NEVER)
            .min(0)
            .tooltip(
                common.VizTooltipOptions()
                .mode(common_model.TooltipDisplayMode.MULTI)
                .sort(common_model.SortOrder.DESCENDING)
            )
            .legend(
                common.VizLegendOptions()
                .display_mode(common_model.LegendDisplayMode.LIST)
                .placement(common_model.LegendPlacement.BOTTOM)
                .show_legend(True)
            )
        )
        if panel.stacked:
            built = built.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    if panel.kind == "stat" and panel.thresholds:
        steps = [model.Threshold(value=value, color=color) for value, color in panel.thresholds]
        built = built.thresholds(
            dashboard.ThresholdsConfig()
            .mode(model.ThresholdsMode.ABSOLUTE)
            .steps([model.Threshold(value=None, color="green"), *steps])
        )
    if panel.empty:
        built = built.no_value(panel.empty)
    links = [
        dashboard.DashboardLink(f"Runbook: {alert}")
        .type(model.DashboardLinkType.LINK)
        .url(f"${{runbooks}}/{alert}.md")
        for alert in panel.alerts
    ]
    if links:
        built = built.links(links)
    if panel.leads_to:
        built = built.data_links(
            [
                dashboard.DashboardLink(f"Open {panel.leads_to}")
                .type(model.DashboardLinkType.LINK)
                .url(f"/d/moderato-{panel.leads_to}?${{__url_time_range}}&${{__all_variables}}")
            ]
        )
    return built
