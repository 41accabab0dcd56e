"""When a worker snapshots what it folds.

Owns: the moments, in a worker on the log in memory.
Never: what a snapshot holds, or how one is restored.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from consumer.snapshots.manifest import decode_manifest
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.names import MANIFEST
from consumer.transactions import Fault, TransactionFault
from consumer.transport import TransportError
from schemas.times import HOUR_MS
from tests.unit.test_worker_recovery import EVENTS, OFTEN, check_served
from tests.world import World


def manifests(store: MemoryStore) -> list[str]:
    """The snapshots that are complete; campaign files lie beside them."""
    return [name for name in store.files if name.endswith(MANIFEST)]


def test_a_slow_take_over_is_no_moment_for_a_snapshot() -> None:
    """What a poll brought may still have to be folded: the copy would not stand still."""
    store = MemoryStore()
    world = World(store=store, **OFTEN)
    world.send(EVENTS[:500])
    left = [20]  # Each try takes 20 ms, and a sixteenth of the interval makes a snapshot due.

    def strike(step: str, _instance: str) -> None:
        if step == "commit" and left[0]:
            left[0] -= 1
            raise TransactionFault(Fault.AGAIN, TransportError("slow", "wait"))

    world.log.coordinator.strike = strike
    worker = world.start()
    world.tick(worker)
    assert left == [0]
    assert manifests(store) == []
    world.drain(worker)
    assert manifests(store)


def test_a_group_that_has_fallen_quiet_is_snapshotted_all_the_same() -> None:
    """What came in a burst would be read again at every start, were only commits a moment."""
    store = MemoryStore()
    world = World(partitions=1, store=store, **{**OFTEN, "snapshots": {"interval": "1h"}})
    world.send(EVENTS[:500])
    worker = world.start()
    world.settle(worker)
    assert manifests(store) == []
    world.clock.advance_ms(HOUR_MS)
    world.drain(worker)
    (committed,) = world.committed("customer-events").values()
    written = set(store.files)
    assert any(f"/{committed:020d}/" in name for name in written)
    world.clock.advance_ms(HOUR_MS)
    world.drain(worker)
    assert set(store.files) == written, "nothing is new"


def test_a_snapshot_of_who_hung_knows_where_the_scores_of_its_offset_end() -> None:
    """A stop hangs at the answer of its last commit; another worker publishes meanwhile, and dies.

    Asked now, the end of the scores would lie behind those of the successor: rows of the events
    between would hold a prediction that nobody was served.
    """
    store = MemoryStore()
    world = World(partitions=1, store=store, **{**OFTEN, "snapshots": {"interval": "1h"}})
    world.send(EVENTS[:500])
    first = world.start("one")
    world.settle(first)
    for events in (EVENTS[500:510], EVENTS[510:520]):
        world.send(events)
        first.tick()  # The second of them is folded, and not yet committed.

    def strike(step: str, instance: str) -> None:
        if step == "committed" and instance == "one":
            world.log.coordinator.strike = no_strike
            published.append(world.high("propensity-scores")[0])
            world.log.expel("propensity", "one")
            second = world.start("two")
            world.send(EVENTS[520:600])
            world.drain(second)
            world.crash(second, "two")

    published: list[int] = []
    no_strike = world.log.coordinator.strike
    world.log.coordinator.strike = strike
    first.stop()
    name = max(manifests(store))
    newest = decode_manifest(bytes(store.files[name]), name.removesuffix(MANIFEST))
    assert newest.moment.next_offset == 520
    assert newest.moment.output_ends["propensity-scores"] <= published[0]
    world.send(EVENTS[600:])
    world.settle(world.start("three"))
    check_served(world)
