"""Columns for more names than have room: those beyond the bound share columns by their hash.

Owns: which column a name shares, the same in every process and release.
Never: a seed per instance (River's FeatureHasher draws one); more columns than its two bounds.
Source: Weinberger et al. (2009) "Feature hashing for large scale multitask learning".
"""

from typing import Self

import numpy as np

from models.columns import Columns
from models.kernel_hash import hash_of

HASHED_MAX = 4096
"""How many columns names share in a wide model."""
_MARK = "#"


class HashedColumns(Columns):
    """The first `columns_max` names have a column each, later ones share up to `hashed_max`.

    A shared column is called `#` and its number, comes into being when it is first needed, and
    holds the sum of the features that share it.

    Examples
    --------
    >>> columns = HashedColumns(columns_max=1, hashed_max=4096)
    >>> columns.admit("page_view 1d"), columns.admit("sku=a-17"), columns.admit("sku=b-4")
    (0, 1, 2)
    >>> columns.names
    ['page_view 1d', '#2622', '#1444']
    """

    def __init__(self, columns_max: int, hashed_max: int = HASHED_MAX) -> None:
        super().__init__(columns_max)
        self.hashed_max = hashed_max

    @property
    def places_max(self) -> int:
        """How many columns there can be."""
        return self.columns_max + self.hashed_max

    def _fresh(self) -> Self:
        return type(self)(self.columns_max, self.hashed_max)

    def find(self, name: str) -> int:
        """Return the place of a known name, or of the column that it shares, or -1."""
        place = super().find(name)
        if place >= 0 or len(self) < self.columns_max:
            return place
        return super().find(self._shared(name))

    def admit(self, name: str) -> int:
        """Return the place of a name or of the column that it shares, which always has room."""
        place = self.find(name)
        if place >= 0:
            return place
        return self._append(name if len(self) < self.columns_max else self._shared(name))

    def _shared(self, name: str) -> str:
        number = name[len(_MARK) :]
        if name.startswith(_MARK) and number.isdecimal() and int(number) < self.hashed_max:
            return f"{_MARK}{int(number)}"  # It is the name of a shared column itself.
        return f"{_MARK}{int(hash_of_name(name)) % self.hashed_max}"


def hash_of_name(name: str, seed: int = 0) -> np.uint64:
    """Return 64 bits of a name, the same everywhere; any text is a name."""
    text = np.frombuffer(name.encode("utf-8", "surrogatepass"), np.uint8)
    first, _ = hash_of(text, 0, len(text), np.uint64(seed), np.uint64(0))
    return np.uint64(first)


def make_columns(columns_max: int, hashed_max: int) -> Columns:
    """Return empty columns, of which `hashed_max` are shared."""
    return HashedColumns(columns_max, hashed_max) if hashed_max else Columns(columns_max)
