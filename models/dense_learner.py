"""What the Bayesian learners share: weights with a full covariance, forgetting, state.

Owns: weights, covariance and prior as growing arrays, and their exact round trip.
Never: pickles, reads a clock, knows a likelihood.
Source: West & Harrison, "Bayesian Forecasting and Dynamic Models" (discounting of information).
"""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

from models import kernels_learner as kernels
from models.columns import prior_variance_of
from models.kernel_learn_rows import LearnerArrays
from models.kernels_learner import Floats
from models.linear_learner import LinearLearner, StateParts

_CAPACITY_FIRST = 16
_HALVINGS_MAX = 60.0
HASHED_VARIANCE = 0.02
"""The prior variance of a column that names share by their hash."""


class DenseLearner(LinearLearner):
    """A linear model with a full covariance over at most `columns_max` columns and a bias.

    Place 0 of every array is the bias; column i of `columns` stands at place i + 1. Names beyond
    `columns_max` share up to `hashed_max` columns, of which only variances are kept. Subclasses
    are River estimators: they name their parameters themselves and call `_start_dense`.
    """

    prior_variance: float
    prior_variances: Mapping[str, float] | None
    bias_variance: float
    half_life_days: float
    bias_drift: float
    columns_max: int
    hashed_max: int
    _kernel: ClassVar[Callable[..., None]]

    def _start_dense(self, bias: float) -> None:
        for name in ("bias_variance", "prior_variance", "half_life_days"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)!r}")
        if not self.bias_drift >= 0.0:
            raise ValueError(f"bias_drift must not be negative, found {self.bias_drift!r}")
        self._start(self.columns_max, self.hashed_max)
        self._allocate(min(_CAPACITY_FIRST, self.columns_max + 1))
        self._weights[0] = bias
        self._prior[0] = self.bias_variance
        self._covariance[0, 0] = self.bias_variance

    def _allocate(self, capacity: int) -> None:
        self._weights = np.zeros(capacity)
        self._prior = np.zeros(capacity)
        self._means = np.zeros(capacity)
        dense = min(capacity, self.columns_max + 1)
        self._covariance = np.zeros((dense, dense))
        self._variances = np.zeros(capacity)  # Of the columns beyond the dense ones.
        self._gain = np.zeros(capacity)
        self._x = np.zeros(capacity)

    @property
    def weights(self) -> Floats:
        """The weights, float64, aligned with `columns` (a view: copy it to keep it)."""
        return self._weights[1 : len(self._columns) + 1]

    @property
    def bias(self) -> float:
        """The constant term."""
        return float(self._weights[0])

    @property
    def covariance(self) -> Floats:
        """The covariance of the bias and the columns that are not shared, square (a view)."""
        return self._covariance[: self._dense, : self._dense]

    @property
    def _dense(self) -> int:
        return min(len(self._columns), self.columns_max) + 1

    @property
    def arrays(self) -> LearnerArrays:
        """What a compiled loop learns with, bias first (no copies); until a column is admitted."""
        assert self.hashed_max == 0, "the loop knows no shared columns"
        return LearnerArrays(
            self._covariance,
            self._variances,
            self._weights,
            self._prior,
            self._means,
            self._gain,
            self._x,
            self._tallies,
        )

    def _admitted(self, name: str, place: int) -> None:
        capacity = len(self._weights)
        if place >= capacity:
            old = self._weights, self._prior, self._means, self._variances
            covariance, dense = self._covariance, len(self._covariance)
            self._allocate(min(2 * capacity, self._columns.places_max + 1))
            for held, array in zip(
                old, (self._weights, self._prior, self._means, self._variances), strict=True
            ):
                array[:capacity] = held
            self._covariance[:dense, :dense] = covariance
        if place > self.columns_max:
            self._prior[place] = self._variances[place] = HASHED_VARIANCE
            return
        variance = prior_variance_of(name, self.prior_variance, self.prior_variances or {})
        self._prior[place] = variance
        self._covariance[place, place] = variance

    def linear(self, values: Floats) -> float:
        """Return the bias plus the weighted sum of an array of values, bias first."""
        self._check(values)
        return kernels.linear_sum(self._weights, values)

    def _learn(self, values: Floats, y: float, weight: float) -> None:
        self._kernel(
            self._covariance,
            self._variances,
            self._weights,
            self._prior,
            self._means,
            self._gain,
            self._x,
            self._tallies,
            values,
            y,
            weight,
            len(self._columns) + 1,
        )

    def advance(self, days: float) -> None:
        """Forget what `days` of event time make old, and let the bias drift."""
        if not days > 0.0:
            return
        dense = self._dense
        halvings = days / self.half_life_days
        if halvings > _HALVINGS_MAX:
            self._covariance[:dense, :dense] = np.diag(self._prior[:dense])
        else:
            self._forget(halvings)
        keep = math.exp(-math.log(2.0) * halvings)
        kernels.forget_diagonal(self._variances, self._prior, keep, dense, len(self._columns) + 1)
        variance = self._covariance[0, 0]
        drifted = min(variance + self.bias_drift * days, self._prior[0])
        self._covariance[0, 0] = max(variance, drifted)
        self._fade_tallies(keep)

    def _forget(self, halvings: float) -> None:
        # Each step keeps at least half, where the kernel's formula is at its best.
        steps = max(1, math.ceil(halvings))
        keep = math.exp(-math.log(2.0) * halvings / steps)
        if keep == 1.0:
            return
        places = np.empty(self._dense, np.int64)
        count = kernels.touched_columns(self._covariance, self._prior, places, self._dense)
        square = (count, count)
        block, factor, solved = np.empty(square), np.empty(square), np.empty(square)
        pivot_min = np.empty(count)
        for _ in range(steps):
            kernels.forget(
                self._covariance,
                self._prior,
                places[:count],
                block,
                factor,
                solved,
                pivot_min,
                keep,
            )

    def to_state(self) -> StateParts:
        """Return everything needed to go on bit for bit; the arrays are copies."""
        size = len(self._columns) + 1
        arrays = {
            "weights": self._weights[:size].copy(),
            "prior": self._prior[:size].copy(),
            "means": self._means[:size].copy(),
            "covariance": self.covariance[np.tril_indices(self._dense)],
        }
        if size > self._dense:
            arrays["variances"] = self._variances[self._dense : size].copy()
        return StateParts(list(self.columns), self._numbers(), arrays)

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible."""
        size = len(columns) + 1
        lengths = dict.fromkeys(("weights", "prior", "means"), size)
        dense = min(size, self.columns_max + 1)
        lengths["covariance"] = dense * (dense + 1) // 2
        if size > dense:
            lengths["variances"] = size - dense
        self._check_state(columns, numbers, arrays, lengths)
        self._take_numbers(columns, numbers)
        capacity = _CAPACITY_FIRST
        while capacity < size:
            capacity *= 2
        self._allocate(min(capacity, self._columns.places_max + 1))
        self._weights[:size] = arrays["weights"]
        self._prior[:size] = arrays["prior"]
        self._means[:size] = arrays["means"]
        if size > dense:
            self._variances[dense:size] = arrays["variances"]
        lower, upper = np.tril_indices(dense)
        self._covariance[lower, upper] = arrays["covariance"]
        self._covariance[upper, lower] = arrays["covariance"]
