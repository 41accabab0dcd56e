"""Topics that are others than those that learners learned from: the worker stops and says so.

Owns: what a state says of its topics, and that no row is taken for one learned before.
Never: committed offsets of another topic; tests/unit/test_positions.py has those.
Source: ARCHITECTURE.md, "Where a partition starts"; docs/contract.md, "Changing the topics".
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from consumer.errors import WorldError
from consumer.memory_log import PartitionLog
from consumer.other_topics import LearnedFrom
from consumer.topics import TopicSpec
from consumer.transport import TopicIdentity
from models.trainer import Trainer
from tests.world import World, plan, shopping

EVENTS = shopping(3_000, step_ms=60_000)
SMALL: dict[str, Any] = {"publish_from": "start", "limits": {"batch_max": 200}}
TOPICS = LearnedFrom(TopicIdentity("events", "a", 4), TopicIdentity("rows", "b", 2))
NAMES = ("customer-events", "training-examples")


def state_of(topics: LearnedFrom) -> Any:
    """A state that was learned from these topics."""
    trainer = Trainer(plan())
    trainer.begin(["buy-1d"])
    (state,) = trainer.states()
    return topics.sign(state)


def learned(**settings: Any) -> World:
    """A world whose worker has learned, and stopped."""
    world = World(**SMALL, **settings)
    world.send(EVENTS)
    worker = world.start()
    world.settle(worker)
    worker.stop()
    assert min(state.version for state in world.states().values()) > 50
    return world


def make_anew(world: World, topic: str) -> None:
    """Delete a topic and create it again, with as many partitions."""
    partitions = len(world.log.topics.pop(topic))
    world.log.create_topic(TopicSpec(topic, partitions))


ACTING = ("campaign-triggers", "campaign-triggers-held-out")


def grow(world: World, *topics: str) -> None:
    """Give topics one partition more."""
    for topic in topics:
        world.log.topics[topic].append(PartitionLog())


def refused(world: World, group: str) -> WorldError:
    """What a worker of a group says when it stops; it has published nothing."""
    states, committed = world.values("learner-states"), world.log.group(group).committed.copy()
    worker = world.start(group=group, **SMALL)
    with pytest.raises(WorldError) as caught:
        world.drain(worker)
    worker.abandon()
    assert world.values("learner-states") == states
    rows = {at: where for at, where in world.log.group(group).committed.items()
            if at.topic == "training-examples"}  # fmt: skip
    assert rows == {at: where for at, where in committed.items() if at in rows}
    meters = world.telemetry[id(worker)].exposition()[0].decode().splitlines()
    assert not any('reason="repeated"' in line and not line.endswith(" 0.0") for line in meters)
    return caught.value


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (TOPICS._replace(events=TopicIdentity("events", "c", 4)), "topic events was made anew"),
        (TOPICS._replace(examples=TopicIdentity("rows", "c", 2)), "topic rows was made anew"),
        (TOPICS._replace(events=TopicIdentity("events", "a", 6)), "had 4 partitions and has 6"),
        (TOPICS._replace(examples=TopicIdentity("rows", "", 3)), "had 2 partitions and has 3"),
        (
            TOPICS._replace(events=TopicIdentity("clicks", "a", 4)),
            "from the topics events and rows, and the settings name clicks and rows",
        ),
    ],
)
def test_a_state_of_other_topics(now: LearnedFrom, said: str) -> None:
    """It is refused, by the names of the state and of the topic, with the procedure."""
    with pytest.raises(WorldError, match=said) as caught:
        now.refuse_others(state_of(TOPICS))
    assert "learner state buy-1d/champion" in caught.value.problem
    assert "`topics` of its own for examples, states and models" in caught.value.remedy


def test_what_is_not_known_is_not_compared() -> None:
    """A broker that tells no id, and a state of an older version, are no reason to stop."""
    nameless = LearnedFrom(*(topic._replace(id="") for topic in TOPICS))
    for one, other in ((TOPICS, TOPICS), (TOPICS, nameless), (nameless, TOPICS)):
        one.refuse_others(state_of(other))
    TOPICS.refuse_others(msgspec.structs.replace(
        state_of(TOPICS), topic_ids={}, partition_counts={}
    ))  # fmt: skip


def test_every_state_names_its_topics() -> None:
    """So does one of a worker that was given no partition of events."""
    world = World(partitions=1, **SMALL)
    world.send(EVENTS)
    workers = [world.start("one"), world.start("two")]
    world.settle(*workers)
    assert not workers[1].scoring
    alone = world.telemetry[id(workers[1])]
    assert sum(alone.campaign(name).examples_learned.value for name in plan().campaigns) > 50
    states = list(world.states().values())
    assert len(states) == len(plan().campaigns)
    for state in states:
        assert state.topic_ids == {name: world.log.topic_ids[name] for name in NAMES}
        assert state.partition_counts == {name: len(world.log.topics[name]) for name in NAMES}


@pytest.mark.parametrize("topic", NAMES)
def test_a_new_group_on_a_topic_that_was_made_anew(topic: str) -> None:
    """Its rows would pass for those that were learned; with topics of its own it learns them."""
    world = learned()
    make_anew(world, topic)
    world.send(EVENTS)
    error = refused(world, "others")
    assert f"The topic {topic} was made anew" in error.problem
    assert "Start a new `group`" in error.remedy
    for other in ("training-examples", "learner-states", "campaign-models"):
        make_anew(world, other)
    worker = world.start(group="third", **SMALL)
    world.settle(worker)
    assert sum(state.version for state in world.states().values()) == len(world.rows()) > 100


@pytest.mark.parametrize(
    ("grown", "whose"),
    [
        (("customer-events", "propensity-scores", *ACTING), "customers"),
        (("training-examples", "learner-states"), "campaigns"),
    ],
)
def test_a_topic_with_another_number_of_partitions(grown: tuple[str, str], whose: str) -> None:
    """Rows have other partitions now than those that states know them by."""
    world = learned()
    grow(world, *grown)
    error = refused(world, "others")
    assert f"The topic {grown[0]} had" in error.problem
    assert f"{whose} have moved" in error.problem
    assert "`start_from: earliest`" in error.remedy


def test_the_group_of_the_offsets_is_refused_too() -> None:
    """Offsets of examples carry no note: the states tell."""
    world = learned()
    make_anew(world, "training-examples")
    assert "training-examples was made anew" in refused(world, "propensity").problem


@pytest.mark.parametrize("topic", NAMES)
def test_a_topic_that_grows_while_it_is_worked_on(topic: str) -> None:
    """The rebalance that follows takes no fold up again as if nothing had happened."""
    world = World(**SMALL)
    world.send(EVENTS)
    worker = world.start()
    world.settle(worker)
    grow(world, topic, "propensity-scores", "learner-states")
    world.log.group(world.settings.group)._rebalance()
    with pytest.raises(WorldError, match=f"The topic {topic} had"):
        world.drain(worker)
