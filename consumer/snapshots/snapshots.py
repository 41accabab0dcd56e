"""The snapshots of a worker: what its loop sees of them.

Owns: finding, loading and writing, one snapshot on its way at most.
Never: decides when a snapshot is taken, or what is done with one.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from consumer import __version__
from consumer.clock import Clock
from consumer.deadline import STORE_MAX_S
from consumer.logs import say
from consumer.snapshots.beside import Beside, SideThread
from consumer.snapshots.generations import generations, read_manifest
from consumer.snapshots.loading import Loading, Rooms, no_rooms
from consumer.snapshots.manifest import Manifest, Moment, UnusableSnapshotError
from consumer.snapshots.names import partition_prefix
from consumer.snapshots.state_copy import CHUNK_BYTES, MIB, PART_BYTES, StateCopy
from consumer.snapshots.store import SnapshotStore, in_words, open_store
from consumer.snapshots.writing import Outcome, Writing, manifest_of
from models.lifted import Lifted
from schemas.settings import Settings

AHEAD_BYTES_MAX: Final = 512 * MIB
"""What may be copied and not yet compressed: a store that is slow takes no more memory."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What bounds a step, a file and the memory taken beside the state."""

    chunk_bytes: int = CHUNK_BYTES
    part_bytes: int = PART_BYTES
    ahead_bytes_max: int = AHEAD_BYTES_MAX


def warn(error: UnusableSnapshotError) -> None:
    """Say in the log that a snapshot was passed over."""
    say("snapshot_unusable", problem=str(error))


class Snapshots:
    """The snapshots of one consumer group.

    Parameters
    ----------
    keep: how many generations of each partition stay; at least 2.
    beside: where compressing and writing happen, and the reading of parts.
    report: told of every snapshot that `newest` passes over.

    Attributes
    ----------
    store, group: where they are, and whose; campaign files of the group are kept beside them.
    """

    def __init__(
        self,
        store: SnapshotStore,
        group: str,
        beside: Beside,
        clock: Clock,
        *,
        keep: int = 2,
        sizes: Sizes | None = None,
        report: Callable[[UnusableSnapshotError], None] = warn,
    ) -> None:
        assert keep >= 2
        self.store = store
        self.group = group
        self._beside = beside
        self._clock = clock
        self._keep = keep
        self._sizes = Sizes() if sizes is None else sizes
        self._report = report
        self._writing: Writing | None = None

    def newest(self, topic: str, partition: int, *, not_after: int) -> Iterator[Manifest]:
        """Yield the snapshots of a partition at or below an offset, newest first.

        Only manifests are read: what is in the parts is found out by `load`. A store that
        cannot be listed has no snapshots, and is reported as well.

        Raises
        ------
        NewerSnapshotError: a newer version has written here.
        """
        try:
            found = list(generations(self.store, self.group, topic, partition))
        except OSError as error:
            prefix = partition_prefix(self.group, topic, partition)
            problem = f"the store cannot be listed: {in_words(error)}"
            self._report(UnusableSnapshotError(prefix, problem))
            return
        for generation in found:
            if generation.offset > not_after or not generation.complete:
                continue
            try:
                yield read_manifest(self.store, generation)
            except UnusableSnapshotError as error:
                self._report(error)

    def load(self, manifest: Manifest, rooms: Rooms = no_rooms) -> Loading:
        """Load one, step by step; see `Loading`."""
        return Loading(self.store, manifest, self._beside, self._sizes.chunk_bytes, rooms)

    @property
    def busy(self) -> bool:
        """Whether one is on its way: until `poll` or `finish` has given its outcome."""
        return self._writing is not None

    def begin(self, moment: Moment, lifted: Lifted) -> None:
        """Begin to write the state of a partition; none other may be on its way.

        The partition is withheld, so that its fold stands still, until `step` says True.
        """
        assert not self.busy, "one snapshot at a time"
        self._writing = Writing(
            self.store,
            self._beside,
            self._clock,
            manifest_of(__version__, self.group, moment, dict(lifted.facts)),
            StateCopy(lifted, self._sizes.chunk_bytes, self._sizes.part_bytes),
            part_bytes=self._sizes.part_bytes,
            keep=self._keep,
            ahead_bytes_max=self._sizes.ahead_bytes_max,
        )

    def step(self) -> bool:
        """Copy at most one chunk; True when the partition may go on.

        Copies nothing while too much waits to be written.
        """
        assert self._writing is not None
        return self._writing.step()

    def poll(self) -> Outcome | None:
        """The outcome of the one on its way, once; None if there is none yet."""
        if self._writing is None:
            return None
        outcome = self._writing.poll()
        if outcome is not None:
            self._writing = None
        return outcome

    def abandon(self, problem: str) -> None:
        """Stop copying: the partition goes on or is lost. `poll` still gives an outcome.

        What was copied whole is written all the same.
        """
        if self._writing is not None:
            self._writing.abandon(problem)

    def finish(self, most_s: float | None = None) -> Outcome | None:
        """Copy and write to the end, waiting; None if nothing was on its way. For the stop.

        What is not written in so many seconds is given up, and no complete generation.
        """
        if self._writing is None:
            return None
        outcome = self._writing.finish(most_s)
        self._writing = None
        return outcome

    def close(self, most_s: float = STORE_MAX_S) -> None:
        """Give up what is not copied yet, and wait for what is, so long at most."""
        self.abandon("the worker stopped")
        if not self._beside.close(most_s):
            say("store_silent")


def open_snapshots(settings: Settings, clock: Clock) -> Snapshots:
    """The snapshots that the settings name, written in a thread of their own.

    Raises
    ------
    WorldError: what the store needs is not installed.
    """
    store = open_store(settings.snapshots.url)
    keep = settings.snapshots.generations
    return Snapshots(store, settings.group, SideThread(), clock, keep=keep)
