"""How rows reach a learner, states reach a restart, and models reach the scores.

Owns: the learning half of the worker on the log in memory.
Never: what a learner computes.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Any

import msgspec
import pytest

from consumer.errors import WorldError
from consumer.learning import LearningPartition
from consumer.other_topics import LearnedFrom
from consumer.telemetry import Telemetry
from consumer.transport import Outgoing, Partition, Position, Records
from consumer.worker import Worker
from models.trainer import Trainer
from schemas.example import ClosedBy, decode_example, encode_example
from schemas.learner_state import LearnerState, encode_learner_state
from schemas.times import DAY_MS
from tests.world import CAMPAIGNS, World, event, plan, shopping

EVENTS = shopping(4_000)
END_MS = 1_764_000_000_000 + 10 * DAY_MS
SMALL: dict[str, Any] = {"publish_from": "start", "limits": {"batch_max": 200}}


def closed(world: World, *workers: Worker) -> None:
    """Move the clock of every partition on, so that all that is open closes."""
    for day in range(12):
        world.send(
            event(f"c{number}", "nothing", END_MS + day * DAY_MS, event_id=f"end{day}-{number}")
            for number in range(40)
        )
    world.drain(*workers)


def learned(world: World) -> dict[str, bytes]:
    """The newest states, as bytes."""
    return {name: encode_learner_state(state) for name, state in world.states().items()}


def undisturbed() -> World:
    """One worker learns all events."""
    world = World(**SMALL)
    world.send(EVENTS)
    worker = world.start()
    world.drain(worker)
    closed(world, worker)
    worker.stop()
    return world


def test_every_row_is_learned_once_and_every_state_published() -> None:
    """Version = rows; the state covers them; models and states carry the same version."""
    world = undisturbed()
    rows = Counter(row.campaign for row in world.rows())
    assert rows.keys() == world.states().keys() == world.models().keys()
    assert min(rows.values()) > 400
    for name, state in world.states().items():
        assert state.version == rows[name] == world.models()[name].version
        assert max(world.committed("training-examples").values()) >= state.covered
    assert world.committed("training-examples") == world.ends("training-examples")


def test_models_come_back_through_their_topic() -> None:
    """A scorer serves a model once it is in the topic, and every score names its version."""
    world = World(**SMALL)
    worker = world.start()
    world.send(EVENTS[:3_000])
    world.drain(worker)
    closed(world, worker)
    assert {entry.model.version for score in world.scores() for entry in score.scores} == {0}
    before = len(world.scores())
    world.settle(worker)  # Ten seconds pass.
    versions = {name: record.version for name, record in world.models().items()}
    later = [
        event(f"c{number}", "page_view", END_MS + 11 * DAY_MS, event_id=f"l{number}")
        for number in range(40)
    ]
    world.send(later)
    world.drain(worker)
    entries = [entry for score in world.scores() for entry in score.scores]
    served = {(entry.campaign, entry.model.version) for entry in entries if entry.model.version}
    assert served == set(versions.items())
    assert len(world.scores()) == before + 40


def test_a_second_worker_serves_what_the_first_learned() -> None:
    """Models are read at the start, and followed, by workers that learn nothing."""
    world = undisturbed()
    second = world.start("two", group="others", **SMALL)
    assert {name: record.version for name, record in second.models.items()} == {
        name: record.version for name, record in world.models().items()
    }


@pytest.mark.parametrize("publishes", [False, True])
def test_a_crash_changes_nothing_that_is_learned(publishes: bool) -> None:
    """A learner restored equals, to the bit, one that never stopped; no row is learned twice.

    first   fold ── learn ── (publish) ── learn ── crash
    second                                         rebuild ── restore ── learn the rest
    """
    world = World(**SMALL)
    world.send(EVENTS)
    first = world.start()
    for turn in range(14):
        world.tick(first)
        if publishes and turn == 7:
            first.publish()
    first.tick()  # Produced, and not committed.
    world.crash(first)
    second = world.start()
    world.drain(second)
    closed(world, second)
    second.stop()
    whole = undisturbed()
    assert {n: s.version for n, s in world.states().items()} == {
        n: s.version for n, s in whole.states().items()
    }
    for state in world.states().values():
        assert encode_learner_state(state) == encode_learner_state(folded_again(world, state))


def folded_again(world: World, state: LearnerState) -> LearnerState:
    """The state that a trainer makes of the log of examples, up to what a state covers."""
    trainer = Trainer(plan())
    for log in world.log.topics["training-examples"]:
        below = bisect_left(log.offsets, state.covered)
        rows = [value for value in log.values[:below] if value is not None]
        if rows and decode_example(rows[0]).campaign == state.campaign:
            trainer.fold(log.offsets[:below], map(decode_example, rows))
    (made,) = [each for each in trainer.states() if each.campaign == state.campaign]
    return msgspec.structs.replace(
        made, topic_ids=state.topic_ids, partition_counts=state.partition_counts
    )


def test_no_campaign_waits_until_another_is_done() -> None:
    """Where rows have piled up, every learner gets its share of each turn."""
    world = undisturbed()
    states = world.log.topics["learner-states"]
    world.log.topics["learner-states"] = [type(states[0])() for _ in states]
    world.log.group("propensity").committed.clear()
    worker = world.start()
    for _ in range(9):  # The first ones find the partitions' beginnings.
        world.tick(worker)
    worker.publish()
    learned = {name: record.version for name, record in worker.newest_models().items()}
    assert min(learned.values()) > 64
    assert sum(learned.values()) < len(world.rows())


def test_repeated_rows_are_learned_once() -> None:
    """Rows that were produced twice are dropped by what closed them, and counted."""
    world = undisturbed()
    before = world.states()
    topic = world.settings.topics.examples
    for index, log in enumerate(world.log.topics[topic]):
        if log.values:
            world.log.append(Outgoing(topic, index, log.keys[-300:], log.values[-300:]))
    second = world.start()
    world.settle(second)
    second.stop()
    for name, state in world.states().items():
        assert state.version == before[name].version
        assert state.arrays == before[name].arrays
        assert state.closed_by == before[name].closed_by
        assert state.covered > before[name].covered
    meters = world.telemetry[id(second)].exposition()[0].decode()
    repeated = [line for line in meters.splitlines() if 'reason="repeated"' in line]
    assert sum(float(line.rpartition(" ")[2]) for line in repeated) == 600.0


def test_rows_that_change_nothing_are_committed_too() -> None:
    """States may have been published without a commit: what they cover is done all the same."""
    world = undisturbed()
    before = world.states()
    committed = world.log.group("propensity").committed
    for partition, position in list(committed.items()):
        if partition.topic == world.settings.topics.examples:
            committed[partition] = Position(position.offset // 2, position.note)
    world.settle(world.start())
    assert world.committed("training-examples") == world.ends("training-examples")
    assert world.states() == before


def test_a_position_of_rows_never_goes_back() -> None:
    """What changes a learner later does not take back what was committed before."""
    world = undisturbed()
    row = next(log.values[0] for log in world.log.topics["training-examples"] if log.values)
    partition, telemetry = Partition("training-examples", 0), Telemetry(world.clock)
    learning = LearningPartition(
        partition, 0, plan(), world.settings.topics, telemetry, LearnedFrom()
    )
    values = [b"no row", b"nor this", row]
    learning.add(Records(learning.partition, [0, 1, 2], [-1] * 3, [None] * 3, values, [[]] * 3))
    learning.learn(2)
    assert learning.position.offset == 2
    learning.learn(1)
    assert learning.changed
    assert learning.position.offset == 2


def test_rows_of_another_definition_are_left_out() -> None:
    """When the campaign's goal changes, its old rows, states and models do not count."""
    world = undisturbed()
    changed = plan(CAMPAIGNS.replace("horizon: 1d", "horizon: 2d"))
    topics = world.settings.topics
    world.log.group("propensity").committed.clear()
    second = world.start(given=changed)
    assert set(second.models) == {"click-6h"}
    world.drain(second)
    closed(world, second)
    second.stop()
    lineages = dict(zip(changed.campaigns, changed.lineages, strict=True))
    assert {n: s.lineage for n, s in world.states().items()} == lineages
    rows = [row for row in world.rows() if row.lineage == lineages["buy-1d"]]
    assert world.states()["buy-1d"].version == len(rows) > 0
    assert topics.states in world.log.topics


