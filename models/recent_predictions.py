"""A learner's own predictions on recent settled rows, for percentiles.

Owns: the last 2,000 predictions of a learner, and their 101 quantiles.
Never: holds a customer; interpolates in an order that depends on batches.
Source: Hyndman & Fan (1996) "Sample quantiles in statistical packages", definition 7.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels_learner import Floats

PREDICTIONS_MAX = 2_000
QUANTILES = 101


class RecentPredictions:
    """A ring of predictions, oldest first.

    Examples
    --------
    >>> recent = RecentPredictions()
    >>> for prediction in (0.1, 0.3):
    ...     recent.add(prediction)
    >>> recent.quantiles()[[0, 50, 100]].tolist()
    [0.1, 0.2, 0.3]
    """

    def __init__(self, predictions_max: int = PREDICTIONS_MAX) -> None:
        self._ring = np.zeros(predictions_max)
        self._count = 0
        self._next = 0

    def __len__(self) -> int:
        """Return how many predictions are held."""
        return self._count

    def add(self, prediction: float) -> None:
        """Take in one finite prediction, in place of the oldest if the ring is full."""
        if not math.isfinite(prediction):
            return
        self._ring[self._next] = prediction
        self._next = (self._next + 1) % len(self._ring)
        self._count = min(self._count + 1, len(self._ring))

    def extend(self, predictions: Floats) -> None:
        """Take in predictions one after the other."""
        found = predictions[np.isfinite(predictions)]
        size = len(self._ring)
        kept = found[-size:]
        first = self._next + len(found) - len(kept)
        self._ring[(first + np.arange(len(kept))) % size] = kept
        self._next = (self._next + len(found)) % size
        self._count = min(self._count + len(found), size)

    @property
    def held(self) -> Floats:
        """The predictions that are held, in no order (a copy)."""
        return self._ring[: self._count].copy()

    def quantiles(self) -> Floats:
        """Return 101 quantiles, ascending, or none before the first prediction."""
        return quantiles_of(self.held)

    def to_state(self) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Return everything needed to go on bit for bit."""
        held = np.roll(self._ring, -self._next) if self._count == len(self._ring) else self._ring
        return {}, {"predictions": held[: self._count].copy()}

    def from_state(self, _numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `to_state` described; of a longer ring, the newest are kept."""
        held = arrays["predictions"][-len(self._ring) :]
        self._ring[:] = 0.0
        self._ring[: len(held)] = held
        self._count = len(held)
        self._next = self._count % len(self._ring)


def quantiles_of(predictions: Floats) -> Floats:
    """Return 101 quantiles of predictions, ascending, or none if there are none."""
    count = len(predictions)
    if count == 0:
        return np.zeros(0)
    ordered = np.sort(predictions)
    found = np.empty(QUANTILES)
    for place in range(QUANTILES):
        # Whole numbers first: the position is exact for every number of predictions.
        below, rest = divmod(place * (count - 1), QUANTILES - 1)
        above = min(below + 1, count - 1)
        share = rest / (QUANTILES - 1)
        found[place] = ordered[below] + (ordered[above] - ordered[below]) * share
    return found
