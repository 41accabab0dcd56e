"""What our own topics have lost is never guessed: the worker stops, and goes on when told to.

Owns: training rows and scores that are gone although somebody still needs them.
Never: events that are gone; `test_worker_recovery.py` has those.
Source: docs/guarantees.md, "In both modes".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from consumer.errors import WorldError
from consumer.scoring import ScoringPartition
from consumer.snapshots.memory_store import MemoryStore
from consumer.topics import TopicSpec
from consumer.worker import Worker
from models.lifted import Lifted
from tests.world import World, shopping

EVENTS = shopping(2_400, seed=23)
OFTEN: dict[str, Any] = {
    "snapshots": {"interval": "1s"},
    "limits": {"batch_max": 50},
    "times": {"learner_interval": "1s"},
    "publish_from": "start",
}


def died_with_a_tail(store: MemoryStore) -> World:
    """A worker whose newest snapshot is older than its last commit is killed."""
    world = World(store=store, **OFTEN)
    world.send(EVENTS[:1_200])
    worker = world.start("one")
    world.settle(worker)
    kept = dict(store.files)
    world.send(EVENTS[1_200:2_000])
    world.drain(worker)
    world.crash(worker, "one")
    store.files.clear()
    store.files.update(kept)
    return world


def refused(world: World, name: str, words: str) -> str:
    """The remedy with which a worker stops."""
    worker = world.start(name)
    with pytest.raises(WorldError, match=words) as caught:
        world.drain(worker)
    worker.abandon()
    return caught.value.remedy


def gone_on(world: World) -> Worker:
    """A worker that was told to go on without what is gone."""
    worker = world.start("told", rebuild=True)
    world.send(EVENTS[2_000:])
    world.settle(worker)
    return worker


def test_rows_that_are_gone_unread_stop_the_worker() -> None:
    """Labels that nobody learned are missed knowingly or not at all."""
    world = World(**OFTEN)
    world.send(EVENTS[:1_600])
    worker = world.start("one")
    for _ in range(200):
        world.tick(worker)
        committed, ends = world.committed("training-examples"), world.ends("training-examples")
        index = max(ends, key=lambda each: ends[each] - committed.get(each, 0))
        if committed.get(index, 0) + 5 < ends[index]:
            break
    else:
        raise AssertionError("rows are learned as fast as they come")
    world.crash(worker, "one")
    learned_until = committed[index]
    gone = ends[index] - 2
    world.log.topics["training-examples"][index].delete_before(gone)
    said = refused(world, "two", f"learned up to {learned_until}, and is kept from {gone}")
    assert "--rebuild" in said
    gone_on(world)
    assert world.committed("training-examples")[index] >= world.ends("training-examples")[index]


def test_an_example_log_that_ends_before_what_was_learned_stops_the_worker() -> None:
    """A topic that has lost its end is not the one that was learned from."""
    world = World(**OFTEN)
    world.send(EVENTS[:1_200])
    worker = world.start("one")
    world.settle(worker)
    world.crash(worker, "one")
    group = world.log.group("propensity")
    partition = max(
        (each for each in group.committed if each.topic == "training-examples"),
        key=lambda each: group.committed[each].offset,
    )
    far = group.committed[partition]._replace(offset=1 << 40)
    group.committed |= {partition: far}
    assert "new `group`" in refused(world, "two", "or has lost rows")


def lose_some(world: World) -> None:
    """Retention takes scores of the tail."""
    for log in world.log.topics["propensity-scores"]:
        log.delete_before(log.high - 3)


def make_anew(world: World) -> None:
    """The score topic is deleted and created, and has grown beyond where it was."""
    logs = world.log.topics.pop("propensity-scores")
    world.log.create_topic(TopicSpec("propensity-scores", len(logs)))
    for log, old in zip(world.log.topics["propensity-scores"], logs, strict=True):
        for column, full in zip(log._columns(), old._columns(), strict=True):
            column.extend(full)
        log.high = old.high


def cut_off(world: World) -> None:
    """The score topic has lost all of its records, as after an unclean election."""
    ids = dict(world.log.topic_ids)
    logs = world.log.topics.pop("propensity-scores")
    world.log.create_topic(TopicSpec("propensity-scores", len(logs)))
    world.log.topic_ids.update(ids)


@pytest.mark.parametrize(
    ("lose", "words", "snapshots"),
    [
        (lose_some, "and begins at", True),
        (lose_some, "and begins at", False),
        (make_anew, "is not the topic that it was published to", True),
        (make_anew, "is not the topic that it was published to", False),
        (cut_off, "where it begins", True),  # A first start found it empty: nothing tells then.
    ],
)
def test_scores_of_a_tail_that_are_gone_stop_the_worker(
    lose: Callable[[World], None], words: str, snapshots: bool
) -> None:
    """No row may hold a prediction that nobody was served, unless somebody says go on."""
    store = MemoryStore()
    world = died_with_a_tail(store)
    if not snapshots:
        store.files.clear()
    served = {
        (entry.campaign, each.source.partition, each.source.offset): entry.probability
        for each in world.scores()
        for entry in each.scores
    }
    lose(world)
    assert "--rebuild" in refused(world, "two", words)
    worker = gone_on(world)
    unknown = world.telemetry[id(worker)].served_unknown.value
    assert lose is make_anew or unknown > 0, "it is counted"
    for row in world.rows():
        said = served.get((row.campaign, row.source.partition, row.source.offset))
        assert said in (None, row.probability) or row.status == "catching_up"


def test_a_score_topic_may_be_made_anew_where_no_tail_is_left() -> None:
    """After a stop everything is in the snapshot, and nothing has to be read back."""
    world = World(store=MemoryStore(), **OFTEN)
    world.send(EVENTS[:1_200])
    first = world.start("one")
    world.settle(first)
    first.stop()
    del world.log.topics["propensity-scores"]
    world.log.create_topic(TopicSpec("propensity-scores", world.partitions))
    second = world.start("two")
    world.send(EVENTS[1_200:1_800])
    world.settle(second)
    assert world.committed("customer-events") == world.high("customer-events")
    world.crash(second, "two")
    world.send(EVENTS[1_800:])
    third = world.start("three")
    world.settle(third)
    assert min(score.source.offset for score in world.scores(0)) > 0


def test_a_partition_that_has_expired_as_a_whole_stops_nobody() -> None:
    """What stands behind the last row is the end of its transaction, which is no row."""
    world = World(store=MemoryStore(), **OFTEN)
    world.send(EVENTS[:1_200])
    first = world.start("one")
    world.settle(first)
    first.stop()
    for log in world.log.topics["training-examples"]:
        log.delete_before(log.high)
    second = world.start("two")
    world.send(EVENTS[1_200:1_800])
    world.settle(second)
    assert world.committed("customer-events") == world.high("customer-events")


def test_what_was_rebuilt_without_scores_is_not_asked_for_again() -> None:
    """`--rebuild` is said once, also where nothing is snapshotted."""
    store = MemoryStore()
    world = died_with_a_tail(store)
    store.files.clear()
    make_anew(world)
    world.store = None
    worker = world.start("told", rebuild=True)
    world.send(EVENTS[2_000:])
    world.settle(worker)
    world.crash(worker, "told")
    last = world.start("last")
    world.settle(last)
    assert not last.rebuilding


def test_a_snapshot_of_another_layout_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version with other rows reads the log again, rather than not starting at all."""
    store = MemoryStore()
    world = World(store=store, **OFTEN)
    world.send(EVENTS[:1_200])
    first = world.start("one")
    world.settle(first)
    world.crash(first, "one")
    second = world.worker("two")

    def refuse(_self: ScoringPartition, _lifted: Lifted, _offset: int) -> None:
        message = "no field of name experts"
        raise ValueError(message)

    monkeypatch.setattr(ScoringPartition, "restore", refuse)
    second.start()
    world.settle(second)
    assert not second.rebuilding
    assert [each.restored_at for each in second.scoring] == [None, None]