def test_rows_that_cannot_be_read_are_left_out() -> None:
    """What somebody else wrote into the topic of examples stops nobody."""
    world = World(**SMALL)
    world.log.append(Outgoing("training-examples", 3, [b"x", None], [b"nonsense", None]))
    worker = world.start()
    world.drain(worker)
    worker.stop()
    assert world.committed("training-examples")[3] in {0, 2}


def test_a_row_beyond_its_bounds_stops_no_restart() -> None:
    """A row that would make sums infinite is counted, and what is published can be read."""
    world = undisturbed()
    topic = world.settings.topics.examples
    index = next(place for place, log in enumerate(world.log.topics[topic]) if log.values)
    row = decode_example(world.values(topic, index)[-1])
    later = ClosedBy(row.closed_by.offset + 1, 0)
    beyond = msgspec.structs.replace(row, label=1e300, weight=1e300, closed_by=later)
    good = msgspec.structs.replace(row, closed_by=later)
    values = [encode_example(beyond), encode_example(good)]
    world.log.append(Outgoing(topic, index, [row.campaign.encode()] * 2, values))
    before = world.states()[row.campaign].version
    second = world.start()
    world.settle(second)
    second.stop()
    assert world.states()[row.campaign].version == before + 1
    meters = world.telemetry[id(second)].exposition()[0].decode()
    counted = [line for line in meters.splitlines() if "unreadable_example" in line]
    assert [float(line.rpartition(" ")[2]) for line in counted] == [1.0]
    world.settle(world.start())


@pytest.mark.parametrize("topic", ["campaign-models", "learner-states"])
def test_a_state_or_model_that_cannot_be_read_stops_the_worker(topic: str) -> None:
    """A record of another version is named; going on without it would start from nothing."""
    world = World(**SMALL)
    world.log.append(Outgoing(topic, 0, [b"buy-1d"], [b'{"format":2}']))
    worker = world.worker()
    with pytest.raises(WorldError, match=topic):
        _start_and_tick(world, worker)


def _start_and_tick(world: World, worker: Worker) -> None:
    worker.start()
    for _ in range(3):  # Read, and taken up, in the loop.
        world.tick(worker)
