"""A kernel support vector machine that learns row by row, as a River estimator.

Owns: the hinge on random Fourier features, which negatives it sees, and its probability.
Never: keeps a row or a support vector; has weights that scorers could read.
Source: Rahimi & Recht (2007) "Random features for large-scale kernel machines"; Platt (1999).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from models import kernel_fourier as fourier
from models import kernels_learner as kernels
from models.column_classifier import ColumnClassifier
from models.column_learner import StateError, StateParts
from models.columns import COLUMNS_MAX
from models.hashed_columns import hash_of_name
from models.kernels_learner import Floats
from models.platt import CALIBRATOR_NUMBERS, PlattCalibrator

_CAPACITY_FIRST = 16
_NEGATIVES_MIN = 0.05


class FourierSVM(ColumnClassifier):
    """A support vector machine with a Gaussian kernel exp(-γ‖x - y‖²), approximated.

    The hinge collapses where positives are rare, so it sees only as many negatives as positives
    are expected, but at least 5 %, drawn by the number of the row. The probability comes from a
    calibrator, for which each negative that is kept stands for those that are not. The calibrator
    learns each margin before the machine learns the row.

    Parameters
    ----------
    rate
        Expected share of positives, in (0, 1).
    gamma
        Of the kernel: rows further apart than 1/√γ have little to do with each other.
    features
        How many Fourier features there are.
    learning_rate
        AdaGrad's.
    seed
        Of the Fourier features and of the negatives, 0 to 2**31.
    half_life_days
        After so many days a row counts half in the column means.
    columns_max
        Names beyond this many are refused and counted.

    Examples
    --------
    >>> model = FourierSVM(rate=0.5, gamma=1.0)
    >>> for _ in range(500):
    ...     for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
    ...         model.learn_one({"a": a, "b": b}, a != b)
    >>> [model.predict_one({"a": a, "b": b}) for a, b in ((0, 0), (0, 1), (1, 0), (1, 1))]
    [False, True, True, False]
    """

    kind: ClassVar[str] = "kernel_svm"

    def __init__(
        self,
        rate: float = 0.05,
        gamma: float = 0.05,
        features: int = 256,
        learning_rate: float = 0.3,
        seed: int = 7,
        half_life_days: float = 365.0,
        columns_max: int = COLUMNS_MAX,
    ) -> None:
        if not 0.0 < rate < 1.0:
            raise ValueError(f"rate must lie between 0 and 1, found {rate!r}")
        if not (gamma > 0.0 and features > 0 and learning_rate > 0.0 and half_life_days > 0.0):
            raise ValueError("gamma, features, learning_rate and half_life_days must be above 0")
        if not 0 <= seed <= 2**31:
            raise ValueError(f"seed must lie between 0 and 2**31, found {seed!r}")
        self.rate = rate
        self.gamma = gamma
        self.features = features
        self.learning_rate = learning_rate
        self.seed = seed
        self.half_life_days = half_life_days
        self.columns_max = columns_max
        self._start(columns_max)
        self._negatives = hash_of_name("#negatives", seed)
        self._kept = min(1.0, max(_NEGATIVES_MIN, rate / (1.0 - rate)))
        self._weights = np.zeros(features + 1)
        self._squares = np.zeros(features + 1)
        self._z = np.zeros(features + 1)
        self._calibrator = PlattCalibrator(offset=math.log(rate / (1.0 - rate)))
        self._allocate(min(_CAPACITY_FIRST, columns_max + 1))

    def _allocate(self, capacity: int) -> None:
        self._means = np.zeros(capacity)
        self._x = np.zeros(capacity)
        self._frequencies = np.zeros((capacity, self.features))
        fourier.draw_phases(self._frequencies[0], hash_of_name("#phases", self.seed))
        for place, name in enumerate(self.columns, 1):
            self._draw(name, place)

    def _draw(self, name: str, place: int) -> None:
        # By name, so that the order of admission does not matter. A kernel of γ has frequencies
        # of variance 2γ, in radians; here they are in turns.
        deviation = math.sqrt(2.0 * self.gamma) / (2.0 * math.pi)
        stream = hash_of_name(name, self.seed)
        fourier.draw_frequencies(self._frequencies[place], stream, deviation)

    def _admitted(self, name: str, place: int) -> None:
        capacity = len(self._means)
        if place >= capacity:
            means = self._means
            self._allocate(min(2 * capacity, self.columns_max + 1))
            self._means[:capacity] = means
        else:
            self._draw(name, place)

    def _margin(self, values: Floats, tallies: Floats) -> float:
        """Set the row's Fourier features and return their weighted sum."""
        self._check(values)
        size = len(self._columns) + 1
        kernels.take_in(self._x, values, tallies, size)
        fourier.fourier_features(self._frequencies, self._x, self._z, size)
        return fourier.margin_of(self._weights, self._z)

    def _learn(self, values: Floats, y: float, weight: float) -> None:
        if y == 1.0:
            self._learn_sign(values, 1.0, weight, weight)
        elif fourier.uniform(self._negatives, self.rows_learned) <= self._kept:
            self._learn_sign(values, -1.0, weight, weight / self._kept)
        else:
            kernels.take_in(self._x, values, self._tallies, len(self._columns) + 1)
        self._count_row(weight)

    def _learn_sign(self, values: Floats, sign: float, weight: float, stands_for: float) -> None:
        margin = self._margin(values, self._tallies)
        self._calibrator.learn(margin, float(sign > 0.0), stands_for)
        fourier.learn_hinge(
            self._weights, self._squares, self._z, margin, sign, weight, self.learning_rate
        )

    def predict_row(self, values: Floats) -> float:
        """Return the probability of a row given as an array, bias first."""
        return self._calibrator.probability(self._margin(values, np.zeros(kernels.TALLIES)))

    def to_state(self) -> StateParts:
        """Return everything needed to go on bit for bit; the features are kept as their seed."""
        arrays = {
            "weights": self._weights.copy(),
            "squares": self._squares.copy(),
            "means": self._means[: len(self._columns) + 1].copy(),
            "calibrator": self._calibrator.to_array(),
        }
        return StateParts(list(self.columns), {**self._numbers(), **self._drawn}, arrays)

    @property
    def _drawn(self) -> dict[str, float]:
        """What the Fourier features are a function of."""
        return {"seed": float(self.seed), "gamma": self.gamma}

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible."""
        lengths = dict.fromkeys(("weights", "squares"), self.features + 1)
        lengths |= {"means": len(columns) + 1, "calibrator": CALIBRATOR_NUMBERS}
        self._check_state(columns, numbers, arrays, lengths)
        found = {name: numbers.get(name) for name in self._drawn}
        if found != self._drawn:
            raise StateError(f"learner state with features of {found}, expected {self._drawn}")
        self._take_numbers(columns, numbers)
        capacity = _CAPACITY_FIRST
        while capacity <= len(columns):
            capacity *= 2
        self._allocate(min(capacity, self.columns_max + 1))
        self._means[: len(columns) + 1] = arrays["means"]
        self._weights[:] = arrays["weights"]
        self._squares[:] = arrays["squares"]
        self._calibrator.from_array(arrays["calibrator"])
