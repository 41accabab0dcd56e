"""Workers that share the work of one group, and records that cannot be read.

Owns: which worker scores what, and where its outputs go.
Never: how a restart rebuilds, or how rows are learned.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

import random
from functools import cache

import pytest

from consumer.errors import WorldError
from consumer.memory_transport import MemoryTransport
from consumer.transport import Outgoing, OwnershipLostError
from consumer.worker import Worker
from tests.mutated_events import mutated
from tests.world import Offered, World, ascending, event, offsets, shopping

PARTITIONS = 4
EVENTS = shopping(4_000)


def scored(offered: list[Offered]) -> int:
    """How many of the events ask for a score."""
    return sum(b'"page_view"' in (v or b"") or b'"cart_add"' in (v or b"") for _, v in offered)


def world_of_four() -> World:
    return World(partitions=PARTITIONS, publish_from="start", limits={"batch_max": 150})


def owned(*workers: Worker) -> list[int]:
    """The partitions of each worker, one after the other."""
    return [
        index
        for worker in workers
        for index in sorted(
            {scoring.partition.index for scoring in worker.scoring}
            | {each.index for each in worker.rebuilding if each.topic == "customer-events"}
        )
    ]


def answered(world: World) -> list[tuple[str, int, int]]:
    """Which events have a score; models may differ, for a rebalance publishes them sooner."""
    return sorted({(s.score_id, s.source.partition, s.source.offset) for s in world.scores()})


@cache
def answered_by_one() -> list[tuple[str, int, int]]:
    """What one undisturbed worker scores."""
    world = world_of_four()
    world.send(EVENTS)
    world.drain(world.start())
    return answered(world)


def test_two_workers_share_the_work() -> None:
    """Each event is scored by exactly one of them, in the order of its partition."""
    world = world_of_four()
    first, second = world.start("one"), world.start("two")
    world.tick(first, second)
    world.tick(first, second)
    assert sorted(owned(first, second)) == [0, 1, 2, 3]
    assert len(owned(first)) == len(owned(second)) == 2
    world.send(EVENTS)
    world.drain(first, second)
    scores = world.scores()
    assert len(scores) == len({score.score_id for score in scores}) == scored(EVENTS)
    for index in range(PARTITIONS):
        assert ascending(offsets(world.scores(index), index))


def test_scores_stand_in_the_partition_number_of_their_event() -> None:
    """A score's partition is its event's, whatever partitioner the sender has."""
    world = world_of_four()
    for number in range(40):
        key, value = event(f"c{number}", "page_view", 1_764_000_000_000, event_id=f"e{number}")
        world.log.append(Outgoing("customer-events", number % 4, [key], [value]))
    world.drain(world.start())
    for index in range(PARTITIONS):
        scores = world.scores(index)
        assert {score.source.partition for score in scores} == {index}
        assert len(scores) == 10


@pytest.mark.parametrize("crashes", [False, True])
def test_when_one_leaves_the_other_goes_on(crashes: bool) -> None:
    """Whether it says goodbye or not, every event is scored, and as if nothing had happened."""
    world = world_of_four()
    first, second = world.start("one"), world.start("two")
    world.tick(first, second)
    world.send(EVENTS[:2_000])
    for _ in range(5):
        world.tick(first, second)
    if crashes:
        world.crash(second, "two")
    else:
        second.stop()
    published = len(world.scores())
    assert scored(EVENTS) > published > 0
    world.send(EVENTS[2_000:])
    world.drain(first)
    assert owned(first) == [0, 1, 2, 3]
    scores = world.scores()
    assert answered(world) == answered_by_one()
    assert len(answered(world)) == scored(EVENTS)
    if not crashes:
        assert len(scores) == scored(EVENTS)
    assert world.committed("customer-events") == world.high("customer-events")


def test_what_stays_is_not_rebuilt() -> None:
    """A worker keeps the folds of the partitions that it is given again.

    one  0 1 2 3 | 0 1     | 0 1 2 3
    two          |     2 3 |
    """
    world = world_of_four()
    first = world.start("one")
    world.send(EVENTS[:2_000])
    world.drain(first)
    before = {scoring.partition.index: scoring for scoring in first.scoring}
    second = world.start("two")
    world.tick(first, second)
    world.tick(first, second)
    assert owned(first, second) == [0, 1, 2, 3]
    assert [before[s.partition.index] is s for s in first.scoring] == [True, True]
    assert first.rebuilding == []
    assert {each.index for each in second.rebuilding if each.topic == "customer-events"} == {2, 3}
    world.drain(second, first)
    world.send(EVENTS[2_000:3_000])
    world.drain(first, second)
    second.stop()
    world.send(EVENTS[3_000:])
    world.tick(first)
    world.tick(first)
    assert owned(first) == [0, 1, 2, 3]
    world.drain(first)
    kept = {s.partition.index for s in first.scoring if before[s.partition.index] is s}
    assert kept == {0, 1}
    world.drain(first)
    assert answered(world) == answered_by_one()
    assert len(world.scores()) == scored(EVENTS)


def test_partitions_that_were_lost_are_built_anew() -> None:
    """A worker whose session expired keeps nothing of what it held, and is not ready."""
    world = world_of_four()
    first = world.start("one")
    world.send(EVENTS[:2_000])
    world.drain(first)
    before = first.scoring
    assert first.tick() == 0
    world.log.expel("propensity", "one")
    health = world.health[id(first)]
    assert health.readiness() == (True, "ok\n")
    world.log.group("propensity").rebalancing = False  # The group takes its time.
    world.tick(first)
    assert health.readiness()[0] is False
    world.log.group("propensity").rebalancing = True
    world.send(EVENTS[2_000:])
    world.drain(first)
    assert health.readiness()[0] is True
    assert not set(map(id, before)) & set(map(id, first.scoring))
    assert answered(world) == answered_by_one()
    assert len(world.scores()) == scored(EVENTS)


def test_a_commit_that_comes_too_late_is_refused() -> None:
    """A worker that hung while the group moved on folds its batch in vain and does not exit."""
    world = world_of_four()
    first, second = world.start("one"), world.start("two")
    world.tick(first, second)
    world.send(EVENTS[:2_000])
    world.tick(first, second)
    world.log.expel("propensity", "two")
    world.tick(first)
    second.commit()
    world.drain(first, second)
    world.send(EVENTS[2_000:])
    world.drain(first, second)
    assert answered(world) == answered_by_one()


def test_a_refused_worker_says_what_refused_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fenced by a namesake and given nothing since, it ends and names the `instance`."""
    world = world_of_four()
    worker = world.start("one")
    world.drain(worker)
    problem = "Another worker has taken our place"

    def refuse(_transport: MemoryTransport, _positions: object) -> None:
        raise OwnershipLostError(problem)

    monkeypatch.setattr(MemoryTransport, "commit", refuse)
    world.send(EVENTS[:100])
    world.tick(worker)
    world.clock.advance_ms(61_000)
    with pytest.raises(WorldError, match=problem) as caught:
        world.drain(worker)
    assert "an `instance` of its own" in caught.value.remedy


