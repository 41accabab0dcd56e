"""Snapshots: what is written comes back, and what goes wrong is an outcome.

Owns: examples of every outcome of writing, and of what a step may do.
Never: a real fold, or a bucket.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from threading import Event, get_ident
from typing import Any

import numpy as np
import pytest

from consumer import __version__
from consumer.clock import FixedClock
from consumer.snapshots.beside import SideThread
from consumer.snapshots.local_folder import LocalFolder
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.names import MANIFEST
from consumer.snapshots.snapshots import Snapshots
from consumer.snapshots.writing import NotWritten, Written
from models.lifted import Lifted
from tests.lifted_states import GROUP, SMALL, TOPIC, Kept, generation, moment, same, state

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_a_state_comes_back() -> None:
    """All of it is there again: arrays, facts, and what the snapshot is of."""
    kept = Kept(MemoryStore())
    world = {
        "note": "7",
        "configuration": "c0ffee",
        "clock_ms": 1_795_392_000_000,
        "output_ends": {"propensity-scores": 12},
    }
    outcome = kept.write(42, state(), **world)
    assert isinstance(outcome, Written)
    assert same(kept.load(42), state())
    (manifest,) = kept.snapshots.newest(TOPIC, 0, not_after=42)
    assert manifest == outcome.manifest
    assert manifest.moment == moment(42, **world)
    assert (manifest.format, manifest.program, manifest.group) == (1, __version__, GROUP)
    assert outcome.size_bytes == manifest.size_bytes > 0
    assert [array.start_bytes > 0 for array in manifest.arrays].count(True) >= 2
    assert len(manifest.parts) > 3


def test_loaded_arrays_can_be_written_to() -> None:
    """The fold goes on in the very arrays that were loaded."""
    kept = Kept(MemoryStore())
    kept.written(1)
    lifted = kept.load(1)
    assert all(a.flags.writeable and a.flags.owndata for a in lifted.arrays.values())


def test_the_same_state_gives_the_same_files() -> None:
    """Nothing of the wall clock or of chance is in a snapshot."""
    stores = [MemoryStore(), MemoryStore()]
    for store in stores:
        Kept(store).written(5)
    assert stores[0].files == stores[1].files


def test_an_empty_state_is_a_state() -> None:
    """No arrays, or arrays without rows, need no part."""
    store = MemoryStore()
    kept = Kept(store)
    for offset, lifted in [(1, Lifted({}, {})), (2, Lifted({"a": np.zeros((0, 3))}, {"b": 1}))]:
        assert isinstance(kept.write(offset, lifted), Written)
        assert same(kept.load(offset), lifted)
    assert sorted(store.files) == [generation(1) + "manifest.json", generation(2) + "manifest.json"]


def test_a_step_copies_a_chunk_and_no_more() -> None:
    """The loop's pause is bounded however large the state is, whatever its shape."""
    kept = Kept(MemoryStore())
    lifted = Lifted({"wide": np.arange(100, dtype=np.int64).reshape(1, 100)}, {})
    kept.snapshots.begin(moment(1), lifted)
    steps = 1
    while not kept.snapshots.step():
        assert kept.snapshots.poll() is None
        steps += 1
    assert steps == 13  # 800 bytes in chunks of 64
    assert isinstance(kept.snapshots.poll(), Written)
    assert kept.snapshots.poll() is None


def test_the_live_arrays_are_let_go_of() -> None:
    """Once the partition may go on, nothing of ours looks at its memory."""
    kept = Kept(MemoryStore())
    live = np.zeros(1_000)
    before = sys.getrefcount(live)
    kept.snapshots.begin(moment(1), Lifted({"live": live}, {}))
    while not kept.snapshots.step():
        pass
    assert sys.getrefcount(live) == before


def test_loading_says_how_far_it_is() -> None:
    """Every step but the first adds at most a chunk, up to all of it."""
    kept = Kept(MemoryStore())
    kept.written(1)
    (manifest,) = kept.snapshots.newest(TOPIC, 0, not_after=1)
    done = [progress.done_bytes for progress in kept.snapshots.load(manifest)]
    assert done == sorted(done)
    assert max(after - before for before, after in pairwise(done)) <= 64
    assert done[-1] == manifest.raw_bytes == sum(a.nbytes for a in state(1).arrays.values())


def test_a_full_disk_is_an_outcome() -> None:
    """It fails in words, leaves nothing of itself, and the older one stays."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1)
    before = dict(store.files)
    store.capacity_bytes = sum(map(len, before.values())) + 400
    outcome = kept.write(2)
    assert isinstance(outcome, NotWritten)
    assert outcome.moment == moment(2)
    assert outcome.problem.startswith("No space left on device (propensity/customer-events/0/")
    assert store.files == before
    store.capacity_bytes = None
    kept.written(3)
    assert kept.offsets() == [3, 1]


def test_an_unwritable_store_is_an_outcome(tmp_path: Path) -> None:
    """A file where the folder should be, as on a wrong mount, harms nobody."""
    (tmp_path / "state").write_text("a file")
    kept = Kept(LocalFolder(tmp_path / "state"))
    outcome = kept.write(1)
    assert isinstance(outcome, NotWritten)
    assert "Not a directory" in outcome.problem
    assert kept.offsets() == []
    assert "cannot be listed" in str(kept.reported[0])


def test_parts_that_vanish_get_no_manifest(tmp_path: Path) -> None:
    """A folder that is removed while it is written to does not look complete."""
    import shutil

    kept = Kept(LocalFolder(tmp_path / "state"))
    kept.snapshots.begin(moment(1), state())
    for _ in range(9):
        assert not kept.snapshots.step()
    shutil.rmtree(tmp_path / "state")
    outcome = kept.snapshots.finish()
    assert isinstance(outcome, NotWritten)
    assert "vanished" in outcome.problem
    assert kept.offsets() == []


def test_the_same_snapshot_is_written_once() -> None:
    """A stop right after a snapshot finds it there and leaves it alone."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1)
    store.unwritable = FULL
    assert isinstance(kept.write(1), Written)


