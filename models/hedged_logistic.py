"""A slow and a fast Bayesian logistic regression, hedged: the default learner of a campaign.

Owns: which two they are, and what they said of a row when it was scored.
Never: serves anything but one linear model, so that reasons stay exact.
Source: Littlestone & Warmuth (1994) "The weighted majority algorithm"; Herbster & Warmuth (1998)
    "Tracking the best expert" (the fixed share).
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from models import kernels_learner as kernels
from models.bayesian_logistic import BayesianLogisticRegression
from models.columns import COLUMNS_MAX
from models.dense_learner import Pace
from models.kernels_learner import Floats


class HedgedLogisticRegression(BayesianLogisticRegression):
    """Two online Bayesian logistic regressions, of which one forgets sooner, as one linear model.

    Both learn every row. What is predicted has the logit Σ Wₖ·(wₖ·x). With each row, Wₖ is
    multiplied by the probability that expert k had given to the outcome, to the power of the row's
    weight; the shares are normalised, and 0.0001 of all is spread evenly. So the mixture is never
    much worse than the better of the two, whether something drifts or not.

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
        After so many days a row counts half with the slow expert.
    bias_drift
        Variance added to the slow expert's bias per day.
    fast_half_life_days
        After so many days a row counts half with the fast expert.
    fast_bias_drift
        Variance added to the fast expert's bias per day.
    columns_max
        So many names have a column of their own, with all covariances.
    hashed_max
        So many columns are shared, by hash, by the names beyond, with variances only (prior 0.02);
        with 0 those names are refused and counted.

    Examples
    --------
    >>> model = HedgedLogisticRegression(rate=0.2)
    >>> for day in range(100):
    ...     model.advance(1)
    ...     model.learn_one({"cart_add seen": 1.0}, day < 50)
    >>> bool(model.shares[1] > model.shares[0])
    True
    """

    kind: ClassVar[str] = "hedged_logistic"

    def __init__(
        self,
        rate: float = 0.05,
        prior_variance: float = 0.03,
        prior_variances: Mapping[str, float] | None = None,
        bias_variance: float = 4.0,
        half_life_days: float = 365.0,
        bias_drift: float = 1e-4,
        fast_half_life_days: float = 60.0,
        fast_bias_drift: float = 1e-3,
        columns_max: int = COLUMNS_MAX,
        hashed_max: int = 0,
    ) -> None:
        self.fast_half_life_days = fast_half_life_days
        self.fast_bias_drift = fast_bias_drift
        super().__init__(
            rate=rate,
            prior_variance=prior_variance,
            prior_variances=prior_variances,
            bias_variance=bias_variance,
            half_life_days=half_life_days,
            bias_drift=bias_drift,
            columns_max=columns_max,
            hashed_max=hashed_max,
        )

    @property
    def paces(self) -> tuple[Pace, ...]:
        """Of the slow expert and of the fast one."""
        fast = Pace(self.fast_half_life_days, self.fast_bias_drift)
        return (*super().paces, fast)

    def said_of(self, values: Floats) -> Floats:
        """Return the probability that each expert gives to a row, [2]."""
        self._check(values)
        linear = [kernels.linear_sum(weights, values) for weights in self._weights]
        return np.array([kernels.sigmoid(each) for each in linear])

    def learn_row(
        self, values: Floats, y: float, weight: float = 1.0, said: Floats | None = None
    ) -> None:
        """Learn one row given as an array, bias first.

        `said`, [2], is what the experts said of the row when it was scored, NaN where that is
        unknown: then the shares stay. Without it, it is what they say now.
        """
        self._said[:] = self.said_of(values) if said is None else said
        super().learn_row(values, y, weight)
