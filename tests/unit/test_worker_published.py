"""`publish: changed` in whole workers: crashes leave no trace in what was published.

Owns: workers that die, on a log in memory, held to one that does not, under a model that stays.
Never: the rule of what is published; tests/unit/test_published.py has that.
Source: docs/guarantees.md.
"""

from __future__ import annotations

import pytest

from consumer import metrics
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.store import SnapshotStore
from consumer.transport import Outgoing
from consumer.worker import Worker
from models.plan import Plan
from schemas.model_record import encode_model_record
from tests.random_models import random_model
from tests.world import World, plan, shopping

CAMPAIGNS = """\
version: 1
contact_limit: {triggers: 1, within: 6h}
campaigns:
  buy-1d:
    goal: {event: purchase}
    horizon: 1d
    rate: 10%
    score_on: [page_view, cart_add]
    features: {categories: [channel], half_lives: [1h, 1d, all]}
    trigger: {when: {probability: 8%}, clear: {probability: 5%}, hold_out: 50%}
    publish: {changed: 50%}
  click-6h:
    goal: {event: email_click}
    horizon: 6h
    rate: 10%
    score_on: [page_view]
    score_every: 3h
    trigger: {when: {percentile: 6}, clear: {percentile: 4}, wait: 1h}
    publish: changed
  loud:
    goal: {event: cart_add}
    horizon: 6h
    score_on: [cart_add]
"""
EVENTS = 600


def shop() -> Plan:
    """Two campaigns that publish changes only, and one that does not."""
    return plan(CAMPAIGNS)


def world_of(store: SnapshotStore | None) -> World:
    """A group that is served by models of nobody."""
    world = World(
        store=store, publish_from="start", limits={"batch_max": 20},
        snapshots={"interval": "300ms"},
    )  # fmt: skip
    topics, served = world.settings.topics, shop()
    for name in served.campaigns:
        record = next(
            model for seed in range(100)
            if (model := random_model(served, name, seed)).status == "ready"
        )  # fmt: skip
        world.log.append(Outgoing(topics.models, 0, [name.encode()], [encode_model_record(record)]))
    return world


def started(world: World) -> Worker:
    """A worker that publishes no model of its own."""
    worker = world.worker(given=shop())
    worker._publish_by_time = False
    worker.start()
    return worker


def left(world: World) -> dict[str, list[list[bytes]]]:
    """What left, by topic and partition."""
    topics = world.settings.topics
    return {
        topic: [world.values(topic, index) for index in range(world.partitions)]
        for topic in (topics.scores, topics.triggers, topics.held_out)
    }


def uninterrupted() -> tuple[World, dict[str, list[list[bytes]]]]:
    """What one worker publishes that nothing happens to."""
    world = world_of(None)
    world.send(shopping(EVENTS, step_ms=200_000, customers=40))
    world.drain(started(world))
    return world, left(world)


def test_entries_that_say_nothing_new_do_not_leave() -> None:
    """They are counted; no record is empty, and an event without any entry has none."""
    world, _ = uninterrupted()
    (telemetry,) = world.telemetry.values()
    scores = world.scores()
    assert all(score.scores for score in scores)
    for name in shop().campaigns:
        entries = sum(entry.campaign == name for score in scores for entry in score.scores)
        published = telemetry.counter(metrics.SCORES, name, "ready").value
        unchanged = telemetry.counter(metrics.SCORES_UNPUBLISHED, name, "unchanged").value
        assert entries == published > 0
        assert (unchanged > 0) == (name != "loud")
    withheld = [
        telemetry.counter(metrics.TRIGGERS_WITHHELD, name, "contact_limit").value
        for name in ("buy-1d", "click-6h")
    ]
    assert sum(withheld) > 0


@pytest.mark.parametrize("with_snapshots", [False, True])
def test_crashes_leave_no_trace(*, with_snapshots: bool) -> None:
    """With snapshots or with the history alone: the same records in the same order."""
    _, expected = uninterrupted()
    world = world_of(MemoryStore() if with_snapshots else None)
    events = shopping(EVENTS, step_ms=200_000, customers=40)
    for first in range(0, EVENTS, 120):
        world.send(events[first : first + 120])
        worker = started(world)
        for _ in range(30):
            world.tick(worker)
        world.crash(worker)
    world.drain(started(world))
    found = left(world)
    assert all(any(partitions) for partitions in expected.values())
    assert found == expected
