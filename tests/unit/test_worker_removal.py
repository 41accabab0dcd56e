"""Tombstones in the topics of models and states: what was removed is served and restored no more.

Owns: what a worker makes of a removal, while it runs and at its start.
Never: who removes; `propensity campaigns remove` does.
Source: the contract, "Commands".
"""

from __future__ import annotations

from typing import Any

from consumer.campaign_topics import known_learners
from consumer.campaign_topics import remove as take_out
from consumer.memory_transport import MemoryTransport
from consumer.transport import Outgoing
from consumer.worker import Worker
from schemas.times import DAY_MS
from tests.world import BEGIN_MS, CAMPAIGNS, World, event, plan, shopping

LATER_MS = BEGIN_MS + 20 * DAY_MS
SMALL: dict[str, Any] = {"publish_from": "start", "limits": {"batch_max": 500}}


def learned() -> World:
    """A world where both campaigns were learned and the worker has stopped."""
    world = World(**SMALL)
    worker = world.start()
    world.send(shopping(1_500))
    world.send(event(f"c{number}", "x", LATER_MS, event_id=f"end-{number}") for number in range(20))
    world.settle(worker)
    worker.stop()
    assert min(world.models()[name].version for name in ("buy-1d", "click-6h")) > 0
    return world


def remove(world: World, topic: str, key: bytes) -> None:
    """Write a tombstone wherever the key is."""
    for index, log in enumerate(world.log.topics[topic]):
        if key in log.keys:
            world.log.append(Outgoing(topic, index, [key], [None]))


def served(world: World, worker: Worker, name: str) -> dict[str, int]:
    """The version of each campaign's model that a page view is scored with now."""
    before = len(world.scores())
    world.send([event("c1", "page_view", LATER_MS, event_id=name)])
    world.drain(worker)
    (score,) = world.scores()[before:]
    return {entry.campaign: entry.model.version for entry in score.scores}


def test_a_running_worker_stops_serving_what_was_removed() -> None:
    """A tombstone takes the model out of every partition; the other campaign's stays."""
    world = learned()
    worker = world.start()
    world.drain(worker)
    before = served(world, worker, "before")
    assert min(before.values()) > 0
    remove(world, "campaign-models", b"buy-1d")
    world.drain(worker)
    assert served(world, worker, "after") == {**before, "buy-1d": 0}
    assert set(worker.models) == set(worker.newest_models()) == {"click-6h"}
    meters = world.telemetry[id(worker)].exposition()[0].decode()
    assert 'propensity_model_status{campaign="buy-1d",status="warming"} 1.0' in meters
    assert 'propensity_model_version{campaign="buy-1d",learner="champion"} 0.0' in meters
    assert 'propensity_model_info{campaign="buy-1d"' not in meters


def test_a_model_removed_before_the_start_is_not_served() -> None:
    """Reading the topic, a later tombstone cancels the model; one of nobody is passed over."""
    world = learned()
    remove(world, "campaign-models", b"buy-1d")
    world.log.append(Outgoing("campaign-models", 0, [b"nobody", None], [None, None]))
    worker = world.start()
    world.drain(worker)
    assert set(worker.models) == {"click-6h"}
    assert served(world, worker, "after")["buy-1d"] == 0


def test_a_state_removed_is_not_restored() -> None:
    """A later tombstone cancels the state: the learner begins again with no row learned."""
    world = learned()
    versions = {name: state.version for name, state in world.states().items()}
    for topic, key in (("campaign-models", b"buy-1d"), ("learner-states", b"buy-1d/champion")):
        remove(world, topic, key)
    worker = world.start()
    world.send(
        event("c1", "page_view", LATER_MS + DAY_MS, event_id=f"again-{day}") for day in range(2)
    )
    world.send([event(f"c{n}", "x", LATER_MS + 9 * DAY_MS, event_id=f"e-{n}") for n in range(20)])
    world.settle(worker)
    worker.stop()
    rows = sum(row.campaign == "buy-1d" for row in world.rows())
    assert world.states()["buy-1d"].version == rows - versions["buy-1d"] > 0
    assert world.models()["buy-1d"].version == world.states()["buy-1d"].version
    assert world.states()["click-6h"].version >= versions["click-6h"]


def test_a_campaign_without_a_model_is_removed_too() -> None:
    """Its rows are waited for until the removal is heard of, though no model ever was."""
    world = World(partitions=1, **SMALL)
    first = world.start(times={"learner_interval": "1h"})
    world.send(shopping(300))
    world.send(event("c1", "x", LATER_MS, event_id=f"end-{number}") for number in range(20))
    world.drain(first)
    world.crash(first)
    assert world.models() == {}, "rows there are, and nothing was learned of them"
    second = world.start(given=plan(CAMPAIGNS.replace("buy-1d", "buys")))
    world.settle(second)
    waiting = [learning.waits_for for learning in second._share.learning.values()]
    assert "buy-1d" in {waits.campaign for waits in waiting if waits is not None}
    transport = MemoryTransport(world.log, group="propensity", instance="operator")
    records = [
        held
        for each in known_learners(transport, world.settings.topics)
        if each.campaign == "buy-1d"
        for held in each.records
    ]
    take_out(transport, world.settings.topics, records, whole=True)
    world.settle(second)
    assert all(each.waits_for is None for each in second._share.learning.values())
