"""When a partition waits: others far behind it in time, too many dead letters.

Owns: that it waits, that others go on, and that it goes on when it may.
Never: the rules themselves; tests/unit/test_letter_limits.py has those of letters.
Source: ARCHITECTURE.md, "Waiting partitions".
"""

from __future__ import annotations

from consumer import metrics
from consumer.transport import Outgoing
from tests.world import BEGIN_MS, World, event

HOUR_MS = 3_600_000


def views(world: World, index: int, count: int, step_ms: int) -> None:
    """Append page views to one partition, so far apart."""
    for number in range(count):
        key, value = event(
            f"c{index}", "page_view", BEGIN_MS + number * step_ms, event_id=f"{index}-{number}"
        )
        world.log.append(Outgoing("customer-events", index, [key], [value]))


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
    for _ in range(200):
        world.log.append(Outgoing("customer-events", 0, [b"c"], [b"nonsense"]))
    views(world, 1, 200, 1_000)
    worker = world.start()
    world.drain(worker)
    committed = world.committed("customer-events")
    assert committed[1] == 200
    assert 30 <= committed[0] < 60
    assert len(world.dead_letters()) == committed[0]
    gauge = world.telemetry[id(worker)].gauge(
        metrics.PARTITION_PAUSED, "customer-events", "0", "dead_letters"
    )
    assert gauge.value == 1
    worker.stop()
    second = world.start()
    world.drain(second)
    assert world.committed("customer-events")[0] > committed[0], "a restart goes on"
