"""A worker as Prometheus sees it: every panel has data, every rule is evaluated, drills are seen.

Owns: a worker on a log in memory that has lived for weeks, and a real Prometheus that scrapes it.
Never: when alerts fire after how long; promtool plays that in tests/unit/test_alerts.py.
Source: ops/grafana, ops/prometheus.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

from consumer.clock import FixedClock
from consumer.http import HttpServer
from consumer.partitioner import partition_of
from consumer.shoppers import DAY_MS, START_MS, encoded_shopper_events
from consumer.snapshots.memory_store import MemoryStore
from consumer.transport import Outgoing
from consumer.worker import Worker
from tests.prometheus import SCRAPE_S, Prometheus, prometheus, promtool
from tests.unit.test_dashboards import NAMES, panels
from tests.world import World, plan

ROOT = Path(__file__).parents[2]
DAYS = 45
SHOPPERS = 60
CAMPAIGNS = """\
version: 1
campaigns:
  buy-1d:
    goal: {event: purchase}
    horizon: 1d
    rate: 15%
    score_on: [page_view, cart_add, email_click]
    example_interval: 1h
    features: {categories: [channel], numbers: [price]}
  spend-1d:
    goal: {event: purchase}
    horizon: 1d
    predict: value
    score_on: [page_view]
"""
CHOICES = {"$__rate_interval": "20s", "$instance": ".*", "$campaign": ".*", "$window": "28d"}


class Shop(NamedTuple):
    """A worker whose clock goes with ours, and the shoppers that it scores."""

    world: World
    worker: Worker
    events: Iterator[tuple[int, bytes, bytes]]

    def send(self, until_ms: int | None = None, count: int = 1 << 62) -> None:
        """Send the events up to a time, or so many."""
        topic = self.world.settings.topics.events
        for at_ms, key, value in self.events:
            index = partition_of(key, self.world.partitions)
            stamps = [self.world.clock.now_ms()]
            self.world.log.append(Outgoing(topic, index, [key], [value], None, stamps))
            count -= 1
            if count <= 0 or (until_ms is not None and at_ms >= until_ms):
                return

    def live(self, seconds: float, *, nonsense: bool = False) -> None:
        """Let time pass as it does, with some events in every turn."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.send(count=3)
            if nonsense:
                self.world.send([(b"x", b"{"), (b"x", b'{"customer_id": 7}')])
                self.world.send([(b"x", strange_event(self.world.clock.now_ms()))])
            self.world.tick(self.worker)
            time.sleep(0.06)


def strange_event(at_ms: int) -> bytes:
    """One whose properties can be read in part."""
    strange: dict[str, Any] = {"nested": {"a": 1}, "price": 1e300}
    fields = {"customer_id": "x", "type": "page_view", "occurred_at": at_ms, "properties": strange}
    return json.dumps(fields).encode()


def shifted_events(shift_ms: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The shoppers' events as if they had happened lately."""
    for at_ms, key, value in encoded_shopper_events(1, shoppers_count=SHOPPERS):
        fields = json.loads(value)
        fields["occurred_at"] = at_ms + shift_ms
        yield at_ms + shift_ms, key, json.dumps(fields).encode()


def open_shop() -> Shop:
    """A shop in which nobody has been yet."""
    now_ms = time.time_ns() // 1_000_000
    world = World(store=MemoryStore())
    world.clock = FixedClock(now_ms)
    return Shop(
        world,
        world.start(given=plan(CAMPAIGNS)),
        shifted_events(now_ms - DAYS * DAY_MS - START_MS),
    )


class Watched(NamedTuple):
    """A shop, its page of metrics, and who scrapes it."""

    shop: Shop
    page: str
    by: Prometheus


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A shop after some weeks, with a few seconds of life that Prometheus has seen."""
    shop = open_shop()
    world = shop.world
    now_ms = world.clock.now_ms()
    for day in range(DAYS):
        shop.send(until_ms=now_ms - (DAYS - day) * DAY_MS)
        world.drain(shop.worker)
    world.settle(shop.worker)
    mine = world.telemetry[id(shop.worker)], world.health[id(shop.worker)]
    server = HttpServer("127.0.0.1:0", *mine)
    target = "{}:{}".format(*server.address)
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus(folder, target, ROOT / "ops/prometheus/rules") as by:
        by.await_series("propensity_build_info")
        shop.live(4 * SCRAPE_S, nonsense=True)
        world.clock.advance_ms(2 * world.settings.snapshots.interval_ms)
        shop.live(6 * SCRAPE_S, nonsense=True)
        yield Watched(shop, f"http://{target}/metrics", by)
    server.close()


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
    assert {
        rule["name"]: rule.get("lastError", "") for rule in every if rule["health"] != "ok"
    } == {}


@pytest.mark.slow
def test_prometheus_finds_nothing_in_the_whole_page(watched: Watched) -> None:
    """All that a worker shows passes Prometheus's linter."""
    with urlopen(watched.page, timeout=10) as answer:  # noqa: S310 - an address of our own server.
        page: bytes = answer.read()
    ours = b"".join(line for line in page.splitlines(keepends=True) if b"propensity_" in line)
    assert ours.count(b"# TYPE") > 60
    promtool("check", "metrics", given=ours)
