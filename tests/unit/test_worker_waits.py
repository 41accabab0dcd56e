"""When a partition waits: others far behind it in time, too many dead letters.

Owns: that it waits, that others go on, and that it goes on when it may.
Never: the rules themselves; tests/unit/test_letter_limits.py has those of letters.
Source: ARCHITECTURE.md, "Waiting partitions".
"""

from __future__ import annotations

from typing import Any

import pytest

from consumer import metrics
from consumer.scoring import ScoringPartition
from consumer.snapshots.memory_store import MemoryStore
from consumer.transport import Outgoing
from consumer.worker import Worker
from models.lifted import Lifted
from tests.world import BEGIN_MS, World, event

HOUR_MS = 3_600_000


def views(world: World, index: int, count: int, step_ms: int) -> None:
    """Append page views to one partition, so far apart."""
    for number in range(count):
        key, value = event(
            f"c{index}", "page_view", BEGIN_MS + number * step_ms, event_id=f"{index}-{number}"
        )
        world.log.append(Outgoing("customer-events", index, [key], [value]))


def nonsense(world: World, count: int) -> None:
    """Append records to the first partition that nobody can read."""
    for _ in range(count):
        world.log.append(Outgoing("customer-events", 0, [b"c"], [b"nonsense"]))


def waits(world: World, worker: Worker) -> bool:
    """Whether the first partition waits because of its letters."""
    gauge = world.telemetry[id(worker)].gauge(
        metrics.PARTITION_PAUSED, "customer-events", "0", "dead_letters"
    )
    return gauge.value == 1


def hit_offset(worker: Worker) -> int | None:
    """The record at which the first partition hit a limit."""
    hit = worker.scoring[0].too_many_letters
    return None if hit is None else hit.offset


def recovered(world: World) -> Worker:
    """A worker that has taken over where another stopped."""
    worker = world.start()
    while not worker.scoring or worker.rebuilding:
        world.tick(worker)
    return worker


def test_a_partition_far_ahead_waits_while_others_catch_up() -> None:
    """Event time stays together: ten minutes a step beside one second a step, an hour apart.

    0  ──10min──10min──10min── waits ───────────────── goes on
    1  ─1s─1s─1s─1s─1s─1s─1s─1s─1s─1s─1s─ caught up
    """
    world = World(limits={"batch_max": 20}, publish_from="start")
    views(world, 0, 400, 600_000)
    views(world, 1, 2_000, 1_000)
    worker = world.start()
    waited = 0
    for _ in range(150):
        world.tick(worker)
        clocks = [s.counts.clock_ms for s in worker.scoring]
        lags = {s.partition.index: 2_000 - s.next_offset for s in worker.scoring}
        ahead_ms = clocks[0] - clocks[1] if len(clocks) == 2 and clocks[0] and clocks[1] else 0
        if lags.get(1, 0) > 20 and ahead_ms > HOUR_MS:
            waited += 1
            assert ahead_ms < HOUR_MS + 40 * 600_000, "no more than what a commit lets through"
    assert waited > 10
    world.drain(worker)
    assert world.committed("customer-events") == {0: 400, 1: 2_000}


def test_too_many_dead_letters_stop_one_partition() -> None:
    """The partition of a sender gone wrong waits and says so; its neighbour is scored on."""
    world = World(limits={"batch_max": 10, "dead_letters_consecutive_max": 30})
    nonsense(world, 200)
    views(world, 1, 200, 1_000)
    worker = world.start()
    world.drain(worker)
    committed = world.committed("customer-events")
    assert committed[1] == 200
    assert 30 <= committed[0] < 60
    assert len(world.dead_letters()) == committed[0]
    assert waits(world, worker)
    worker.stop()
    second = world.start()
    world.drain(second)
    assert world.committed("customer-events")[0] > committed[0], "a restart goes on"


THIRTY: dict[str, Any] = {"batch_max": 20, "dead_letters_consecutive_max": 30}


@pytest.mark.parametrize("way", ["snapshot", "history", "rebalance"])
def test_letters_are_counted_on_whoever_goes_on(way: str) -> None:
    """The same record hits as if nothing had happened between twenty letters and the others.

    letters 0 … 19 ── a restart, or a rebalance ── letters 20 … 34: the thirtieth hits
    """
    world = World(store=MemoryStore() if way == "snapshot" else None, limits=THIRTY)
    nonsense(world, 20)
    worker = world.start()
    world.drain(worker)
    held = worker.scoring[0]
    if way == "rebalance":
        world.drain(worker, world.start("two"))
        assert worker.scoring[0] is held, "it was set aside and has come back"
    else:
        worker.stop()
        worker = recovered(world)
        assert worker.scoring[0].restored_at == (20 if way == "snapshot" else None)
    nonsense(world, 15)
    world.drain(*(world.workers if way == "rebalance" else [worker]))
    assert hit_offset(worker) == 29
    assert waits(world, worker)


@pytest.mark.parametrize("store", [MemoryStore, lambda: None])
def test_a_hit_was_judged_in_its_time(store: Any) -> None:
    """A restart behind a hit goes on, and counts from the record of that hit.

    0 … 29 hits, up to 39 is folded ── restart ── 40 … 59 hits, twenty later and not thirty
    """
    world = World(store=store(), limits=THIRTY)
    nonsense(world, 40)
    first = world.start()
    world.drain(first)
    assert hit_offset(first) == 29
    assert world.committed("customer-events")[0] == 40
    first.stop()
    second = recovered(world)
    assert hit_offset(second) is None
    assert not waits(world, second)
    nonsense(world, 20)
    world.drain(second)
    assert hit_offset(second) == 59


def test_a_snapshot_from_before_windows_were_kept() -> None:
    """It is restored all the same; letters are counted from there."""
    world = World(limits=THIRTY)
    views(world, 0, 30, 1_000)
    nonsense(world, 20)
    worker = world.start()
    world.drain(worker)
    scoring = worker.scoring[0]
    lifted = scoring.lift()
    arrays = {name: array for name, array in lifted.arrays.items() if name != "letters"}
    facts = {name: fact for name, fact in lifted.facts.items() if "letters" not in name}
    assert len(lifted.arrays) - len(arrays) == len(lifted.facts) - len(facts) == 1
    around = World(limits=THIRTY).worker()._share._around
    new = ScoringPartition(
        scoring.partition,
        scoring.start,
        around.plan,
        around.settings,
        around.telemetry,
        around.clock,
    )
    new.restore(Lifted(arrays, facts), 50)
    assert new.counts.profiles == scoring.counts.profiles == 1
    again = new.lift()
    assert (again.arrays["letters"].tolist(), again.facts["letters_consecutive"]) == ([], 0)
