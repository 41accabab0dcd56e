"""Rebalances and the stop end in time when nobody answers, and nothing half-done is seen.

Owns: one deadline over all that a rebalance or a stop waits for.
Never: a real broker; tests/chaos/test_silent_broker.py freezes one.
Source: ARCHITECTURE.md, "Deadlines".
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from consumer.clock import FixedClock
from consumer.deadline import COMMIT_MAX_S, REBALANCE_MAX_S, STOP_MAX_S, Patience
from consumer.errors import WorldError
from consumer.transactions import Fault, TransactionFault
from consumer.transport import TransportError
from consumer.worker import Worker
from tests.world import World, shopping

EVENTS = shopping(1_000, seed=5)
OFTEN: dict[str, Any] = {"limits": {"batch_max": 50}, "publish_from": "start"}
SILENT = TransportError("No Kafka broker answers", "Check that it is up")


def scoring_world() -> tuple[World, Worker]:
    """A worker in the middle of its work, with something folded that is not committed."""
    world = World(**OFTEN)
    world.send(EVENTS)
    worker = world.start()
    for _ in range(6):
        world.tick(worker)
    for _ in range(2):  # No time passes: what the second one folds is not committed yet.
        worker.tick()
    return world, worker


def fall_silent(world: World, instance: str, then: Callable[[], None] = lambda: None) -> None:
    """The broker answers this worker no more; every try takes its time."""

    def strike(step: str, name: str) -> None:
        if name == instance and step in {"begin", "put", "send_offsets", "commit", "abort"}:
            then()
            raise TransactionFault(Fault.AGAIN, SILENT)

    world.log.coordinator.strike = strike


def seconds_until_it_raises(clock: FixedClock, call: Callable[[], Any]) -> float:
    """How long a call takes to give up, with the broker's words."""
    begun_s = clock.monotonic_s()
    with pytest.raises(TransportError, match="No Kafka broker answers"):
        call()
    return clock.monotonic_s() - begun_s


def seen(world: World) -> list[tuple[int, int]]:
    """Partition and offset of the scores that readers of committed records see."""
    logs = world.log.topics["propensity-scores"]
    stable = [sum(offset < log.stable for offset in log.offsets) for log in logs]
    return [
        (score.source.partition, score.source.offset)
        for index, count in enumerate(stable)
        for score in world.scores(index)[:count]
    ]


def test_a_partition_is_given_back_within_one_deadline() -> None:
    """Commit, abort and whatever else share it; the successor goes on from the last commit."""
    world, first = scoring_world()
    committed, before = world.committed("customer-events"), seen(world)
    second = world.start("two")
    fall_silent(world, "one")
    took_s = seconds_until_it_raises(world.clock, first.tick)
    assert took_s < REBALANCE_MAX_S + 1.0 < COMMIT_MAX_S
    assert world.committed("customer-events") == committed
    assert seen(world) == before
    world.crash(first, "one")
    world.drain(second)
    scored = [(score.source.partition, score.source.offset) for score in world.scores()]
    assert len(set(scored)) == len(scored)
    assert world.committed("customer-events") == world.high("customer-events")


def test_a_stop_ends_within_its_deadline() -> None:
    """What cannot be committed is left to the next start."""
    world, worker = scoring_world()
    committed = world.committed("customer-events")
    fall_silent(world, "one")
    assert seconds_until_it_raises(world.clock, worker.stop) < STOP_MAX_S + 1.0
    assert world.committed("customer-events") == committed


def test_who_is_told_to_stop_waits_no_longer_for_a_commit() -> None:
    """The signal comes in the middle of a commit that is tried again for a minute."""
    world, worker = scoring_world()
    world.clock.advance_ms(60_000)
    fall_silent(world, "one", worker.hurry)
    assert seconds_until_it_raises(world.clock, worker.tick) < STOP_MAX_S + 1.0


def test_hurry_outlasts_the_block_in_which_it_comes() -> None:
    """Told to stop in a callback that has less time than that: both deadlines hold."""
    clock = FixedClock()
    patience = Patience(clock)
    with patience.within(1.0):
        deadline = patience.at_most(60.0)
        patience.hurry(5.0)
        clock.advance_ms(1_001)
        assert deadline.passed
    assert not patience.at_most(60.0).passed
    clock.advance_ms(4_000)
    assert patience.at_most(60.0).passed


HUNG = """
from threading import Event
from consumer.clock import SystemClock
from consumer.snapshots.beside import SideThread
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.snapshots import Snapshots
from consumer.snapshots.writing import NotWritten
from tests.lifted_states import GROUP, moment, state

class Hung(MemoryStore):
    def write(self, name, pieces):
        Event().wait()

store = Hung()
snapshots = Snapshots(store, GROUP, SideThread(), SystemClock())
snapshots.begin(moment(1), state())
outcome = snapshots.finish(0.2)
assert isinstance(outcome, NotWritten), outcome
snapshots.close(0.2)
assert store.files == {}
print("done")
"""


def test_a_store_that_hangs_does_not_keep_the_process() -> None:
    """The thread that writes is given up, and what it wrote is no generation."""
    ended = subprocess.run(
        [sys.executable, "-c", HUNG], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout.strip()[-4:]) == (0, "done"), ended.stderr


def test_who_was_fenced_by_a_namesake_does_not_sit_on_its_partitions() -> None:
    """The group thinks both of them members: the one that may not write leaves, and says why."""
    world, first = scoring_world()
    namesake = world.start("one")
    refused = world.telemetry[id(first)].commits_refused
    refused_s: list[float] = []

    def run() -> None:
        for _ in range(1_000):
            world.tick(namesake)
            if refused.value and not refused_s:
                refused_s.append(world.clock.monotonic_s())
            world.tick(first)

    with pytest.raises(WorldError, match="given us nothing") as caught:
        run()
    assert world.clock.monotonic_s() - refused_s[0] < 21.0
    assert "an `instance` of its own" in caught.value.remedy
    first.abandon()
    world.drain(namesake)
    assert world.committed("customer-events") == world.high("customer-events")
