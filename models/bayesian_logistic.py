"""Online Bayesian logistic regression.

Owns: the Bernoulli likelihood over the dense Gaussian posterior, as a River estimator.
Never: scales a feature, needs a learning rate, learns from a label that is not settled.
Source: Spiegelhalter & Lauritzen (1990) "Sequential updating of conditional probabilities";
    West & Harrison, "Bayesian Forecasting and Dynamic Models".
"""

import math
from collections.abc import Mapping
from typing import ClassVar

from models import kernel_posteriors
from models import kernels_learner as kernels
from models.column_classifier import ColumnClassifier
from models.columns import COLUMNS_MAX
from models.dense_learner import DenseLearner
from models.kernels_learner import Floats


class BayesianLogisticRegression(DenseLearner, ColumnClassifier):
    """Logistic regression with a Gaussian posterior, updated row by row.

    Each row moves the posterior to its mode and expands it there ("online Laplace"): after one pass
    the weights are close to the penalised optimum, the prior variance being the L2 penalty, and
    there is no learning rate. `advance` forgets with event time. Features are expected on natural
    scales (signed logs, flags, sines).

    Parameters
    ----------
    rate
        Expected share of positives, in (0, 1): the bias starts at its logit.
    prior_variance
        Prior variance of a weight.
    prior_variances
        Prior variances of single columns by name, or of families by prefix (`channel=`).
    bias_variance
        Prior variance of the bias, and the cap of its drift.
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
    >>> model = BayesianLogisticRegression(rate=0.2)
    >>> for _ in range(50):
    ...     model.learn_one({"cart_add seen": 1.0}, True)
    ...     model.learn_one({"cart_add seen": 0.0}, False)
    >>> model.predict_one({"cart_add seen": 1.0}), model.predict_one({"cart_add seen": 0.0})
    (True, False)
    """

    kind: ClassVar[str] = "bayesian_logistic"
    _kernel = staticmethod(kernel_posteriors.learn_logistic)

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
        if not 0.0 < rate < 1.0:
            raise ValueError(f"rate must lie between 0 and 1, found {rate!r}")
        self.rate = rate
        self.prior_variance = prior_variance
        self.prior_variances = prior_variances
        self.bias_variance = bias_variance
        self.half_life_days = half_life_days
        self.bias_drift = bias_drift
        self.columns_max = columns_max
        self.hashed_max = hashed_max
        self._start_dense(bias=math.log(rate / (1.0 - rate)))

    def predict_row(self, values: Floats) -> float:
        """Return the probability of a row given as an array, bias first."""
        return kernels.sigmoid(self.linear(values))
