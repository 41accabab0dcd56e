"""First starts and restarts of the worker on the log in memory.

Owns: what leaves after which start, and what a restart remembers.
Never: two workers at once, or how rows are learned.
Source: ARCHITECTURE.md, "Where a partition starts".
"""

from __future__ import annotations

from typing import Any

import pytest

from consumer.errors import WorldError
from consumer.topics import TopicSpec
from consumer.transport import Outgoing, TransportError
from schemas.example import TrainingExample, encode_example
from schemas.times import HOUR_MS
from tests.world import BEGIN_MS, PARTITIONS, World, ascending, event, offsets, shopping

EVENTS = shopping(3_000)
HALF = 1_500
SMALL: dict[str, Any] = {"limits": {"batch_max": 100}}
TOPICS = (
    "customer-events",
    "propensity-scores",
    "training-examples",
    "learner-states",
    "campaign-models",
    "dead-letters",
)


def as_learned(rows: list[TrainingExample]) -> list[bytes]:
    """The rows without what was served, which a rebuilt fold cannot know."""
    for row in rows:
        row.probability, row.experts, row.status = None, {}, "warming"
        row.model = row.model.__class__(row.model.lineage, row.model.learner, 0, "")
    return sorted({encode_example(row) for row in rows})


def test_history_is_learned_silently() -> None:
    """A first start publishes no score of what was there; its rows leave and are learned.

    history ──────────────► first start ──► new events
    rows, no scores                         rows and scores
    """
    world = World()
    world.send(EVENTS[:HALF])
    before = world.high("customer-events")
    worker = world.start()
    world.settle(worker)
    assert world.scores() == []
    rows = world.rows()
    assert len(rows) > 100
    assert {row.status for row in rows} == {"catching_up"}
    assert world.models()["click-6h"].version > 100
    world.send(EVENTS[HALF:])
    world.settle(worker)
    scores = world.scores()
    assert all(score.source.offset >= before[score.source.partition] for score in scores)
    assert len(scores) > 1_000
    assert {entry.status for score in scores for entry in score.scores} == {"warming"}
    assert {entry.model.version for score in scores for entry in score.scores} > {0}


def test_history_can_be_published() -> None:
    """With `publish_from: start` the history's scores leave, in order and once each."""
    world = World(publish_from="start", **SMALL)
    world.send(EVENTS)
    world.settle(world.start())
    for index in range(PARTITIONS):
        assert ascending(offsets(world.scores(index), index))
    scored = [v for _, v in EVENTS if v and (b'"page_view"' in v or b'"cart_add"' in v)]
    assert len(world.scores()) == len(scored)


@pytest.mark.parametrize("publish_from", ["now", "start"])
def test_a_restart_goes_on_with_the_same_scores(publish_from: str) -> None:
    """A worker that was stopped and started gives the scores of one that never stopped."""
    whole = World(publish_from=publish_from, **SMALL)
    stays = whole.start()
    whole.tick(stays)
    whole.send(EVENTS[:HALF])
    whole.drain(stays)
    stays.publish()  # As stopping does.
    whole.drain(stays)
    whole.send(EVENTS[HALF:])
    whole.drain(stays)

    world = World(publish_from=publish_from, **SMALL)
    first = world.start()
    world.tick(first)
    world.send(EVENTS[:HALF])
    world.drain(first)
    first.stop()
    published = len(world.scores())
    assert world.committed("customer-events") == world.high("customer-events")
    world.send(EVENTS[HALF:])
    second = world.start()
    while not second.scoring or second.rebuilding:
        world.tick(second)
    world.drain(second)
    assert len(world.scores()) > published > 0
    assert world.values("propensity-scores") == whole.values("propensity-scores")
    assert len(world.rows()) == len(whole.rows())
    assert as_learned(world.rows()) == as_learned(whole.rows())


def test_a_rebuild_is_silent() -> None:
    """Nothing that was committed leaves again: no score, no row, no dead letter."""
    world = World(publish_from="start", **SMALL)
    world.send([*EVENTS[:HALF], (b"c1", b"nonsense")])
    first = world.start()
    world.drain(first)
    first.stop()
    topics = world.settings.topics
    outputs = (topics.scores, topics.examples, topics.dead_letters, topics.states)
    before = [world.values(topic) for topic in outputs]
    assert all(before)
    second = world.start()
    world.tick(second)
    assert second.rebuilding
    assert world.health[id(second)].readiness()[0] is False
    world.drain(second)
    assert second.rebuilding == []
    assert world.health[id(second)].readiness()[0] is True
    assert [world.values(topic) for topic in outputs] == before


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_crash_repeats_only_equal_records(delivery: str) -> None:
    """What was produced and not committed leaves again, or was never seen."""
    world = World(publish_from="start", delivery=delivery, **SMALL)
    world.send(EVENTS[:HALF])
    first = world.start()
    for _ in range(9):
        world.tick(first)
    for _ in range(3):  # No time passes, so nothing is committed.
        assert first.tick() == 100
    world.crash(first)
    produced = len(world.scores())
    assert sum(world.committed("customer-events").values()) < 1_200
    second = world.start()
    world.drain(second)
    again = World(publish_from="start", **SMALL)
    again.send(EVENTS[:HALF])
    again.drain(again.start())
    assert len(again.scores()) > produced
    ids, ids_again = ([s.score_id for s in each.scores()] for each in (world, again))
    assert set(ids) == set(ids_again)
    if delivery == "exactly_once":
        assert ids == ids_again
    else:
        assert len(ids) > len(ids_again)
    assert as_learned(world.rows()) == as_learned(again.rows())


