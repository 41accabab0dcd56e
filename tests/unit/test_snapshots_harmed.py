"""Snapshots that were torn, lost, changed or written by others: what is said of them.

Owns: examples of every way in which a snapshot cannot be used.
Never: harm that no program or disk could do.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from xxhash import xxh3_128_hexdigest

from consumer.snapshots.manifest import NewerSnapshotError, UnusableSnapshotError
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.writing import NotWritten, Written
from tests.lifted_states import TOPIC, Kept, generation, same, state


def harmed(store: MemoryStore, file: str, harm: Callable[[bytes], bytes | None]) -> None:
    """Change or lose a file of offset 2."""
    name = generation(2) + file
    data = harm(store.files.pop(name))
    if data is not None:
        store.files[name] = data


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda data: data[:-1], "not as it was written"),
        (lambda data: data[:-9], "torn"),
        (lambda _: b"", "torn"),
        (lambda data: data.replace(b'"digest":"', b'"digest":"\xe4'), "torn"),
        (lambda data: data.replace(b'"note":""', b'"note":"8"'), "not as it was written"),
        (lambda data: data.replace(b"000", b"001"), "not as it was written"),
    ],
)
def test_a_manifest_that_was_harmed(harm: Callable[[bytes], bytes], problem: str) -> None:
    """It is passed over, the report says why, and the older generation is next."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1, 2)
    harmed(store, "manifest.json", harm)
    assert kept.offsets() == [1]
    (error,) = kept.reported
    assert generation(2) in str(error)
    assert problem in str(error)


def test_a_manifest_of_another_generation() -> None:
    """A folder that somebody copied is not taken for what it is called."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1)
    for name in list(store.files):
        store.files[name.replace(generation(1), generation(2))] = store.files[name]
    assert kept.offsets() == [1]
    assert f"its manifest is that of {generation(1)}" in str(kept.reported[0])


def test_a_generation_without_manifest_is_none() -> None:
    """What is still being written is not spoken of."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1, 2)
    harmed(store, "manifest.json", lambda _: None)
    assert kept.offsets() == [1]
    assert kept.reported == []


def test_a_lost_part_is_seen_before_loading() -> None:
    """The names alone tell that a part is missing."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1, 2)
    harmed(store, "part-0001.zst", lambda _: None)
    assert kept.offsets() == [1]
    assert "part-0001.zst is not there" in str(kept.reported[0])


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda data: data[:-1], "bytes and not"),
        (lambda data: data[:9] + b"!" + data[10:], "checksum"),
        (lambda _: None, "part-0001.zst is not there"),
    ],
)
def test_a_part_that_was_harmed(harm: Callable[[bytes], bytes | None], problem: str) -> None:
    """Loading says what is wrong and gives no array."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1, 2)
    manifest = next(kept.snapshots.newest(TOPIC, 0, not_after=2))
    harmed(store, "part-0001.zst", harm)
    loading = kept.snapshots.load(manifest)
    with pytest.raises(UnusableSnapshotError, match=problem):
        list(loading)
    with pytest.raises(AssertionError):
        _ = loading.lifted
    assert same(kept.load(1), state(1))


def resealed(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A manifest with another content and the right seal, as only a program makes it."""
    body = msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(data)["manifest"]))
    change(body)
    raw = msgspec.json.encode(body)
    sealed = {"digest": xxh3_128_hexdigest(raw), "manifest": msgspec.Raw(raw)}
    return msgspec.json.encode(sealed) + b"\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["arrays"][0].update(shape=[41, 3]),
        lambda body: body["arrays"][0].update(shape=[-40, -3]),
        lambda body: body["arrays"][0].update(descr="|O"),
        lambda body: body["arrays"][0].update(descr="nonsense"),
        lambda body: body["arrays"][0].update(descr=[["a"]]),
        lambda body: body["arrays"][2].update(part=99),
        lambda body: body["arrays"][2].update(start_bytes=0),
        lambda body: body["arrays"].pop(),
        lambda body: body["arrays"].reverse(),
        lambda body: body["parts"][0].update(raw_bytes=255),
        lambda body: body["parts"].pop(),
        lambda body: body["arrays"][3].update(name="counts"),
    ],
)
def test_a_manifest_that_contradicts_itself(change: Callable[[dict[str, Any]], None]) -> None:
    """Even a sealed manifest is held to its own numbers before memory is taken."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(2)
    harmed(store, "manifest.json", lambda data: resealed(data, change))
    with pytest.raises(UnusableSnapshotError):
        kept.load(2)


@pytest.mark.parametrize(("packs", "problem"), [(255, "ends too early"), (257, "more than 256")])
def test_a_part_that_unpacks_to_something_else(packs: int, problem: str) -> None:
    """A part of the right checksum and the wrong length is refused."""
    from zstandard import ZstdCompressor

    store = MemoryStore()
    kept = Kept(store)
    kept.written(2)
    data = ZstdCompressor().compress(bytes(packs))
    store.files[generation(2) + "part-0000.zst"] = data

    def change(body: dict[str, Any]) -> None:
        body["parts"][0].update(size_bytes=len(data), digest=xxh3_128_hexdigest(data))

    harmed(store, "manifest.json", lambda found: resealed(found, change))
    with pytest.raises(UnusableSnapshotError, match=problem):
        kept.load(2)


def test_a_newer_format_stops_with_a_remedy() -> None:
    """What a newer version wrote is neither half read nor passed over nor deleted."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1, 2)

    def change(body: dict[str, Any]) -> None:
        body.clear()
        body.update(format=2, program="9.1", everything="else")

    harmed(store, "manifest.json", lambda data: resealed(data, change))
    with pytest.raises(NewerSnapshotError, match=r"newer version \(9.1\).*Run that version"):
        kept.offsets()
    assert kept.offsets(1) == [1]
    outcome = kept.write(2)
    assert isinstance(outcome, NotWritten)
    assert "newer version" in outcome.problem
    kept.written(3, 4, 5)
    assert generation(2) + "manifest.json" in store.files


def test_a_store_that_cannot_be_listed_has_no_snapshots() -> None:
    """Recovery then reads the log, and the operator is told."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1)
    store.unreadable = PermissionError(errno.EACCES, "Permission denied")
    assert kept.offsets() == []
    assert "the store cannot be listed: Permission denied" in str(kept.reported[0])


@pytest.mark.parametrize("torn", [True, False])
def test_another_snapshot_of_the_same_offset_takes_its_place(torn: bool) -> None:
    """One that is torn, or of another configuration, is replaced and not mixed with."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(2)
    if torn:
        harmed(store, "part-0000.zst", lambda data: data[:-1])
        kept.written(2)
    else:
        assert isinstance(kept.write(2, state(9, rows=8), configuration="new"), Written)
    assert same(kept.load(2), state(2) if torn else state(9, rows=8))
