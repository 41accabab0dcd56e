"""The columns of a learner: names in order of admission, up to a bound.

Owns: which feature names a learner knows, and at which place.
Never: forgets or moves a column; knows a weight.
Source: the bound on dense columns per campaign is a setting of this project.
"""

from collections.abc import Mapping, Sequence
from typing import Self

COLUMNS_MAX = 256


class Columns:
    """Names admitted one by one; beyond `columns_max` they are refused and counted.

    Examples
    --------
    >>> columns = Columns(columns_max=2)
    >>> columns.admit("page_view 1d"), columns.admit("channel=app"), columns.admit("page_view 1d")
    (0, 1, 0)
    >>> columns.admit("one too many"), columns.refused
    (-1, 1)
    """

    def __init__(self, columns_max: int = COLUMNS_MAX) -> None:
        self.names: list[str] = []
        self.refused = 0
        self.columns_max = columns_max
        self.places: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many columns were admitted."""
        return len(self.names)

    def find(self, name: str) -> int:
        """Return the place of a known name, or -1."""
        return self.places.get(name, -1)

    def admit(self, name: str) -> int:
        """Return the place of a name, taking it in if there is room; -1 if there is none."""
        place = self.places.get(name, -1)
        if place >= 0:
            return place
        if len(self.names) >= self.columns_max:
            self.refused += 1
            return -1
        return self._append(name)

    def _append(self, name: str) -> int:
        self.places[name] = len(self.names)
        self.names.append(name)
        return len(self.names) - 1

    @property
    def places_max(self) -> int:
        """How many columns there can be."""
        return self.columns_max

    def _fresh(self) -> Self:
        return type(self)(self.columns_max)

    def readmitted(self, names: Sequence[str]) -> Self:
        """Return columns with the same bounds into which these names were admitted, in order."""
        fresh = self._fresh()
        for name in names:
            fresh.admit(name)
        return fresh


def prior_variance_of(name: str, default: float, variances: Mapping[str, float]) -> float:
    """Return a column's prior variance: by its name, else by its family, else the default.

    The family of `channel=app` is `channel=`: everything up to and including the first `=`.

    Examples
    --------
    >>> prior_variance_of("channel=app", 0.03, {"channel=": 0.005})
    0.005
    """
    if name in variances:
        return variances[name]
    family, sign, _ = name.partition("=")
    return variances.get(family + sign, default) if sign else default