def test_giving_up() -> None:
    """A partition that is taken away in the middle leaves nothing, and its memory alone."""
    store = MemoryStore()
    kept = Kept(store)
    kept.snapshots.begin(moment(1), state())
    for _ in range(9):
        kept.snapshots.step()
    assert store.files
    kept.snapshots.abandon("the partition was taken away")
    assert kept.snapshots.step()
    assert kept.snapshots.poll() == NotWritten(moment(1), "the partition was taken away")
    assert store.files == {}
    assert not kept.snapshots.busy
    kept.snapshots.abandon("nothing is on its way")
    assert kept.snapshots.finish() is None


def test_one_at_a_time() -> None:
    """A second one before the outcome of the first is a broken law."""
    kept = Kept(MemoryStore())
    kept.snapshots.begin(moment(1), state())
    with pytest.raises(AssertionError):
        kept.snapshots.begin(moment(2), state())


class Later:
    """Does nothing until it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def run(self, work: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append(lambda: future.set_result(work()))
        return future

    def catch_up(self) -> None:
        """Do all that waits."""
        while self.waiting:
            self.waiting.pop(0)()

    def close(self, most_s: float) -> bool:
        del most_s
        self.catch_up()
        return True


def test_copying_waits_for_a_slow_store() -> None:
    """No more than the limit is copied and not yet compressed."""
    later = Later()
    snapshots = Snapshots(MemoryStore(), GROUP, later, FixedClock(), sizes=SMALL)
    snapshots.begin(moment(1), state(rows=200))
    for _ in range(50):
        assert not snapshots.step()
    assert len(later.waiting) == 1 + SMALL.ahead_bytes_max // SMALL.chunk_bytes
    later.catch_up()
    assert not snapshots.step()
    assert len(later.waiting) == 1
    while not snapshots.step():
        later.catch_up()
    assert snapshots.poll() is None
    snapshots.close()
    assert isinstance(snapshots.poll(), Written)


def test_a_failure_ends_the_copying() -> None:
    """A store that has failed is not copied for: the partition goes on at once."""
    later, store = Later(), MemoryStore()
    snapshots = Snapshots(store, GROUP, later, FixedClock(), sizes=SMALL)
    snapshots.begin(moment(1), state(rows=200))
    store.unwritable = FULL
    for _ in range(8):
        assert not snapshots.step()
    later.catch_up()
    assert snapshots.step()
    later.catch_up()
    assert snapshots.poll() == NotWritten(moment(1), "No space left on device")


class Heavy(MemoryStore):
    """Notes in which thread it is written to, and waits there."""

    def __init__(self) -> None:
        super().__init__()
        self.go = Event()
        self.threads: set[int] = set()

    def write(self, name: str, pieces: Any) -> None:
        self.threads.add(get_ident())
        assert self.go.wait(30)
        super().write(name, pieces)

    def read(self, name: str) -> bytes:
        if name.endswith(MANIFEST):
            return super().read(name)
        self.threads.add(get_ident())
        assert self.go.wait(30)
        return super().read(name)


def test_writing_is_beside_the_loop() -> None:
    """The loop copies and goes on while one thread writes; the stop waits for it."""
    store = Heavy()
    snapshots = Snapshots(store, GROUP, SideThread(), FixedClock())
    snapshots.begin(moment(1), state())
    while not snapshots.step():
        pass
    assert snapshots.poll() is None
    store.go.set()
    assert isinstance(snapshots.finish(), Written)
    assert len(store.threads) == 1
    assert get_ident() not in store.threads
    snapshots.close()


def test_reading_is_beside_the_loop() -> None:
    """While a store is slow to give a part, the loop goes on, and nothing is loaded meanwhile."""
    store = Heavy()
    store.go.set()
    snapshots = Snapshots(store, GROUP, SideThread(), FixedClock())
    snapshots.begin(moment(1), state())
    assert isinstance(snapshots.finish(), Written)
    store.go.clear()
    (manifest,) = snapshots.newest(TOPIC, 0, not_after=1)
    loading = snapshots.load(manifest)
    assert [next(loading).done_bytes for _ in range(5)] == [0] * 5
    store.go.set()
    assert [*loading][-1].done_bytes == manifest.raw_bytes
    assert same(loading.lifted, state())
    assert get_ident() not in store.threads
    snapshots.close()


def test_a_broken_law_beside_the_loop_crashes_the_loop() -> None:
    """Only the world's faults are outcomes."""

    class Broken(MemoryStore):
        def write(self, name: str, pieces: Any) -> None:
            raise AssertionError(name, pieces)

    snapshots = Snapshots(Broken(), GROUP, SideThread(), FixedClock(), sizes=SMALL)
    snapshots.begin(moment(1), state())
    with pytest.raises(AssertionError):
        snapshots.finish()


def test_arrays_without_a_fixed_size_are_a_broken_law() -> None:
    """Objects are never written: nothing here could read them again."""
    kept = Kept(MemoryStore())
    with pytest.raises(AssertionError):
        kept.snapshots.begin(moment(1), Lifted({"any": np.array([None])}, {}))
