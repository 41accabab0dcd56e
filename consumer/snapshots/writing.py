"""One snapshot on its way: copied in the loop, compressed and written beside it.

Owns: what a written snapshot is, what keeps one from being written, and the cleaning up.
Never: raises what the store raises, and leaves no manifest of a snapshot that failed.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from consumer.clock import Clock
from consumer.snapshots.beside import Beside
from consumer.snapshots.generations import generations, prune, read_manifest, sweep
from consumer.snapshots.loading import read_part
from consumer.snapshots.manifest import (
    Manifest,
    Moment,
    NewerSnapshotError,
    UnusableSnapshotError,
    encode_manifest,
)
from consumer.snapshots.names import MANIFEST
from consumer.snapshots.part_files import PartFiles
from consumer.snapshots.state_copy import StateCopy
from consumer.snapshots.store import SnapshotStore, in_words


@dataclass(frozen=True, slots=True)
class Written:
    """A snapshot that is in the store, whole.

    `seconds` from the first copied byte to the last deleted file, `pruned` the generations that
    were deleted for it, `unpruned` why that did not work, if it did not.
    """

    manifest: Manifest
    size_bytes: int
    seconds: float
    pruned: tuple[str, ...] = ()
    unpruned: str | None = None


@dataclass(frozen=True, slots=True)
class NotWritten:
    """A snapshot that failed or was given up, and why; older ones are as they were."""

    moment: Moment
    problem: str


Outcome = Written | NotWritten


class Writing:
    """Writes one snapshot.

    Parameters
    ----------
    manifest: what it will be called and hold; its arrays and parts are filled in at the end.
    keep: how many generations of the partition stay.
    ahead_bytes_max: copying waits while so much is copied and not yet compressed.
    """

    def __init__(
        self,
        store: SnapshotStore,
        beside: Beside,
        clock: Clock,
        manifest: Manifest,
        copied: StateCopy,
        *,
        part_bytes: int,
        keep: int,
        ahead_bytes_max: int,
    ) -> None:
        self._store = store
        self._beside = beside
        self._clock = clock
        self._manifest = msgspec.structs.replace(manifest, arrays=copied.arrays)
        self._copy = copied
        self._keep = keep
        self._ahead_bytes_max = ahead_bytes_max
        self._waiting: deque[tuple[Future[None], int]] = deque()
        self._ahead_bytes = 0
        self._sealed: Future[Outcome] | None = None
        self._begun_s = clock.monotonic_s()
        # From here on only the work beside the loop may touch the parts; `_problem` is written
        # on both sides, and only ever from None to a sentence.
        self._parts = PartFiles(store, manifest.name, part_bytes)
        self._problem: str | None = None
        self._there: Manifest | None = None
        self._begun = False  # what has our name is of our making
        self._waiting.append((beside.run(self._prepare), 0))

    def step(self) -> bool:
        """Copy the next chunk, if there is room; True when the live state is no longer needed."""
        if self._sealed is not None:
            return True
        self._settle()
        if self._problem is None and not self._copy.done:
            if self._ahead_bytes and self._ahead_bytes >= self._ahead_bytes_max:
                return False
            pieces = self._copy.step()
            size_bytes = sum(map(len, pieces))
            self._ahead_bytes += size_bytes
            work = self._beside.run(lambda: self._add(pieces))
            self._waiting.append((work, size_bytes))
        if self._problem is None and not self._copy.done:
            return False
        self._copy.release()
        self._sealed = self._beside.run(self._seal)
        return True

    def poll(self) -> Outcome | None:
        """What became of it, or None while it is on its way."""
        self._settle()
        if self._sealed is None or not self._sealed.done():
            return None
        return self._sealed.result()

    def abandon(self, problem: str) -> None:
        """Stop copying; what was written so far is deleted, unless it was all of it."""
        if self._sealed is None:
            self._problem = self._problem or problem
            self.step()

    def finish(self, most_s: float | None = None) -> Outcome:
        """Copy what is left, and wait for the outcome; so long at most, else it is given up."""
        give_up_s = float("inf") if most_s is None else self._clock.monotonic_s() + most_s
        while (left_s := give_up_s - self._clock.monotonic_s()) > 0:
            awaited: list[Future[Any]] = [work for work, _ in list(self._waiting)[:1]]
            if self.step() and self._sealed is not None:
                awaited = [self._sealed]
            wait(awaited, left_s if most_s is not None else None)
            if self._sealed is not None and self._sealed.done():
                return self._sealed.result()
        self._problem = self._problem or "the store has not answered in time"
        return NotWritten(self._manifest.moment, self._problem)

    def _settle(self) -> None:
        """Take note of the chunks that are done; a broken law over there crashes here."""
        while self._waiting and self._waiting[0][0].done():
            work, size_bytes = self._waiting.popleft()
            work.result()
            self._ahead_bytes -= size_bytes

    # What follows runs beside the loop.

    def _prepare(self) -> None:
        """Make room: what was given up goes, and what has our name, if it is not the same."""
        try:
            self._there = self._same()
            if self._there is None:
                sweep(self._store, *self._of, offset=self._manifest.moment.next_offset)
                self._begun = True
        except OSError as error:
            self._problem = in_words(error)

    def _same(self) -> Manifest | None:
        """What we are about to write, if it is in the store already and whole."""
        for generation in generations(self._store, *self._of):
            if generation.name != self._manifest.name or not generation.complete:
                continue
            try:
                found = read_manifest(self._store, generation)
                if msgspec.structs.replace(found, parts=[]) != self._manifest:
                    return None
                for part in found.parts:
                    read_part(self._store, found, part)
            except UnusableSnapshotError:
                return None
            except NewerSnapshotError as error:
                raise OSError(str(error)) from error
            return found
        return None

    def _add(self, pieces: Sequence[bytes]) -> None:
        if self._problem is not None or self._there is not None:
            return
        try:
            self._parts.add(pieces)
        except OSError as error:
            self._problem = in_words(error)

    def _seal(self) -> Outcome:
        """Write the manifest and prune, or clean up."""
        if self._problem is None:
            try:
                return self._complete()
            except OSError as error:
                self._problem = in_words(error)
        with suppress(OSError):  # The next success cleans up what this could not.
            offset = self._manifest.moment.next_offset if self._begun else None
            sweep(self._store, *self._of, offset=offset)
        return NotWritten(self._manifest.moment, self._problem)

    def _complete(self) -> Outcome:
        manifest = self._there or self._write()
        pruned: list[str] = []
        unpruned = None
        try:
            offset = manifest.moment.next_offset
            pruned = prune(self._store, *self._of, keep=self._keep, committed=offset)
        except OSError as error:
            unpruned = in_words(error)
        seconds = self._clock.monotonic_s() - self._begun_s
        return Written(manifest, manifest.size_bytes, seconds, tuple(pruned), unpruned)

    def _write(self) -> Manifest:
        """Write what is left of the parts, see that all of them are there, and say so."""
        manifest = msgspec.structs.replace(self._manifest, parts=self._parts.finish())
        there = set(self._store.list(manifest.name))
        lost = [part.name for part in manifest.parts if manifest.name + part.name not in there]
        if lost:
            message = f"{', '.join(lost)} vanished from {manifest.name} before it was complete"
            raise OSError(message)
        if self._problem is not None:  # It was given up in the meantime.
            raise OSError(self._problem)
        self._store.write(manifest.name + MANIFEST, [encode_manifest(manifest)])
        return manifest

    @property
    def _of(self) -> tuple[str, str, int]:
        moment = self._manifest.moment
        return self._manifest.group, moment.topic, moment.partition


def manifest_of(program: str, group: str, moment: Moment, facts: dict[str, Any]) -> Manifest:
    """The manifest of a snapshot that is still to be written."""
    return Manifest(program=program, group=group, moment=moment, facts=facts, arrays=[], parts=[])