def test_a_worker_in_reserve_is_ready() -> None:
    """More workers than partitions: the last holds nothing, and waits in good health."""
    world = World(partitions=1)
    workers = [world.start(f"w{number}") for number in range(2)]
    for _ in range(4):
        world.tick(*workers)
    assert [len(worker.scoring) for worker in workers] == [1, 0]
    assert [world.health[id(worker)].readiness()[0] for worker in workers] == [True, True]


def test_dead_letters_say_where_and_why() -> None:
    """Key and value go untouched; headers name topic, partition, offset, stage and the reason."""
    world = World(partitions=2, publish_from="start")
    good = event("c1", "page_view", 1_764_000_000_000, event_id="e1")
    foreign = (b"somebody else", good[1])
    world.send([good, (b"c1", b"{broken"), (b"c1", None), foreign])
    world.drain(world.start())
    letters = world.dead_letters()
    assert sorted((value or b"") for _, value, _ in letters) == sorted(
        [b"{broken", b"", good[1] or b""]
    )
    found = {value: dict(headers) for _, value, headers in letters}
    broken = found[b"{broken"]
    assert broken["__connect.errors.topic"] == b"customer-events"
    assert broken["__connect.errors.stage"] == b"decode"
    assert found[good[1]]["__connect.errors.stage"] == b"key"
    assert b"'somebody else'" in (found[good[1]]["__connect.errors.exception.message"] or b"")
    offsets_named = [int(headers["__connect.errors.offset"] or b"") for headers in found.values()]
    assert len(offsets_named) == len(letters) == 3
    assert len(world.scores()) == 1


@pytest.mark.slow
def test_every_record_is_accounted_for() -> None:
    """Consumed = taken + duplicates + dead letters, over records broken in every way."""
    generator = random.Random(5)
    count = 100_000
    no_limits = {"dead_letters_consecutive_max": 10**9, "dead_letters_share_max": 1.0}
    world = World(partitions=1, publish_from="start", keys="partitioned", limits=no_limits)
    records: list[Offered] = [(None, mutated(generator)) for _ in range(count)]
    world.send([*records, *EVENTS[:200], *EVENTS[:100]])
    worker = world.start()
    world.drain(worker)
    meters = worker.scoring[0]._meters
    taken, twice, dead = (
        meters.taken.value, meters.duplicates.value, meters.dead_letters.value,
    )  # fmt: skip
    assert taken + twice + dead == count + 300
    assert dead == len(world.dead_letters()) > count / 4
    assert twice >= 100
    assert meters.scored.value == len(world.scores())
    assert world.committed("customer-events") == {0: count + 300}
