"""Triggers that workers publish: where they go, and that crashes leave no trace in them.

Owns: whole workers on a log in memory, held to a naive evaluation of what they published.
Never: the rules of triggers; test_triggers.py has those.
Source: docs/guarantees.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

import pytest

from consumer import metrics
from consumer.partitioner import partition_of
from consumer.snapshots.memory_store import MemoryStore
from models import campaign_learner
from models.distinct_counts import DistinctCounts
from models.plan import Limits, Plan
from schemas.segment_call import decode_any
from schemas.times import parse_time
from schemas.trigger import TriggerRecord, decode_trigger
from tests.event_logs import LoggedEvent
from tests.naive_folds import NaiveFold
from tests.naive_triggers import NaiveTriggers
from tests.world import World, plan, shopping

CAMPAIGNS = """\
version: 1
campaigns:
  buy-1d:
    goal: {event: purchase}
    horizon: 1d
    rate: 10%
    score_on: [page_view, cart_add]
    example_interval: 0s
    features: {categories: [channel], half_lives: [1h, 1d, all]}
    trigger:
      when: {percentile: 50}
      clear: {percentile: 45}
      cooldown: 2h
      hold_out: 30%
      expires_after: 1h
"""
EVENTS = 700
READY_CUSTOMERS = 2


@pytest.fixture(autouse=True)
def soon_ready() -> Iterator[None]:
    """Few customers are enough to leave `warming`."""
    counts = partial(DistinctCounts, customers_max=READY_CUSTOMERS)
    with patch.object(campaign_learner, "DistinctCounts", counts):
        yield


def shop() -> Plan:
    """A campaign with a trigger."""
    return plan(CAMPAIGNS)


def left(world: World, topic: str, index: int) -> list[TriggerRecord]:
    """What a topic of triggers holds in a partition."""
    return [decode_trigger(value) for value in world.values(topic, index)]


def logged(value: bytes) -> LoggedEvent:
    """An event of the log, as the naive evaluation reads it."""
    event = json.loads(value)
    return LoggedEvent(
        event["customer_id"], event["type"], event["occurred_at"], event["event_id"],
        None, event["properties"],
    )  # fmt: skip


def hold_to_what_was_served(world: World) -> int:
    """Hold all triggers to the published scores; give how many there are."""
    topics, count = world.settings.topics, 0
    for index in range(world.partitions):
        events = [logged(value) for value in world.values(topics.events, index)]
        scores = {score.source.offset: score for score in world.scores(index)}
        naive = NaiveTriggers(NaiveFold(shop().file, events, Limits()), scores)
        expected = [
            (each.customer, each.kind, each.at_ms, scores[each.scored].score_id)
            for each in naive.fired
        ]
        found = [*left(world, topics.triggers, index), *left(world, topics.held_out, index)]
        said = [
            (each.customer_id, each.kind, parse_time(each.as_of), each.score.score_id)
            for each in found
        ]
        assert sorted(said) == sorted(expected)
        count += len(found)
    return count


def test_triggers_leave_beside_their_scores() -> None:
    """They go to the partition number of their event, with the customer as key, and are counted."""
    world = World(publish_from="start", limits={"batch_max": 20},
                  times={"learner_interval": "50ms"})  # fmt: skip
    world.send(shopping(EVENTS, step_ms=200_000))
    worker = world.start(given=shop())
    world.settle(worker)
    assert hold_to_what_was_served(world) > 5
    topics = world.settings.topics
    customers: dict[str, set[str]] = {}
    for topic in (topics.triggers, topics.held_out):
        for index, log in enumerate(world.log.topics[topic]):
            for key, value in zip(log.keys, log.values, strict=True):
                assert key is not None
                assert partition_of(key, world.partitions) == index
                assert decode_trigger(value or b"").customer_id == key.decode()
                customers.setdefault(topic, set()).add(key.decode())
    assert not customers[topics.triggers] & customers[topics.held_out]
    counted = world.telemetry[id(worker)].counter(metrics.TRIGGERS, "buy-1d", "held_out").value
    held_out = [each for index in (0, 1) for each in left(world, topics.held_out, index)]
    assert counted == sum(each.kind == "entered" for each in held_out) > 0


@pytest.mark.parametrize("with_snapshots", [False, True])
def test_crashes_leave_no_trace(*, with_snapshots: bool) -> None:
    """Each worker decides as if it had been there from the beginning, whatever its models are."""
    store = MemoryStore() if with_snapshots else None
    world = World(
        store=store, publish_from="start", limits={"batch_max": 20},
        times={"learner_interval": "50ms"}, snapshots={"interval": "300ms"},
    )  # fmt: skip
    events = shopping(EVENTS, step_ms=200_000)
    for first in range(0, EVENTS, 140):
        world.send(events[first : first + 140])
        worker = world.start(given=shop())
        for _ in range(40):
            world.tick(worker)
        world.crash(worker)
    world.settle(world.start(given=shop()))
    assert hold_to_what_was_served(world) > 5


def test_triggers_leave_as_calls() -> None:
    """With the setting the same ones leave, in the shape of Segment's calls."""
    found = []
    for shape in ("propensity", "segment"):
        world = World(
            publish_from="start", trigger_format=shape, limits={"batch_max": 20},
            times={"learner_interval": "50ms"},
        )  # fmt: skip
        world.send(shopping(EVENTS, step_ms=200_000))
        world.settle(world.start(given=shop()))
        topics = world.settings.topics
        found.append([*world.values(topics.triggers), *world.values(topics.held_out)])
    plain, calls = found
    assert [decode_any(value) for value in calls] == [decode_trigger(value) for value in plain]
    assert {json.loads(value)["type"] for value in calls} == {"track"}
