"""What our dashboards are made of: figures, graphs, tables and rows, all looking alike.

Owns: the look: units, legends, thresholds, sizes, and the variable that names the data source.
Never: a query.
Source: https://grafana.github.io/grafana-foundation-sdk/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
GRAPH_HEIGHT: Final = 7
GRAPH_WIDTH: Final = 8  # Three beside each other.
GRID_WIDTH: Final = 24
REFS: Final = "ABCDEFGHIJ"
"""What Grafana calls the queries of a panel."""
GREEN, ORANGE, RED = "green", "orange", "red"

Panel = Builder[dashboard.Panel]


class Ask(NamedTuple):
    """A PromQL expression and what its series are called."""

    expression: str
    legend: str = ""


class Step(NamedTuple):
    """From this value on, this colour."""

    value: float | None
    colour: str


def figure(title: str, meaning: str, unit: str, asks: Sequence[Ask], *steps: Step) -> stat.Panel:
    """One number, or a few, to be seen from afar; its colour says whether it is well."""
    panel = (
        stat.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit(unit)
        .height(4)
        .span(3)
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_scheme(
            builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS),
        )
        .thresholds(_thresholds(steps or (Step(None, GREEN),)))
    )
    for ref, ask in zip(REFS, asks, strict=False):
        panel = panel.with_target(_query(ref, ask).instant())
    return panel


def graph(title: str, meaning: str, unit: str, *asks: Ask, limits: Sequence[Step] = (),
          stacked: bool = False, least: float | None = 0.0) -> timeseries.Panel:  # fmt: skip
    """Lines over time, with the newest and the greatest value of each in the legend."""
    legend = common_builders.VizLegendOptions().calcs(["lastNotNull", "max"]).show_legend(True)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit(unit)
        .height(GRAPH_HEIGHT)
        .span(GRAPH_WIDTH)
        .fill_opacity(25 if stacked else 5)
        .legend(
            legend.display_mode(common.LegendDisplayMode.TABLE).placement(
                common.LegendPlacement.BOTTOM
            )
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .thresholds(_thresholds(limits or (Step(None, GREEN),)))
    )
    if least is not None:
        panel = panel.min(least)
    if limits:
        panel = panel.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                common.GraphThresholdsStyleMode.DASHED
            )
        )
    if stacked:
        panel = panel.stacking(
            common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        )
    for ref, ask in zip(REFS, asks, strict=False):
        panel = panel.with_target(_query(ref, ask).range())
    return panel


def listing(title: str, meaning: str, columns: Mapping[str, str], height: int = 6,
            width: int = GRID_WIDTH) -> table.Panel:  # fmt: skip
    """A table of what is now: a column of values for each query, by the column's name."""
    names: dict[str, object] = {
        f"Value #{ref}": name for ref, name in zip(REFS, columns, strict=False)
    }
    if len(columns) == 1:
        names["Value"] = next(iter(columns))
    excluded: dict[str, object] = dict.fromkeys(("Time", "__name__"), True)
    panel = (
        table.Panel()
        .title(title)
        .description(meaning)
        .datasource(SOURCE)
        .unit("short")
        .height(height)
        .span(width)
        .with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize", options={"excludeByName": excluded, "renameByName": names}
            )
        )
    )
    for ref, expression in zip(REFS, columns.values(), strict=False):
        query = _query(ref, Ask(expression)).instant().format(PromQueryFormat.TABLE)
        panel = panel.with_target(query)
    return panel


def variable(name: str, label: str, query: str) -> builders.QueryVariable:
    """A choice among the values of a label; all of them at first."""
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def page(title: str, meaning: str, since: str) -> builders.Dashboard:
    """An empty dashboard of ours."""
    return (
        builders.Dashboard(f"propensity: {title}")
        .uid(f"propensity-{title.lower()}")
        .description(meaning)
        .tags(["propensity"])
        .readonly()
        .refresh("10s")
        .time(since, "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
        .link(
            builders.DashboardLink("propensity")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags(["propensity"])
            .keep_time(True)
        )
    )


def with_rows(
    built: builders.Dashboard, rows: Mapping[str, Sequence[Panel]]
) -> dashboard.Dashboard:
    """Put the rows below each other, and give the dashboard."""
    for title, panels in rows.items():
        built = built.with_row(builders.Row(title))
        for panel in panels:
            built = built.with_panel(panel)
    made = built.build()
    for number, each in enumerate(made.panels or [], 1):
        each.id_val = number
    return made


def _query(ref: str, ask: Ask) -> Dataquery:
    query = Dataquery().ref_id(ref).datasource(SOURCE).expr(ask.expression)
    return query.legend_format(ask.legend) if ask.legend else query


def _thresholds(steps: Sequence[Step]) -> builders.ThresholdsConfig:
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=step.value, color=step.colour) for step in steps])
    )