def test_a_first_start_is_remembered_before_the_first_event() -> None:
    """Events that come while a worker is down are not taken for history at its second start."""
    world = World(start_from="latest")
    world.send(EVENTS[:200])
    first = world.start()
    world.drain(first)
    first.stop()
    assert world.committed("customer-events") == world.high("customer-events")
    world.send(EVENTS[200:400])
    second = world.start()
    world.drain(second)
    scored = [v for _, v in EVENTS[200:400] if v and (b'"page_view"' in v or b'"cart_add"' in v)]
    assert len(world.scores()) == len(scored)


def test_a_start_at_a_time_is_remembered() -> None:
    """A restart rebuilds from the time of the first start, not from the beginning of the log."""
    world = World(start_from="2025-11-25T06:00:00Z", publish_from="start")
    for hour in range(24):
        at_ms = BEGIN_MS + hour * HOUR_MS
        for index, customer in enumerate(("a", "b")):
            key, value = event(customer, "page_view", at_ms, event_id=f"{customer}{hour}")
            world.log.append(Outgoing("customer-events", index, [key], [value], None, [at_ms]))
    first = world.start()
    world.drain(first)
    assert min(score.as_of for score in world.scores()) == "2025-11-25T06:00:00.000Z"
    first_offsets = [offsets(world.scores(), index)[0] for index in range(PARTITIONS)]
    first.stop()
    second = world.start(start_from="earliest", publish_from="start")
    while len(second.scoring) < PARTITIONS:
        world.tick(second)
    assert [scoring.start.origin for scoring in second.scoring] == first_offsets
    assert min(first_offsets) > 0


@pytest.mark.parametrize("topic", TOPICS)
def test_a_missing_topic(topic: str) -> None:
    """It is named, and the remedy is a command."""
    world = World()
    del world.log.topics[topic]
    with pytest.raises(TransportError) as caught:
        world.start()
    assert topic in caught.value.problem
    assert "propensity topics create" in caught.value.remedy


def test_too_few_partitions_for_the_scores() -> None:
    """Scores go to their event's partition number, so there must be as many."""
    world = World(partitions=4)
    del world.log.topics["propensity-scores"]
    world.log.create_topic(TopicSpec("propensity-scores", 3))
    with pytest.raises(WorldError, match="propensity-scores has 3 partitions") as caught:
        world.start()
    assert "4" in caught.value.remedy


def test_too_few_partitions_for_the_states() -> None:
    """A state stands in the partition number of its rows, so there must be as many."""
    world = World()
    del world.log.topics["learner-states"]
    world.log.create_topic(TopicSpec("learner-states", 1))
    with pytest.raises(WorldError, match="learner-states has 1 partition"):
        world.start()


def test_a_position_outside_of_the_log_stops_the_worker() -> None:
    """Records that retention took before they were read are not skipped in silence."""
    world = World()
    world.send(EVENTS[:100])
    first = world.start()
    world.drain(first)
    first.stop()
    world.send(EVENTS[100:300])
    for log in world.log.topics["customer-events"]:
        log.delete_before(log.high - 1)
    stopped = world.start()
    with pytest.raises(WorldError, match="records are gone unread") as caught:
        world.drain(stopped)
    assert "--rebuild" in caught.value.remedy
    stopped.abandon()
    second = world.start("two", rebuild=True)
    world.drain(second)
    assert world.committed("customer-events") == world.high("customer-events")


def test_a_worker_that_failed_commits_nothing() -> None:
    """After an error the positions stay where they were: what was not produced comes again."""
    world = World(publish_from="start", **SMALL)
    world.send(EVENTS[:HALF])
    first = world.start()
    world.tick(first)
    assert first.tick() == 100  # Commits: time has passed.
    before = world.committed("customer-events")
    assert first.tick() == 100
    first.abandon()
    assert world.committed("customer-events") == before
    second = world.start()
    world.drain(second)
    assert world.committed("customer-events") == world.high("customer-events")
