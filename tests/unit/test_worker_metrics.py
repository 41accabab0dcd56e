"""What a worker counts when: probabilities, what waits, aborted transactions, progress.

Owns: that these numbers are those of the log.
Never: names and kinds; tests/unit/test_telemetry.py has them.
Source: docs/metrics.md, "Metrics".
"""

from __future__ import annotations

import numpy as np
import pytest

from consumer import metrics
from consumer.metrics import PROBABILITY_BOUNDS
from consumer.telemetry import Telemetry
from consumer.transactions import Fault, TransactionFault
from consumer.transport import TransportError
from consumer.worker import Worker
from tests.world import World, plan, shopping

CAMPAIGNS = """\
version: 1
campaigns:
  buy-1d: {goal: {event: purchase}, horizon: 1d, score_on: [page_view, cart_add]}
  spend-1d: {goal: {event: purchase}, horizon: 1d, predict: value, score_on: [cart_add]}
  click-6h: {goal: {event: email_click}, horizon: 6h, score_on: [page_view], rate: 40%}
"""
MEASURED_MS = 6_000  # More than the worker lets pass between two measurements.


def told(world: World, worker: Worker) -> Telemetry:
    return world.telemetry[id(worker)]


def test_probabilities_are_those_that_were_published() -> None:
    """Of each campaign, as many lie between two bounds as on the score topic; of values, none."""
    world = World(publish_from="start")
    worker = world.start(given=plan(CAMPAIGNS))
    world.send(shopping(3_000))
    world.settle(worker)
    world.send(shopping(500, seed=2))
    world.settle(worker)
    for campaign in ("buy-1d", "click-6h"):
        published = [
            entry.probability
            for record in world.scores()
            for entry in record.scores
            if entry.campaign == campaign and entry.probability is not None
        ]
        histogram = told(world, worker).histogram(metrics.SCORE_PROBABILITY, campaign)
        places = np.searchsorted(PROBABILITY_BOUNDS, published, side="left")
        assert (
            histogram.counts == np.bincount(places, minlength=len(PROBABILITY_BOUNDS) + 1).tolist()
        )
        assert histogram.total == pytest.approx(sum(published))
    assert sum(told(world, worker).histogram(metrics.SCORE_PROBABILITY, "spend-1d").counts) == 0


def test_history_that_is_learned_silently_has_no_probabilities() -> None:
    """What was not published is not observed."""
    world = World()
    world.send(shopping(500))
    worker = world.start()
    world.settle(worker)
    assert world.scores() == []
    assert sum(told(world, worker).histogram(metrics.SCORE_PROBABILITY, "buy-1d").counts) == 0


def test_events_waiting_are_those_not_taken() -> None:
    """As many as the log holds behind what was folded, and none once all is."""
    world = World(publish_from="start", limits={"batch_max": 50})
    worker = world.start()
    world.tick(worker)
    world.send(shopping(900))
    world.clock.advance_ms(MEASURED_MS)
    world.tick(worker)
    waiting = [told(world, worker).events_waiting(index).value for index in range(2)]
    taken = [scoring.next_offset for scoring in sorted(worker.scoring, key=lambda s: s.partition)]
    high = list(world.high("customer-events").values())
    assert waiting == [end - done for end, done in zip(high, taken, strict=True)]
    assert sum(waiting) == 850
    world.drain(worker)
    world.clock.advance_ms(MEASURED_MS)
    world.tick(worker)
    assert [told(world, worker).events_waiting(index).value for index in range(2)] == [0, 0]


def test_an_aborted_transaction_is_counted_by_its_reason() -> None:
    """One that is done again, one that the group takes from us, and none where all is well."""
    world = World(publish_from="start")
    worker = world.start()
    world.send(shopping(200))
    world.drain(worker)
    aborted = {
        reason: told(world, worker).counter(metrics.TRANSACTIONS_ABORTED, reason)
        for reason in ("again", "lost", "fenced", "given_back", "failed")
    }
    commits = told(world, worker).counter(metrics.COMMITS).value
    assert commits > 0
    assert {counter.value for counter in aborted.values()} == {0.0}

    well = world.log.coordinator.strike

    def strike_once(step: str, name: str) -> None:
        del name
        if step == "commit":
            world.log.coordinator.strike = well
            raise TransactionFault(Fault.ABORT, TransportError("Not enough copies", "Wait"))

    world.log.coordinator.strike = strike_once
    world.send(shopping(200, seed=2))
    world.drain(worker)
    assert {reason: counter.value for reason, counter in aborted.items() if counter.value} == {
        "again": 1.0
    }
    assert told(world, worker).counter(metrics.COMMITS).value > commits
    at_s = told(world, worker).gauge(metrics.COMMIT_TIME).value
    assert world.clock.now_ms() / 1000 - 1 < at_s <= world.clock.now_ms() / 1000


def test_a_partition_that_rebuilds_nothing_is_live() -> None:
    """Its progress is 1 from the first measurement on, and not 0 for ever."""
    world = World()
    worker = world.start()
    world.clock.advance_ms(MEASURED_MS)
    world.tick(worker)
    world.clock.advance_ms(MEASURED_MS)
    world.tick(worker)
    assert told(world, worker).partition(0).rebuild_progress.value == 1.0
