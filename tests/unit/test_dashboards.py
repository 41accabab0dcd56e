"""The dashboards of Grafana, held to the code that makes them and to the metrics.

Owns: that the JSON is current, and that panels ask for what there is and say what they show.
Never: a running Grafana or Prometheus; tests/integration/test_live_prometheus.py has the latter.
Source: ops/grafana.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from ops.grafana.__main__ import FOLDER, dashboards
from ops.grafana.panels import GRID_WIDTH
from tests.prometheus import unknown_names
from tests.test_tidy import ROOT
from tests.unit.test_alerts import rules

NAMES = ("models", "operations")


def panels(name: str) -> list[dict[str, Any]]:
    """The panels of a dashboard, as Grafana reads them; rows are none."""
    read = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [panel for panel in read["panels"] if panel["type"] != "row"]


def test_the_files_are_what_the_code_makes() -> None:
    """Nobody edits them by hand, and none is left behind."""
    made = dashboards()
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run: make docs"


@pytest.mark.parametrize("name", NAMES)
def test_panels_ask_for_what_there_is(name: str) -> None:
    """No query names a metric or a label that no worker has, or a variable that is not there."""
    read = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    variables = {each["name"] for each in read["templating"]["list"]}
    for panel in panels(name):
        for target in panel["targets"]:
            asked = target["expr"].replace("$__rate_interval", "5m")
            assert unknown_names(asked, frozenset(rules("record"))) == [], panel["title"]
            for variable in variables:
                asked = asked.replace(f"${variable}", "x")
            assert "$" not in asked, panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_panels_say_what_they_show(name: str) -> None:
    """Each has a title of its own, a sentence, a unit, thresholds, and names for its series."""
    titles = [panel["title"] for panel in panels(name)]
    assert len(set(titles)) >= len(titles) - 1, "Held back is a figure and a graph"
    for panel in panels(name):
        assert panel["description"].endswith("."), panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(filter(None, refs))) == len(refs) > 0, panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        if panel["type"] == "table":
            continue
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], panel["title"]
        if panel["type"] == "timeseries" or len(panel["targets"]) > 1:
            assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_panels_lie_beside_each_other(name: str) -> None:
    """None reaches over the edge, and none covers another."""
    read = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert len({panel["id"] for panel in read["panels"]}) == len(read["panels"])
    cells: set[tuple[int, int]] = set()
    for panel in read["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= GRID_WIDTH, panel["title"]
        own = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not own & cells, panel["title"]
        cells |= own


def test_every_metric_can_be_seen() -> None:
    """What is worth measuring is on a dashboard, or is the same as something that is."""
    from consumer.metrics import METRICS

    asked = " ".join(
        target["expr"] for name in NAMES for panel in panels(name) for target in panel["targets"]
    )
    unseen = {metric.name for metric in METRICS if metric.name not in asked}
    assert unseen == {"propensity_event_clock_timestamp_seconds"}, "freshness shows the clock"


def test_grafana_finds_the_files() -> None:
    """It looks for dashboards where docker-compose.yml mounts them."""
    provider = ROOT / "ops/grafana/provisioning/dashboards/propensity.yaml"
    (found,) = yaml.safe_load(provider.read_text(encoding="utf-8"))["providers"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    mounts = compose["services"]["grafana"]["volumes"]
    assert f"./ops/grafana/dashboards:{found['options']['path']}:ro" in mounts
