"""What the Bayesian learners share: posteriors with a full covariance, forgetting, state.

Owns: weights, covariances and prior as growing arrays, and their exact round trip.
Never: pickles, reads a clock, knows a likelihood.
Source: West & Harrison, "Bayesian Forecasting and Dynamic Models" (discounting of information).
"""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from models import kernels_learner as kernels
from models.columns import prior_variance_of
from models.kernel_posteriors import Posteriors, mixed_sum
from models.kernels_learner import Floats
from models.linear_learner import LinearLearner, StateParts

_CAPACITY_FIRST = 16
_HALVINGS_MAX = 60.0
HASHED_VARIANCE = 0.02
"""The prior variance of a column that names share by their hash."""


class Pace(NamedTuple):
    """How fast a posterior forgets: a row's half-life, and what the bias may drift in a day.

    `share` is its part of what is served while nothing speaks for any posterior, in proportion.
    """

    half_life_days: float
    bias_drift: float
    share: float = 1.0


class DenseLearner(LinearLearner):
    """A linear model with a full covariance over at most `columns_max` columns and a bias.

    Place 0 of every array is the bias; column i of `columns` stands at place i + 1. Names beyond
    `columns_max` share up to `hashed_max` columns, of which only variances are kept. There is a
    posterior for each of `paces`; what is served is their mixture, by `shares`. Subclasses are
    River estimators: they name their parameters themselves and call `_start_dense`.
    """

    prior_variance: float
    prior_variances: Mapping[str, float] | None
    bias_variance: float
    half_life_days: float
    bias_drift: float
    columns_max: int
    hashed_max: int
    _kernel: ClassVar[Callable[..., None]]

    @property
    def paces(self) -> tuple[Pace, ...]:
        """How fast each posterior forgets; the column means fade with the first."""
        return (Pace(self.half_life_days, self.bias_drift),)

    def _start_dense(self, bias: float) -> None:
        for name in ("bias_variance", "prior_variance"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)!r}")
        for pace in self.paces:
            if not pace.half_life_days > 0.0:
                raise ValueError(f"half_life_days must be above 0, found {pace.half_life_days!r}")
            if not pace.bias_drift >= 0.0:
                raise ValueError(f"bias_drift must not be negative, found {pace.bias_drift!r}")
        self._start(self.columns_max, self.hashed_max)
        self._rest = np.array([pace.share for pace in self.paces])
        self._rest /= self._rest.sum()
        self._shares = self._rest.copy()
        self._said = np.full(len(self.paces), math.nan)
        self._allocate(min(_CAPACITY_FIRST, self.columns_max + 1))
        self._weights[:, 0] = bias
        self._prior[0] = self.bias_variance
        self._covariances[:, 0, 0] = self.bias_variance

    def _allocate(self, capacity: int) -> None:
        posteriors, dense = len(self.paces), min(capacity, self.columns_max + 1)
        self._weights = np.zeros((posteriors, capacity))
        self._covariances = np.zeros((posteriors, dense, dense))
        self._variances = np.zeros((posteriors, capacity))  # Of the columns beyond the dense ones.
        self._pending = np.zeros((posteriors, kernels.PENDING, dense))
        self._prior = np.zeros(capacity)
        self._means = np.zeros(capacity)
        self._x = np.zeros(capacity)
        self._posteriors = Posteriors(
            covariance=self._covariances,
            variances=self._variances,
            pending=self._pending,
            weights=self._weights,
            shares=self._shares,
            rest=self._rest,
            said=self._said,
            prior=self._prior,
            means=self._means,
            gain=np.zeros(capacity),
            x=self._x,
            tallies=self._tallies,
        )
        self._plain = tuple(self._posteriors)  # Handed over in half the time of one with names.

    @property
    def _served(self) -> Floats:
        """The mixed weights, bias first, and room."""
        served: Floats = self._weights[0]
        if len(self._shares) > 1:
            served = self._shares[0] * served
            for share, weights in zip(self._shares[1:], self._weights[1:], strict=True):
                served += share * weights
        return served

    @property
    def weights(self) -> Floats:
        """The weights as served, float64, aligned with `columns` (copy them to keep them)."""
        return self._served[1 : len(self._columns) + 1]

    @property
    def bias(self) -> float:
        """The constant term as served."""
        return float(self._served[0])

    @property
    def weights_by_expert(self) -> Floats:
        """The weights of each posterior, [E, 1 + columns], bias first (a view)."""
        return self._weights[:, : len(self._columns) + 1]

    @property
    def shares(self) -> Floats:
        """The share of each posterior in what is served, [E] (a view); they sum to 1."""
        return self._shares

    @property
    def covariances(self) -> Floats:
        """The covariances of the bias and the columns that are not shared, [E, n, n] (copies)."""
        dense = self._dense
        covariances = self._covariances[:, :dense, :dense].copy()
        for covariance, pending in zip(covariances, self._pending.copy(), strict=True):
            kernels.settle(covariance, pending, self._prior, self._tallies.copy(), dense)
        return covariances

    @property
    def _dense(self) -> int:
        return min(len(self._columns), self.columns_max) + 1

    @property
    def posteriors(self) -> Posteriors:
        """What a compiled loop learns with (no copies); until a column is admitted."""
        return self._posteriors

    def _admitted(self, name: str, place: int) -> None:
        capacity = len(self._prior)
        if place >= capacity:
            old = self._weights, self._variances, self._prior, self._means
            covariances, dense = self._covariances, self._covariances.shape[1]
            pending = self._pending
            self._allocate(min(2 * capacity, self._columns.places_max + 1))
            for held, array in zip(
                old, (self._weights, self._variances, self._prior, self._means), strict=True
            ):
                array[..., :capacity] = held
            self._covariances[:, :dense, :dense] = covariances
            self._pending[..., :dense] = pending
        if place > self.columns_max:
            self._prior[place] = HASHED_VARIANCE
            self._variances[:, place] = HASHED_VARIANCE
            return
        variance = prior_variance_of(name, self.prior_variance, self.prior_variances or {})
        self._prior[place] = variance
        self._covariances[:, place, place] = variance

    def linear(self, values: Floats) -> float:
        """Return the bias plus the weighted sum of an array of values, bias first, as served."""
        self._check(values)
        return mixed_sum(self._weights, self._shares, values)

    def _learn(self, values: Floats, y: float, weight: float) -> None:
        self._kernel(self._plain, values, y, weight, len(self._columns) + 1)

    def advance(self, days: float) -> None:
        """Forget what `days` of event time make old, and let the bias drift."""
        if not days > 0.0:
            return
        for expert, pace in enumerate(self.paces):
            kernels.settle(
                self._covariances[expert], self._pending[expert], self._prior, self._tallies,
                self._dense,
            )  # fmt: skip
            self._age(expert, days / pace.half_life_days)
            variance = self._covariances[expert, 0, 0]
            drifted = min(variance + pace.bias_drift * days, self._prior[0])
            self._covariances[expert, 0, 0] = max(variance, drifted)
        self._fade_tallies(math.exp(-math.log(2.0) * days / self.half_life_days))

    def _age(self, expert: int, halvings: float) -> None:
        dense = self._dense
        if halvings > _HALVINGS_MAX:
            self._covariances[expert, :dense, :dense] = np.diag(self._prior[:dense])
        else:
            self._forget(self._covariances[expert], halvings)
        kernels.forget_diagonal(
            self._variances[expert],
            self._prior,
            math.exp(-math.log(2.0) * halvings),
            dense,
            len(self._columns) + 1,
        )

    def _forget(self, covariance: Floats, halvings: float) -> None:
        # Each step keeps at least half, where the kernel's formula is at its best.
        steps = max(1, math.ceil(halvings))
        keep = math.exp(-math.log(2.0) * halvings / steps)
        if keep == 1.0:
            return
        places = np.empty(self._dense, np.int64)
        count = kernels.touched_columns(covariance, self._prior, places, self._dense)
        square = (count, count)
        block, factor, solved = np.empty(square), np.empty(square), np.empty(square)
        pivot_min = np.empty(count)
        for _ in range(steps):
            kernels.forget(
                covariance, self._prior, places[:count], block, factor, solved, pivot_min, keep
            )

    def to_state(self) -> StateParts:
        """Return everything needed to go on bit for bit; the arrays are copies.

        Those of several posteriors stand one behind the other.
        """
        size = len(self._columns) + 1
        lower = np.tril_indices(self._dense)
        arrays = {
            "weights": self._weights[:, :size].flatten(),
            "prior": self._prior[:size].copy(),
            "means": self._means[:size].copy(),
            "covariance": self._covariances[:, lower[0], lower[1]].flatten(),
        }
        if self._pending.any():
            arrays["pending"] = self._pending[..., : self._dense].flatten()
        if size > self._dense:
            arrays["variances"] = self._variances[:, self._dense : size].flatten()
        if len(self._shares) > 1:
            arrays["shares"] = self._shares.copy()
        return StateParts(list(self.columns), self._numbers(), arrays)

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible."""
        size, posteriors = len(columns) + 1, len(self._shares)
        dense = min(size, self.columns_max + 1)
        lengths = {
            "weights": posteriors * size,
            "prior": size,
            "means": size,
            "covariance": posteriors * (dense * (dense + 1) // 2),
        }
        if "pending" in arrays:
            lengths["pending"] = posteriors * kernels.PENDING * dense
        if size > dense:
            lengths["variances"] = posteriors * (size - dense)
        if posteriors > 1:
            lengths["shares"] = posteriors
        self._check_state(columns, numbers, arrays, lengths)
        self._take_numbers(columns, numbers)
        capacity = _CAPACITY_FIRST
        while capacity < size:
            capacity *= 2
        self._allocate(min(capacity, self._columns.places_max + 1))
        self._weights[:, :size] = arrays["weights"].reshape(posteriors, size)
        self._prior[:size] = arrays["prior"]
        self._means[:size] = arrays["means"]
        if size > dense:
            self._variances[:, dense:size] = arrays["variances"].reshape(posteriors, -1)
        if posteriors > 1:
            self._shares[:] = arrays["shares"]
        if "pending" in arrays:
            self._pending[..., :dense] = arrays["pending"].reshape(posteriors, -1, dense)
        lower, upper = np.tril_indices(dense)
        held = arrays["covariance"].reshape(posteriors, -1)
        self._covariances[:, lower, upper] = held
        self._covariances[:, upper, lower] = held
