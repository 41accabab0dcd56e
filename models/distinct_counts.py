"""How many different customers have converted, and how many have not, up to a bound.

Owns: the answer to "has this campaign seen enough to leave `warming`?".
Never: holds a customer id, only 64-bit hashes; grows beyond its bound.
Source: the thresholds are this project's contract.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CUSTOMERS_MAX = 100
_MASK = (1 << 64) - 1


class DistinctCounts:
    """Distinct converting customers and distinct others, each counted up to 100.

    A customer who converts counts as converting from then on, and no longer among the others.

    Examples
    --------
    >>> counts = DistinctCounts(customers_max=1)
    >>> counts.add(7, converted=False); counts.add(7, converted=True); counts.enough
    False
    >>> counts.add(8, converted=False); counts.enough
    True
    """

    def __init__(self, customers_max: int = CUSTOMERS_MAX) -> None:
        self._customers_max = customers_max
        self._converting: dict[int, None] = {}
        self._others: dict[int, None] = {}
        self._settle()

    def _settle(self) -> None:
        full = self._customers_max
        self._enough = len(self._converting) >= full and len(self._others) >= full

    @property
    def converting(self) -> int:
        """How many different customers have converted, at most the bound."""
        return len(self._converting)

    @property
    def others(self) -> int:
        """How many different customers have not, at most the bound."""
        return len(self._others)

    @property
    def enough(self) -> bool:
        """Whether both counts have reached their bound; it stays so."""
        return self._enough

    def add(self, customer_hash: int, *, converted: bool) -> None:
        """Count a settled row of a customer, known by a 64-bit hash."""
        if self._enough:
            return
        key = customer_hash & _MASK
        if key in self._converting:
            return
        if converted:
            if len(self._converting) < self._customers_max:
                self._converting[key] = None
                self._others.pop(key, None)
        elif len(self._others) < self._customers_max:
            self._others[key] = None
        self._settle()

    def to_state(self) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Return everything needed to go on exactly."""
        return {}, {
            "converting": np.array(list(self._converting), dtype=np.uint64),
            "others": np.array(list(self._others), dtype=np.uint64),
        }

    def from_state(self, _numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `to_state` described."""
        self._converting = dict.fromkeys(arrays["converting"].tolist())
        self._others = dict.fromkeys(arrays["others"].tolist())
        self._settle()
