"""A hurdle: how likely any value is, and how great it is then.

Owns: both parts over the same columns, and what they make of a row together.
Never: learns from a row without a value how great values are; predicts less than 0.
Source: Cragg (1971) "Some statistical models for limited dependent variables" (two parts); Duan
    (1983) "Smearing estimate: a nonparametric retransformation method".
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from models.bayesian_linear import TARGET_MAX, BayesianLinearRegression, ColumnRegressor
from models.column_learner import StateError, StateParts, part_of
from models.columns import COLUMNS_MAX
from models.hedged_logistic import HedgedLogisticRegression
from models.kernel_hurdle import Hurdle, expected_of, learn_amount, smearing_of
from models.kernel_posteriors import Posteriors
from models.kernels_learner import WEIGHT_MAX, Floats

_PART = "value"
_SMEAR = "smear"
_SMEARED_WEIGHT_MIN = 1e-6  # What is left of all rows after a long rest, so that 0 divides nothing.


class HurdleRegression(ColumnRegressor):
    """The expected value P(any) · E[value | any], of two linear models over the same columns.

    P(any) is a `HedgedLogisticRegression` of whether the value is above 0, which learns every row.
    E[value | any] comes from a `BayesianLinearRegression` of log(1 + value), which learns the rows
    with a value; exp of what it predicts is multiplied by the mean of exp(residual) and 1 is taken
    off. A value below 0 counts as 0. `weights` and `bias` are those of P(any), so reasons explain
    the probability.

    Parameters
    ----------
    rate
        Expected share of rows with a value, in (0, 1).
    prior_variance
        Prior variance of a weight; for the value in units of the noise variance of its logarithm.
    prior_variances
        Prior variances of single columns by name, or of families by prefix (`channel=`).
    bias_variance
        Prior variance of the bias, and the cap of its drift.
    half_life_days
        After so many days a row counts half, but for the fast expert of P(any).
    bias_drift
        Variance added to the bias per day, but for the fast expert's.
    columns_max
        So many names have a column of their own, with all covariances.
    hashed_max
        So many columns are shared, by hash, by the names beyond, with variances only (prior 0.02);
        with 0 those names are refused and counted.

    Examples
    --------
    >>> model = HurdleRegression(rate=0.5)
    >>> for step in range(4_000):
    ...     buys = step % 4 == 0
    ...     model.learn_one({"baskets": 2.0 * buys}, 30.0 * buys)
    >>> round(model.predict_one({"baskets": 2.0})), round(model.predict_one({"baskets": 0.0}))
    (28, 1)
    """

    kind: ClassVar[str] = "hurdle"

    def __init__(
        self,
        rate: float = 0.05,
        prior_variance: float = 0.03,
        prior_variances: Mapping[str, float] | None = None,
        bias_variance: float = 4.0,
        half_life_days: float = 365.0,
        bias_drift: float = 1e-4,
        columns_max: int = COLUMNS_MAX,
        hashed_max: int = 0,
    ) -> None:
        self.rate = rate
        self.prior_variance = prior_variance
        self.prior_variances = prior_variances
        self.bias_variance = bias_variance
        self.half_life_days = half_life_days
        self.bias_drift = bias_drift
        self.columns_max = columns_max
        self.hashed_max = hashed_max
        self._any = HedgedLogisticRegression(
            rate=rate,
            prior_variance=prior_variance,
            prior_variances=prior_variances,
            bias_variance=bias_variance,
            half_life_days=half_life_days,
            bias_drift=bias_drift,
            columns_max=columns_max,
            hashed_max=hashed_max,
        )
        self._value = self._make_value()
        self._smear = np.ones(2)

    def _make_value(self) -> BayesianLinearRegression:
        return BayesianLinearRegression(
            prior_variance=self.prior_variance,
            prior_variances=self.prior_variances,
            bias_variance=self.bias_variance,
            half_life_days=self.half_life_days,
            bias_drift=self.bias_drift,
            columns_max=self.columns_max,
            hashed_max=self.hashed_max,
        )

    @property
    def columns(self) -> list[str]:
        """The admitted feature names, in order of admission; not to be changed."""
        return self._any.columns

    @property
    def columns_refused(self) -> int:
        """How often a name found no room."""
        return self._any.columns_refused

    @property
    def means(self) -> Floats:
        """The running weighted mean of each column over all rows, aligned with `columns`."""
        return self._any.means

    @property
    def rows_learned(self) -> int:
        """How many rows were learned."""
        return self._any.rows_learned

    @property
    def counts(self) -> dict[str, float]:
        """What was learned, ignored, clipped and refused so far, by name."""
        return {**self._any.counts, "values_learned": float(self._value.rows_learned)}

    @property
    def weights(self) -> Floats:
        """The weights of P(any) as served, aligned with `columns`."""
        return self._any.weights

    @property
    def bias(self) -> float:
        """The constant term of P(any) as served."""
        return self._any.bias

    @property
    def weights_by_expert(self) -> Floats:
        """The weights of each expert of P(any), [E, 1 + columns], bias first (a view)."""
        return self._any.weights_by_expert

    @property
    def shares(self) -> Floats:
        """The share of each expert in P(any), [E] (a view); they sum to 1."""
        return self._any.shares

    @property
    def covariances(self) -> Floats:
        """The covariances of P(any), [E, n, n] (copies)."""
        return self._any.covariances

    @property
    def value_weights(self) -> Floats:
        """The weights of log(1 + value) where there is one, [1 + columns], bias first (a view)."""
        weights: Floats = self._value.weights_by_expert[0]
        return weights

    @property
    def smearing(self) -> float:
        """The mean of exp(residual), by which values exceed exp of their mean logarithm."""
        return float(smearing_of(self._smear))

    @property
    def posteriors(self) -> Posteriors:
        """What a compiled loop learns P(any) with (no copies); until a column is admitted."""
        return self._any.posteriors

    @property
    def hurdle(self) -> Hurdle:
        """What it learns the value with (no copies); until a column is admitted."""
        return Hurdle(self._value.posteriors, self._smear)

    def index(self, name: str) -> int:
        """Return the place of a name in `columns`, admitting it; -1 if there is no room."""
        place = self._any.index(name)
        self._follow()
        return place

    def _follow(self) -> None:
        """Give the value the columns that P(any) has."""
        for name in self._any.columns[len(self._value.columns) :]:
            self._value.index(name)

    def refuse(self, names: int) -> None:
        """Count names that found no room, without asking for each."""
        self._any.refuse(names)

    def gather(self, x: Mapping[Any, Any], *, admit: bool = False) -> Floats:
        """Return a dictionary of features as an array, bias first; a zero admits no column."""
        values = self._any.gather(x, admit=admit)
        self._follow()
        return values

    def learn_row(
        self, values: Floats, y: float, weight: float = 1.0, said: Floats | None = None
    ) -> None:
        """Learn one row given as an array, bias first.

        `said`, [E], is what the experts of P(any) said of the row when it was scored, as in
        `HedgedLogisticRegression.learn_row`. A label beyond 1e12 is ignored and counted.
        """
        known = abs(y) <= TARGET_MAX
        if known and y > 0.0 and 0.0 < weight < math.inf:
            predicted = self._value.predict_row(values)
            size = len(self.columns) + 1
            learn_amount(self.hurdle, values, predicted, float(y), min(weight, WEIGHT_MAX), size)
        self._any.learn_row(values, float(y > 0.0) if known else math.nan, weight, said)

    def probability(self, values: Floats) -> float:
        """Return P(any) of a row given as an array, bias first."""
        return self._any.predict_row(values)

    def predict_row(self, values: Floats) -> float:
        """Return the expected value of a row given as an array, bias first."""
        logarithm = self._value.predict_row(values)
        return float(expected_of(self.probability(values), logarithm, self.smearing))

    def advance(self, days: float) -> None:
        """Forget what `days` of event time make old, and let the biases drift."""
        if not days > 0.0:
            return
        self._any.advance(days)
        self._value.advance(days)
        keep = math.exp(-math.log(2.0) * days / self.half_life_days)
        self._smear *= max(keep, _SMEARED_WEIGHT_MIN / self._smear[1])

    def to_state(self) -> StateParts:
        """Return everything needed to go on bit for bit; the arrays are copies."""
        columns, numbers, arrays = self._any.to_state()
        _, more, held = self._value.to_state()
        numbers |= {f"{_PART}.{name}": number for name, number in more.items()}
        arrays |= {f"{_PART}.{name}": array for name, array in held.items()}
        return StateParts(columns, numbers, {**arrays, _SMEAR: self._smear.copy()})

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible."""
        smear = arrays.get(_SMEAR, np.zeros(0))
        if smear.shape != (2,) or not (smear > 0.0).all():
            raise StateError(
                "learner state without a factor of smearing above 0: "
                "it says how likely a value is, and not how great"
            )
        value = self._make_value()
        value.from_state(columns, part_of(numbers, _PART), part_of(arrays, _PART))
        own = {k: a for k, a in arrays.items() if not k.startswith(f"{_PART}.") and k != _SMEAR}
        self._any.from_state(columns, numbers, own)
        self._value, self._smear = value, smear.copy()
