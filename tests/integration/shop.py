"""A shop whose worker is scraped by a real Prometheus: a log in memory, shoppers, and the clock.

Owns: the worker, its page of metrics, and time that passes as it does outside.
Never: a broker; `tests/chaos` harms one.
Source: tests/world.py.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from consumer.clock import FixedClock
from consumer.http import HttpServer
from consumer.partitioner import partition_of
from consumer.shoppers import DAY_MS, START_MS, encoded_shopper_events
from consumer.snapshots.memory_store import MemoryStore
from consumer.transport import Outgoing
from consumer.worker import Worker
from tests.prometheus import Prometheus, prometheus
from tests.world import World, plan

ROOT = Path(__file__).parents[2]
RULES = ROOT / "ops/prometheus/rules"
TURN_S = 0.06
SHOPPERS = 300  # A campaign is `warming` until a hundred of them converted.
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
    challengers: [bayesian_logistic]
    trigger: {when: {percentile: 80}, clear: {percentile: 60}, expires_after: 1h, hold_out: 50%}
  spend-1d:
    for: [{event: account_closed, never: true}]
    goal: {event: purchase}
    horizon: 1d
    predict: value
    score_on: [page_view]
"""


class Shop(NamedTuple):
    """A worker whose clock goes with ours, and the shoppers that it scores."""

    world: World
    store: MemoryStore
    worker: Worker
    events: Iterator[tuple[int, bytes, bytes]]

    def send(self, until_ms: int | None = None, count: int = 1 << 62, without: str = "",
             late_ms: int = 0) -> None:  # fmt: skip
        """Send the events up to a time, or so many, but for those of one type.

        The broker's stamps are so many milliseconds old.
        """
        topic = self.world.settings.topics.events
        left_out = f'"{without}"'.encode()
        for at_ms, key, value in self.events:
            if without and left_out in value:
                continue
            index = partition_of(key, self.world.partitions)
            stamps = [self.world.clock.now_ms() - late_ms]
            self.world.log.append(Outgoing(topic, index, [key], [value], None, stamps))
            count -= 1
            if count <= 0 or (until_ms is not None and at_ms >= until_ms):
                return

    def offer(self, values: Iterable[bytes]) -> None:
        """Send records of a customer called x, stamped now."""
        self.offer_as(b"x", *values)

    def offer_as(self, customer: bytes, *records: bytes) -> None:
        """Send records of a customer, stamped now."""
        topic = self.world.settings.topics.events
        index = partition_of(customer, self.world.partitions)
        stamps = [self.world.clock.now_ms()] * len(records)
        keys: list[bytes | None] = [customer] * len(records)
        self.world.log.append(Outgoing(topic, index, keys, list(records), None, stamps))

    def turn(self) -> None:
        """One turn of the worker, which takes as long as its clock says."""
        self.world.tick(self.worker)
        time.sleep(TURN_S)


def open_shop(days: int) -> Shop:
    """A shop in which nobody has been yet; its shoppers' time is so many days ago."""
    now_ms = time.time_ns() // 1_000_000
    store = MemoryStore()
    world = World(store=store, publish_from="start")
    world.clock = FixedClock(now_ms)
    events = _shifted_events(now_ms - days * DAY_MS - START_MS)
    return Shop(world, store, world.start(given=plan(CAMPAIGNS)), events)


@contextlib.contextmanager
def scraped(shop: Shop, folder: Path) -> Iterator[tuple[Prometheus, HttpServer]]:
    """Yield a Prometheus with our rules that scrapes the shop's worker, and the worker's server."""
    mine = shop.world.telemetry[id(shop.worker)], shop.world.health[id(shop.worker)]
    with (
        contextlib.closing(HttpServer("127.0.0.1:0", *mine)) as server,
        prometheus(folder, "{}:{}".format(*server.address), RULES) as by,
    ):
        by.await_series("propensity_build_info")
        yield by, server


def _shifted_events(shift_ms: int) -> Iterator[tuple[int, bytes, bytes]]:
    for at_ms, key, value in encoded_shopper_events(1, shoppers_count=SHOPPERS):
        fields = json.loads(value)
        fields["occurred_at"] = at_ms + shift_ms
        yield at_ms + shift_ms, key, json.dumps(fields).encode()
