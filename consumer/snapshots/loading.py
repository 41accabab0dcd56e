"""The reading of one snapshot, a bounded piece at a time.

Owns: that the arrays which come out are those that went in, bit for bit, or nothing does.
Never: gives an array before its bytes were checked.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from functools import partial
from itertools import accumulate
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_hexdigest
from zstandard import ZstdDecompressionReader, ZstdDecompressor, ZstdError

from consumer.snapshots.beside import Beside
from consumer.snapshots.manifest import (
    Manifest,
    StoredArray,
    StoredPart,
    UnusableSnapshotError,
    dtype_of,
)
from consumer.snapshots.state_copy import CHUNK_BYTES, Bytes, as_bytes
from consumer.snapshots.store import SnapshotStore, in_words
from models.lifted import Lifted

WAIT_MAX_S = 0.01

Rooms = Callable[[str, tuple[int, ...], np.dtype[Any]], NDArray[Any] | None]
"""Gives writable memory for an array by its name, shape and type; None leaves it to the loading."""


def no_rooms(name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
    """Leave all memory to the loading."""
    del name, shape, kind


class Progress(NamedTuple):
    """Uncompressed bytes that are in place, and how many there will be."""

    done_bytes: int
    all_bytes: int


def read_part(store: SnapshotStore, manifest: Manifest, part: StoredPart) -> bytes:
    """The file of a part, checked.

    Raises
    ------
    UnusableSnapshotError: it is missing, unreadable, torn or changed.
    """
    try:
        packed = store.read(manifest.name + part.name)
    except FileNotFoundError as error:
        raise UnusableSnapshotError(manifest.name, f"{part.name} is not there") from error
    except OSError as error:
        problem = f"{part.name} cannot be read: {in_words(error)}"
        raise UnusableSnapshotError(manifest.name, problem) from error
    if len(packed) != part.size_bytes:
        problem = f"{part.name} has {len(packed)} bytes and not {part.size_bytes}"
        raise UnusableSnapshotError(manifest.name, problem)
    if xxh3_128_hexdigest(packed) != part.digest:
        problem = f"{part.name} is not as it was written (checksum)"
        raise UnusableSnapshotError(manifest.name, problem)
    return packed


class Loading(Iterator[Progress]):
    """Loads a snapshot while it is iterated over; then `lifted` is there.

    A step unpacks at most one chunk, or waits 10 ms at most for the file of a part, which is read
    and checked beside the loop: a store that is slow keeps nobody else from being scored. What is
    unpacked may lie in memory that is given by `rooms`; if the loading fails, nothing of it may be
    used.

    Raises, at any step
    -------------------
    UnusableSnapshotError: a part is missing, unreadable, torn or changed.
    """

    def __init__(
        self,
        store: SnapshotStore,
        manifest: Manifest,
        beside: Beside,
        chunk_bytes: int = CHUNK_BYTES,
        rooms: Rooms = no_rooms,
    ) -> None:
        self.manifest = manifest
        self._store = store
        self._beside = beside
        self._chunk_bytes = chunk_bytes
        self._room_of = rooms
        self._rooms: deque[Bytes] = deque()  # memory that is still to be filled
        self._done_bytes = 0
        self._lifted: Lifted | None = None
        self._steps = self._run()

    def __next__(self) -> Progress:
        return next(self._steps)

    @property
    def lifted(self) -> Lifted:
        """The state: writable arrays of its own, and the facts."""
        assert self._lifted is not None, "not yet loaded to the end"
        return self._lifted

    def _run(self) -> Iterator[Progress]:
        self._check_layout()
        arrays = {stored.name: self._array_for(stored) for stored in self.manifest.arrays}
        self._rooms.extend(as_bytes(array) for array in arrays.values() if array.nbytes)
        yield self._progress()
        for part in self.manifest.parts:
            read = self._beside.run(partial(read_part, self._store, self.manifest, part))
            while not read.done():
                wait([read], WAIT_MAX_S)
                yield self._progress()
            packed = read.result()
            yield self._progress()
            yield from self._unpack(part, packed)
        self._lifted = Lifted(arrays, self.manifest.facts)

    def _array_for(self, stored: StoredArray) -> NDArray[Any]:
        shape, kind = tuple(stored.shape), dtype_of(stored.descr)
        room = self._room_of(stored.name, shape, kind)
        return np.empty(shape, kind) if room is None else room

    def _progress(self) -> Progress:
        return Progress(self._done_bytes, self.manifest.raw_bytes)

    def _check_layout(self) -> None:
        """Hold the manifest to itself: every array follows the one before it."""
        starts_bytes = [0, *accumulate(part.raw_bytes for part in self.manifest.parts)]
        follows_bytes = 0
        for stored in self.manifest.arrays:
            try:
                size_bytes = prod(stored.shape) * dtype_of(stored.descr).itemsize
            except (ValueError, TypeError) as error:
                raise self._unusable(f"array {stored.name!r}: {error}") from error
            if (
                min(stored.shape, default=0) < 0
                or size_bytes != stored.size_bytes
                or not 0 <= stored.part < len(starts_bytes)
                or starts_bytes[stored.part] + stored.start_bytes != follows_bytes
            ):
                raise self._unusable(f"array {stored.name!r} is not where its parts have it")
            follows_bytes += size_bytes
        names = {stored.name for stored in self.manifest.arrays}
        if follows_bytes != starts_bytes[-1] or len(names) != len(self.manifest.arrays):
            raise self._unusable("its parts hold something else than its arrays")

    def _unpack(self, part: StoredPart, packed: bytes) -> Iterator[Progress]:
        """Fill the arrays with a part, a chunk at a time."""
        try:
            with ZstdDecompressor().stream_reader(packed) as reader:
                left_bytes = part.raw_bytes
                while left_bytes:
                    size_bytes = min(left_bytes, self._chunk_bytes)
                    self._fill(reader, size_bytes)
                    left_bytes -= size_bytes
                    self._done_bytes += size_bytes
                    yield self._progress()
                if reader.read(1):
                    raise self._unusable(f"{part.name} holds more than {part.raw_bytes} bytes")
        except (ZstdError, EOFError) as error:
            problem = f"{part.name} does not unpack to {part.raw_bytes} bytes: {error}"
            raise self._unusable(problem) from error

    def _fill(self, reader: ZstdDecompressionReader, size_bytes: int) -> None:
        """Put the next bytes where they belong."""
        while size_bytes:
            room = self._rooms[0][:size_bytes]
            got_bytes = reader.readinto(room.data)
            if not got_bytes:
                message = "it ends too early"
                raise EOFError(message)
            size_bytes -= got_bytes
            self._rooms[0] = self._rooms[0][got_bytes:]
            if not len(self._rooms[0]):
                self._rooms.popleft()

    def _unusable(self, problem: str) -> UnusableSnapshotError:
        return UnusableSnapshotError(self.manifest.name, problem)
