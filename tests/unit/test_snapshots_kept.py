"""Which snapshots stay, which go, and where they are.

Owns: examples of order, names, pruning and sweeping.
Never: looks into an array.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from consumer.clock import FixedClock
from consumer.errors import WorldError
from consumer.snapshots.beside import SideThread
from consumer.snapshots.local_folder import LocalFolder
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.snapshots import Snapshots, open_snapshots
from consumer.snapshots.store import open_store
from consumer.snapshots.writing import NotWritten, Written
from schemas.settings import Settings, load_settings
from tests.lifted_states import GROUP, TOPIC, Kept, generation, moment, same, state

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_the_newest_come_first_and_none_is_too_new() -> None:
    """Recovery asks from the committed offset downwards."""
    kept = Kept(MemoryStore(), keep=5)
    kept.written(100, 9, 1_000)
    assert kept.offsets() == [1_000, 100, 9]
    assert kept.offsets(999) == kept.offsets(100) == [100, 9]
    assert kept.offsets(8) == []


def test_other_partitions_topics_and_groups_are_others() -> None:
    """A prefix of a name is not the name."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(5)
    assert list(kept.snapshots.newest(TOPIC, 1, not_after=9)) == []
    assert list(kept.snapshots.newest(TOPIC[:-1], 0, not_after=9)) == []
    other = Snapshots(store, GROUP[:-1], SideThread(), FixedClock())
    assert list(other.newest(TOPIC, 0, not_after=9)) == []


@pytest.mark.parametrize("group", ["..", "a/b", "ü" * 200, "%2E", "C:\\x", "."])
def test_any_group_has_a_folder(tmp_path: Path, group: str) -> None:
    """A group may be called what it likes, and stays below the store's folder."""
    store = LocalFolder(tmp_path / "state")
    snapshots = Snapshots(store, group, SideThread(), FixedClock())
    snapshots.begin(moment(3), state())
    assert isinstance(snapshots.finish(), Written)
    assert [m.group for m in snapshots.newest(TOPIC, 0, not_after=3)] == [group]
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    snapshots.close()


def test_what_a_failure_or_a_crash_left_is_swept() -> None:
    """The next success removes parts without a manifest and files on their way."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1)
    store.files[generation(0) + "part-0000.zst"] = b"of a crash"
    store.files[generation(7) + ".part-0000.zst.tmp"] = b"of another"
    store.files[generation(1) + ".manifest.json.tmp"] = b"of a third"
    store.unwritable = FULL
    assert isinstance(kept.write(2), NotWritten)
    assert generation(0) + "part-0000.zst" in store.files
    store.unwritable = None
    kept.written(3)
    names = {name.rsplit("/", 1)[0] + "/" for name in store.files}
    assert names == {generation(1), generation(3)}
    assert not any(name.endswith(".tmp") for name in store.files)


def test_pruning_keeps_the_newest() -> None:
    """With the success of one, the third newest goes, and the outcome names it."""
    kept = Kept(MemoryStore())
    kept.written(1, 2)
    outcome = kept.write(3)
    assert isinstance(outcome, Written)
    assert outcome.pruned == (generation(1),)
    assert kept.offsets() == [3, 2]


def test_pruning_keeps_what_a_restart_needs() -> None:
    """After a group was set back, the snapshot it can use stays, though newer ones are there."""
    kept = Kept(MemoryStore(), keep=2)
    kept.written(500, 600)
    kept.written(150)
    assert kept.offsets() == [600, 500, 150]
    kept.written(160)
    assert kept.offsets() == [600, 500, 160]


def test_a_torn_one_does_not_count() -> None:
    """Pruning keeps as many good ones as it should, and removes torn ones below them."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1, 2)
    del store.files[generation(2) + "part-0000.zst"]
    kept.written(3)
    assert kept.offsets() == [3, 1]
    assert generation(2) + "manifest.json" in store.files
    kept.written(4)
    assert generation(2) + "manifest.json" not in store.files


def test_what_cannot_be_pruned_is_written_all_the_same() -> None:
    """A success stays one, and says what could not be deleted."""

    class Clinging(MemoryStore):
        def delete(self, name: str) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", name)

    kept = Kept(Clinging())
    kept.written(1, 2)
    outcome = kept.write(3)
    assert isinstance(outcome, Written)
    assert (outcome.unpruned or "").startswith("Permission denied")
    assert kept.offsets() == [3, 2, 1]


def test_a_folder_holds_no_more_than_it_should(tmp_path: Path) -> None:
    """Neither files on their way nor empty folders are left over."""
    kept = Kept(LocalFolder(tmp_path))
    kept.written(1, 2, 3)
    folders = sorted(path.name for path in (tmp_path / GROUP / TOPIC / "0").iterdir())
    assert folders == [f"{2:020d}", f"{3:020d}"]
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert all(name == "manifest.json" or name.endswith(".zst") for name in files)
    assert same(kept.load(3), state(3))


def test_s3_needs_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them the error says what to install."""
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.delitem(sys.modules, "consumer.snapshots.s3_store", raising=False)
    with pytest.raises(WorldError, match=r"pip install 'propensity\[s3\]'"):
        open_store("s3://bucket/prefix")


def test_the_settings_open_a_folder(tmp_path: Path) -> None:
    """What the settings name is where snapshots are, with as many generations."""
    settings = load_settings(
        None, {"snapshots": {"url": str(tmp_path / "kept"), "generations": 3}, "group": "g"}
    )
    assert isinstance(settings, Settings)
    snapshots = open_snapshots(settings, FixedClock())
    for offset in (1, 2, 3, 4):
        snapshots.begin(moment(offset), state())
        assert isinstance(snapshots.finish(), Written)
    found = snapshots.newest(TOPIC, 0, not_after=9)
    assert [manifest.moment.next_offset for manifest in found] == [4, 3, 2]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["g"]
    snapshots.close()
