"""The copying of a fold's state, a bounded piece at a time.

Owns: all arrays as one stream of bytes, cut into chunks, and where in it each array is.
Never: holds on to the live arrays once it is done.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consumer.snapshots.manifest import StoredArray, descr_of
from models.lifted import Lifted

MIB: Final = 1024 * 1024
CHUNK_BYTES: Final = 8 * MIB
"""Copied at once: 8 ms for 99 in a hundred; 128 MiB would be 120 ms (bench/README.md)."""

PART_BYTES: Final = 32 * MIB
"""Uncompressed bytes of a part; a whole number of chunks."""

Bytes = NDArray[np.uint8]


class StateCopy:
    """Copies the arrays of a fold that stands still, chunk by chunk.

    Parameters
    ----------
    lifted: views of the live state; let go of with the last chunk, or by `release`.
    chunk_bytes, part_bytes: the second is a whole number of the first.
    """

    def __init__(
        self, lifted: Lifted, chunk_bytes: int = CHUNK_BYTES, part_bytes: int = PART_BYTES
    ) -> None:
        assert part_bytes % chunk_bytes == 0
        self.arrays: list[StoredArray] = []
        self.raw_bytes = 0
        self._chunk_bytes = chunk_bytes
        self._streams: list[Bytes] = []
        self._first = 0  # of the streams that are not copied whole
        self._start_bytes = 0  # in that one
        for name, array in lifted.arrays.items():
            part, start_bytes = divmod(self.raw_bytes, part_bytes)
            self.arrays.append(
                StoredArray(
                    name=name,
                    descr=descr_of(array.dtype),
                    shape=list(array.shape),
                    part=part,
                    start_bytes=start_bytes,
                    size_bytes=array.nbytes,
                )
            )
            self.raw_bytes += array.nbytes
            if array.nbytes:
                self._streams.append(as_bytes(array))

    @property
    def done(self) -> bool:
        """Whether everything is copied, or was released."""
        return self._first == len(self._streams)

    def step(self) -> list[bytes]:
        """Copy the next chunk: pieces of the stream, all in all a chunk but for the last."""
        pieces = []
        room_bytes = self._chunk_bytes
        while room_bytes and not self.done:
            stream = self._streams[self._first]
            piece = stream[self._start_bytes : self._start_bytes + room_bytes]
            pieces.append(piece.tobytes())
            room_bytes -= len(piece)
            self._start_bytes += len(piece)
            if self._start_bytes == len(stream):
                self._first += 1
                self._start_bytes = 0
        if self.done:
            self.release()
        return pieces

    def release(self) -> None:
        """Let go of the live arrays: a fold that goes on may move them in memory."""
        self._streams = []
        self._first = 0


def as_bytes(array: NDArray[Any]) -> Bytes:
    """The memory of a C-contiguous array, padding included; nothing is copied."""
    assert array.flags.c_contiguous, "a state is lifted in C order"
    return array.reshape(-1).view(np.uint8)
