"""A worker as Prometheus sees it: every panel has data, and every rule is evaluated.

Owns: a worker on a log in memory that has lived for weeks, and a real Prometheus that scrapes it.
Never: when alerts fire; promtool plays that in tests/unit/test_alerts.py, and test_drills.py.
Source: ops/grafana, ops/prometheus.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

from consumer.shoppers import DAY_MS
from tests.integration.shop import Shop, open_shop, scraped
from tests.prometheus import SCRAPE_S, Prometheus, promtool
from tests.unit.test_dashboards import NAMES, panels

DAYS = 35
CHOICES = {"$__rate_interval": "1m", "$instance": ".*", "$campaign": ".*", "$window": "28d"}


class Watched(NamedTuple):
    """The worker's page of metrics, and who scrapes it."""

    page: str
    by: Prometheus


def strange_event(at_ms: int) -> bytes:
    """One that can be read in part: a property is nested, and the value beyond all bounds."""
    fields: dict[str, Any] = {"customer_id": "x", "type": "page_view", "occurred_at": at_ms}
    return json.dumps({**fields, "value": 1e300, "properties": {"channel": {"is": "app"}}}).encode()


def live(shop: Shop, seconds: float) -> None:
    """Let time pass, with some events and some nonsense in every turn."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        shop.send(count=4)
        shop.offer([b"{", strange_event(shop.world.clock.now_ms())])
        shop.turn()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A shop after some weeks, with a few seconds of life that Prometheus has seen."""
    shop = open_shop(DAYS)
    world = shop.world
    now_ms = world.clock.now_ms()
    for day in range(DAYS):
        shop.send(until_ms=now_ms - (DAYS - day) * DAY_MS)
        world.drain(shop.worker)
    world.settle(shop.worker)
    with scraped(shop, tmp_path_factory.mktemp("prometheus")) as (by, server):
        live(shop, 4 * SCRAPE_S)
        world.clock.advance_ms(2 * world.settings.snapshots.interval_ms)
        live(shop, 6 * SCRAPE_S)
        yield Watched("http://{}:{}/metrics".format(*server.address), by)


def numbers(by: Prometheus, expression: str) -> list[float]:
    """The values of the series that an expression gives now; those that are none are left out."""
    values = [float(each["value"][1]) for each in by.query(expression)]
    return [value for value in values if not math.isnan(value)]


def asked(expression: str) -> str:
    """An expression with the choices of somebody who looks at a dashboard."""
    for variable, choice in CHOICES.items():
        expression = expression.replace(variable, choice)
    return expression


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_panel_has_data(watched: Watched, name: str) -> None:
    """Each query of each dashboard gives at least one number, of a worker that lives."""
    empty = [
        f"{panel['title']}: {target['expr']}"
        for panel in panels(name)
        for target in panel["targets"]
        if not numbers(watched.by, asked(target["expr"]))
    ]
    assert empty == []


@pytest.mark.slow
def test_every_rule_is_evaluated(watched: Watched) -> None:
    """None fails on real series, as one with two matches on one side would."""
    groups = watched.by.ask("rules")["groups"]
    every = [rule for group in groups for rule in group["rules"]]
    assert len(every) > 20
    assert [(rule["name"], rule.get("lastError")) for rule in every if rule["health"] != "ok"] == []


@pytest.mark.slow
def test_prometheus_finds_nothing_in_the_page_of_a_worker(watched: Watched) -> None:
    """All that a worker shows passes Prometheus's linter."""
    with urlopen(watched.page, timeout=10) as answer:  # noqa: S310 - an address of our own server.
        page: bytes = answer.read()
    ours = b"".join(line for line in page.splitlines(keepends=True) if b"propensity_" in line)
    assert ours.count(b"# TYPE") > 60
    promtool("check", "metrics", given=ours)
