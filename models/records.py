"""Rows of many fields that lie together in memory, and grow in place.

Owns: one block of memory for each kind of row, and the arrays that are views of it.
Never: what a field means; keeps a view of memory that has moved.
Source: Linux, mremap(2) and madvise(2). What is known of a customer is wanted all at once: were
    each field an array of its own, an event would wait for a line and a page of memory for each.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

View = TypeVar("View")

GROWTH = 16  # A store grows by a sixteenth: little is wasted, and growing moves no bytes.
SMALLEST = 256
ROW_BYTES = 64  # A line of a cache: where a row begins, a line does.
LARGE_BYTES = 1 << 22  # From here on pages of 2 MiB waste little, and are looked up quickly.
PAGES_BYTES = 1 << 21


def rows_for(have: int, need: int) -> int:
    """How many rows to make room for where `need` are wanted."""
    return max(need, have + have // GROWTH, SMALLEST)


class Records(Generic[View]):
    """Rows of one kind; `view` holds their fields as arrays, made anew by each `reserve`.

    Nobody may keep a view, or an array of it, across `reserve`: memory that somebody looks at
    cannot move, and Python says so.

    Parameters
    ----------
    view_of: makes the view of the arrays, by the names of the fields.
    fields: type and shape of each field, as they lie in a row; a shape has no zero, and the order
        leaves no gap.
    """

    def __init__(
        self,
        view_of: Callable[..., View],
        fields: Mapping[str, tuple[DTypeLike, tuple[int, ...]]],
    ) -> None:
        self._view_of = view_of
        self._kind = row_type(fields)
        self._size_bytes = _pages(SMALLEST * self._kind.itemsize)
        self._memory = mmap.mmap(-1, self._size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.rows = SMALLEST
        self.view = self._look()

    def reserve(self, rows: int) -> None:
        """Make room for so many rows; new ones are zero."""
        if rows <= self.rows:
            return
        del self.view
        self.rows = rows_for(self.rows, rows)
        self._resize(_pages(self.rows * self._kind.itemsize))
        self.view = self._look()

    @property
    def kind(self) -> np.dtype[np.void]:
        """The type of a row."""
        return self._kind

    @property
    def size_bytes(self) -> int:
        """What the block takes."""
        return self._size_bytes

    def lifted(self, rows: int) -> NDArray[np.void]:
        """The first rows, as they lie in memory, read-only; nobody may reserve while it is held."""
        array = np.frombuffer(self._memory, self._kind, rows)
        array.flags.writeable = False
        return array

    def room(self, rows: int, kind: np.dtype[np.void]) -> NDArray[np.void] | None:
        """The memory of the first rows, to be written where they will lie; None for another kind.

        Nobody may reserve while it is held, but for so many rows.
        """
        if kind != self._kind:
            return None
        self.reserve(rows)
        return np.frombuffer(self._memory, self._kind, rows)

    def fill(self, lifted: NDArray[np.void]) -> None:
        """Become rows that were lifted, or written into the `room` for them.

        Raises
        ------
        ValueError: they are of another kind.
        """
        if lifted.dtype != self._kind:
            message = f"rows of {lifted.dtype} are not rows of {self._kind}"
            raise ValueError(message)
        self.reserve(len(lifted))
        rows = np.frombuffer(self._memory, self._kind, len(lifted))
        if lifted.ctypes.data != rows.ctypes.data:
            rows[:] = lifted

    def _resize(self, size_bytes: int) -> None:
        self._memory.resize(size_bytes)
        self._size_bytes = size_bytes
        if size_bytes >= LARGE_BYTES:
            self._memory.madvise(mmap.MADV_HUGEPAGE)

    def _look(self) -> View:
        """The fields as arrays over the memory; their strides are a row, so none is contiguous."""
        records = np.frombuffer(self._memory, self._kind, self.rows)
        arrays: dict[str, NDArray[np.generic]] = {
            name: records[name] for name in self._kind.names or ()
        }
        return self._view_of(**arrays)


def row_type(fields: Mapping[str, tuple[DTypeLike, tuple[int, ...]]]) -> np.dtype[np.void]:
    """The fields behind each other, in whole lines.

    Examples
    --------
    >>> kind = row_type({"a": (np.int64, (2,)), "b": (np.int8, ())})
    >>> kind["a"].shape, kind.fields["b"][1], kind.itemsize
    ((2,), 16, 64)
    """
    packed = np.dtype([(name, *kind) for name, kind in fields.items()])
    assert packed.fields is not None, "a row has fields"
    offsets = [packed.fields[name][1] for name in fields]
    for offset, (number, _) in zip(offsets, fields.values(), strict=True):
        assert offset % np.dtype(number).itemsize == 0, "a number crosses two words"
    return np.dtype(
        {
            "names": list(fields),
            "formats": [packed[name] for name in fields],
            "offsets": offsets,
            "itemsize": -(-packed.itemsize // ROW_BYTES) * ROW_BYTES,
        }
    )


def _pages(size_bytes: int) -> int:
    """Whole pages; of a large store whole large ones, so that it begins where one may."""
    page_bytes = PAGES_BYTES if size_bytes >= LARGE_BYTES else mmap.PAGESIZE
    return -(-size_bytes // page_bytes) * page_bytes
