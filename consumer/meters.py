"""The numbers behind the metrics: cells that cost an addition to update.

Owns: counters, gauges and histograms as plain Python numbers, and the bound on label sets.
Never: knows which metrics there are, or how they are exposed.
Source: https://prometheus.io/docs/concepts/metric_types/

One thread writes, the scraping threads read; each read of a cell is one operation of the
interpreter, so a scrape sees every cell whole and never waits for the loop.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

LABEL_SETS_MAX: Final = 10_000
OTHER: Final = "other"


class Counter:
    """Counts up."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, amount: float = 1.0) -> None:
        """Add ``amount``, which is not negative."""
        assert amount >= 0
        self.value += amount

    def follow(self, total: float) -> None:
        """Stand where somebody else has counted to; less than before means a new beginning."""
        self.value = float(total)


class Gauge:
    """Stands where it was last set."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        self.value = float(value)


class Histogram:
    """Counts observations between bounds.

    Parameters
    ----------
    bounds
        Upper bounds, inclusive and ascending; what lies beyond the last is counted too.

    Examples
    --------
    >>> latency_s = Histogram((0.001, 0.01))
    >>> latency_s.observe(0.001)
    >>> latency_s.observe_each(np.array([0.002, 0.5]))
    >>> latency_s.counts, latency_s.total
    ([1, 1, 1], 0.503)
    """

    __slots__ = ("_bounds_array", "bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        assert list(bounds) == sorted(set(bounds))
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self._bounds_array = np.asarray(bounds)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_counted(self, counts: list[int], total: float) -> None:
        """Observe what somebody else has counted, between the same bounds, and added up."""
        self.counts = [before + more for before, more in zip(self.counts, counts, strict=True)]
        self.total += total

    def observe_each(self, values: NDArray[np.float64]) -> None:
        """Observe every element of ``values``, at once."""
        cells = np.searchsorted(self._bounds_array, values, side="left")
        counts = np.bincount(cells, minlength=len(self.counts)).tolist()
        self.observe_counted(counts, float(values.sum()))


Cell = TypeVar("Cell", Counter, Gauge, Histogram)


class Family(Generic[Cell]):
    """All cells of one metric, by their label values.

    Parameters
    ----------
    make
        Makes a new cell.
    sets_max
        Label sets held at most; those after them share one, whose labels are all ``other``.
    """

    def __init__(self, make: Callable[[], Cell], sets_max: int = LABEL_SETS_MAX) -> None:
        self._make: Callable[[], Cell] = make
        self._sets_max = sets_max
        self._cells: dict[tuple[str, ...], Cell] = {}

    def at(self, *labels: str) -> Cell:
        """Give the cell with these labels, the same one every time: bind it once."""
        cell = self._cells.get(labels)
        if cell is not None:
            return cell
        if len(self._cells) >= self._sets_max:
            labels = (OTHER,) * len(labels)
        return self._cells.setdefault(labels, self._make())

    def forget(self, *labels: str) -> None:
        """Show this cell no longer; a later ``at`` begins anew."""
        self._cells.pop(labels, None)

    def labels(self) -> Iterable[tuple[str, ...]]:
        return tuple(self._cells)

    def items(self) -> Iterable[tuple[tuple[str, ...], Cell]]:
        return tuple(self._cells.items())
