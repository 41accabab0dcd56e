"""Online Bayesian linear regression, the learner of campaigns that predict a value.

Owns: the Gaussian likelihood with unknown noise over the dense posterior, as a River estimator.
Never: scales a feature or a target, needs a learning rate.
Source: Bishop, "Pattern Recognition and Machine Learning", 3.3; West & Harrison,
    "Bayesian Forecasting and Dynamic Models", 4.5 (unknown observation variance).
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from river import base

from models import kernel_posteriors
from models import kernels_learner as kernels
from models.columns import COLUMNS_MAX
from models.dense_learner import DenseLearner
from models.kernels_learner import Floats

TARGET_MAX = 1e12


class ColumnRegressor(base.Regressor):
    """A regressor over named columns: rows given as dictionaries are gathered into arrays."""

    @abstractmethod
    def gather(self, x: Mapping[Any, Any], *, admit: bool = False) -> Floats:
        """Return a dictionary of features as an array, bias first; a zero admits no column."""

    @abstractmethod
    def learn_row(self, values: Floats, y: float, weight: float = 1.0) -> None:
        """Learn one row given as an array, bias first."""

    @abstractmethod
    def predict_row(self, values: Floats) -> float:
        """Return the expected value of a row given as an array, bias first."""

    def learn_one(self, x: dict[Any, Any], y: Any, w: float = 1.0) -> None:
        """Learn one row; a feature that is no finite number is ignored and counted."""
        self.learn_row(self.gather(x, admit=True), float(y), w)

    def predict_one(self, x: dict[Any, Any]) -> float:
        """Return the expected value of a row; admits no column."""
        return self.predict_row(self.gather(x))


class BayesianLinearRegression(DenseLearner, ColumnRegressor):
    """Linear regression with a normal-inverse-gamma posterior, updated row by row.

    Prior variances are in units of the noise variance, so they mean the same whatever the unit of
    the target: 0.03 is a ridge penalty of 33 rows.

    Parameters
    ----------
    start
        The prediction before anything was learned.
    prior_variance
        Prior variance of a weight, in units of the noise variance.
    prior_variances
        Prior variances of single columns by name, or of families by prefix (`channel=`).
    bias_variance
        Prior variance of the bias, in the same units, and the cap of its drift.
    half_life_days
        After so many days a row counts half.
    bias_drift
        Variance added to the bias per day.
    columns_max
        So many names have a column of their own, with all covariances.
    hashed_max
        So many columns are shared, by hash, by the names beyond, with variances only (prior 0.02);
        with 0 those names are refused and counted.

    Examples
    --------
    >>> model = BayesianLinearRegression()
    >>> for step in range(2_000):
    ...     model.learn_one({"baskets": step % 5}, 10.0 * (step % 5) + 3.0)
    >>> round(model.predict_one({"baskets": 4}))
    43
    """

    kind: ClassVar[str] = "bayesian_linear"
    _kernel = staticmethod(kernel_posteriors.learn_gaussian)

    def __init__(
        self,
        start: float = 0.0,
        prior_variance: float = 0.03,
        prior_variances: Mapping[str, float] | None = None,
        bias_variance: float = 4.0,
        half_life_days: float = 365.0,
        bias_drift: float = 1e-4,
        columns_max: int = COLUMNS_MAX,
        hashed_max: int = 0,
    ) -> None:
        if not math.isfinite(start):
            raise ValueError(f"start must be finite, found {start!r}")
        self.start = start
        self.prior_variance = prior_variance
        self.prior_variances = prior_variances
        self.bias_variance = bias_variance
        self.half_life_days = half_life_days
        self.bias_drift = bias_drift
        self.columns_max = columns_max
        self.hashed_max = hashed_max
        self._start_dense(bias=start)

    @property
    def noise_variance(self) -> float:
        """The noise variance estimated so far, in squared units of the target; NaN before a row."""
        total = float(self._tallies[kernels.NOISE_WEIGHT])
        return float(self._tallies[kernels.NOISE_SUM]) / total if total > 0.0 else math.nan

    def _accepts(self, y: float) -> bool:
        return abs(y) <= TARGET_MAX

    def predict_row(self, values: Floats) -> float:
        """Return the expected value of a row given as an array, bias first."""
        return self.linear(values)
