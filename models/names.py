"""Names of rows, short and long.

Owns: the names that are too long for their rows, and reading both kinds.
Never: says which row belongs to whom.
Source: models.kernel_names keeps the short ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.kernel_names import ELSEWHERE
from models.plan import I8, U1
from models.state import NAME_BYTES


class LongNames:
    """Names that do not fit into their rows; no more of them than there are rows.

    Examples
    --------
    >>> rows = np.zeros((2, NAME_BYTES), np.uint8)
    >>> rows[0, :3], rows[1, 0] = (2, 104, 105), ELSEWHERE
    >>> names = LongNames()
    >>> names.keep([1], b"-" * 50, np.array([[0, 50]]))
    >>> [len(name) for name in names.read(rows, np.array([0, 1]))]
    [2, 50]
    """

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}  # by row

    def keep(self, rows: list[int], text: bytes | U1, spans: I8) -> None:
        """Keep those that are too long; of several names of a row the last. Former ones go."""
        self.forget(rows)
        for which in np.flatnonzero(spans[:, 1] - spans[:, 0] >= NAME_BYTES).tolist():
            start, stop = spans[which]
            self.kept[rows[which]] = bytes(text[start:stop])

    def read(self, names: U1, rows: NDArray[np.integer]) -> list[bytes]:
        """The names of some rows."""
        kept = names[rows]
        text, lengths = kept.tobytes(), kept[:, 0].tolist()
        return [
            self.kept[row] if length == ELSEWHERE else text[first : first + length]
            for row, length, first in zip(
                rows.tolist(), lengths, range(1, len(text) + 1, NAME_BYTES), strict=True
            )
        ]

    def forget(self, rows: list[int]) -> None:
        """Drop the names of rows that are no longer used."""
        if self.kept:
            for row in rows:
                self.kept.pop(row, None)
