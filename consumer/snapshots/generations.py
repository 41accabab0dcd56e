"""The generations of one partition in a store: which can be used, and which can go.

Owns: what makes a generation complete, and the rules of pruning.
Never: deletes the newest that is complete at or below the committed offset, or what a newer
version wrote.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from consumer.snapshots.manifest import (
    Manifest,
    NewerSnapshotError,
    UnusableSnapshotError,
    decode_manifest,
)
from consumer.snapshots.names import MANIFEST, by_offset, generation_prefix, partition_prefix
from consumer.snapshots.store import SnapshotStore, in_words

Verdict = Manifest | UnusableSnapshotError | NewerSnapshotError | None


@dataclass(frozen=True, slots=True)
class Generation:
    """The files of one offset; relative to `name`, which ends with a slash."""

    name: str
    offset: int
    files: frozenset[str]

    @property
    def complete(self) -> bool:
        """Whether its last file is there; without it, it is being written or was given up."""
        return MANIFEST in self.files


def generations(
    store: SnapshotStore, group: str, topic: str, partition: int
) -> Iterator[Generation]:
    """All generations of a partition, newest first, those on their way as well.

    Raises
    ------
    OSError: the store cannot be listed.
    """
    prefix = partition_prefix(group, topic, partition)
    for offset, files in by_offset(store.list(prefix), prefix).items():
        name = generation_prefix(group, topic, partition, offset)
        yield Generation(name, offset, frozenset(files))


def read_manifest(store: SnapshotStore, generation: Generation) -> Manifest:
    """The manifest of a complete generation, all of whose parts are there.

    Raises
    ------
    UnusableSnapshotError: it is torn, changed, unreadable or lacks a part.
    NewerSnapshotError: a newer version wrote it.
    """
    try:
        data = store.read(generation.name + MANIFEST)
    except OSError as error:
        problem = f"its manifest cannot be read: {in_words(error)}"
        raise UnusableSnapshotError(generation.name, problem) from error
    manifest = decode_manifest(data, generation.name)
    for part in manifest.parts:
        if part.name not in generation.files:
            raise UnusableSnapshotError(generation.name, f"{part.name} is not there")
    return manifest


def prune(
    store: SnapshotStore,
    group: str,
    topic: str,
    partition: int,
    *,
    keep: int,
    committed: int,
) -> list[str]:
    """Delete what is no longer needed, and say which generations.

    The newest `keep` complete ones stay, and the newest complete one at or below `committed`.
    Those on their way or given up go, for nobody else writes for a partition that is ours; so
    do the torn ones below all that stay, and files that no manifest names.

    Raises
    ------
    OSError: the store cannot be listed, or a file not be deleted.
    """
    found = list(generations(store, group, topic, partition))
    judged = [_judged(store, generation) for generation in found]
    offsets = [g.offset for g, verdict in zip(found, judged, strict=True) if _usable(verdict)]
    kept = set(offsets[:keep]) | set([offset for offset in offsets if offset <= committed][:1])
    oldest = min(kept, default=0)
    gone = []
    for generation, verdict in zip(found, judged, strict=True):
        if generation.offset in kept and isinstance(verdict, Manifest):
            names = {MANIFEST} | {part.name for part in verdict.parts}
            _delete(store, generation, generation.files - names)
        elif (
            verdict is None
            or _usable(verdict)
            or (isinstance(verdict, UnusableSnapshotError) and generation.offset < oldest)
        ):
            _delete(store, generation, generation.files)
            gone.append(generation.name)
    return gone


def sweep(
    store: SnapshotStore, group: str, topic: str, partition: int, *, offset: int | None = None
) -> None:
    """Delete the generations that have no manifest, and the one of an offset, whatever it is.

    Raises
    ------
    OSError: the store cannot be listed, or a file not be deleted.
    """
    for generation in generations(store, group, topic, partition):
        if generation.offset == offset or not generation.complete:
            _delete(store, generation, generation.files)


def _judged(store: SnapshotStore, generation: Generation) -> Verdict:
    """The manifest of a generation, why it cannot be used, or None if it is not complete."""
    if not generation.complete:
        return None
    try:
        return read_manifest(store, generation)
    except (UnusableSnapshotError, NewerSnapshotError) as error:
        return error


def _usable(verdict: Verdict) -> bool:
    return isinstance(verdict, Manifest)


def _delete(store: SnapshotStore, generation: Generation, files: frozenset[str]) -> None:
    """Delete files of a generation, its manifest first: half of it must not look complete."""
    for file in sorted(files, key=lambda file: (file != MANIFEST, file)):
        store.delete(generation.name + file)
