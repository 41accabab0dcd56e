"""The parts of one snapshot on their way to the store.

Owns: compression, checksums, and where one part ends and the next begins.
Never: runs in the loop's own thread, but in tests.
Source: ARCHITECTURE.md, "Snapshots"; RFC 8878 for the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from xxhash import xxh3_128
from zstandard import ZstdCompressor

from consumer.snapshots.manifest import StoredPart
from consumer.snapshots.names import part_name
from consumer.snapshots.store import SnapshotStore

LEVEL: Final = 1
"""Of zstd: level 3 takes 1.4 times as long and saves an eighth (bench/README.md)."""


class PartFiles:
    """Compresses chunks and writes a part whenever one is full.

    All methods may raise the store's `OSError`; after that the object is of no use.
    """

    def __init__(self, store: SnapshotStore, generation: str, part_bytes: int) -> None:
        self._store = store
        self._generation = generation
        self._part_bytes = part_bytes
        self._compressor = ZstdCompressor(level=LEVEL)
        self._parts: list[StoredPart] = []
        self._begin()

    def add(self, pieces: Sequence[bytes]) -> None:
        """Take the next chunk; none crosses the end of a part."""
        for piece in pieces:
            self._raw_bytes += len(piece)
            if packed := self._frame.compress(piece):
                self._packed.append(packed)
        assert self._raw_bytes <= self._part_bytes
        if self._raw_bytes == self._part_bytes:
            self._end()

    def finish(self) -> list[StoredPart]:
        """Write what is left, and give all parts."""
        if self._raw_bytes:
            self._end()
        return self._parts

    def _begin(self) -> None:
        self._frame = self._compressor.compressobj()
        self._packed: list[bytes] = []
        self._raw_bytes = 0

    def _end(self) -> None:
        self._packed.append(self._frame.flush())
        digest = xxh3_128()
        for packed in self._packed:
            digest.update(packed)
        name = part_name(len(self._parts))
        self._store.write(self._generation + name, self._packed)
        size_bytes = sum(map(len, self._packed))
        self._parts.append(StoredPart(name, size_bytes, self._raw_bytes, digest.hexdigest()))
        self._begin()
