"""A slow, a fast and a quick Bayesian logistic regression, hedged: a campaign's default learner.

Owns: which experts they are, their shares between two days, and what they say of a row.
Never: serves anything but one linear model, so that reasons stay exact.
Source: Littlestone & Warmuth (1994) "The weighted majority algorithm"; Herbster & Warmuth (1998)
    "Tracking the best expert" (the fixed share); Raftery et al. (2010) "Online prediction under
    model uncertainty via dynamic model averaging" (likelihoods that are forgotten).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from models import kernels_learner as kernels
from models.bayesian_logistic import BayesianLogisticRegression
from models.columns import COLUMNS_MAX
from models.dense_learner import Pace
from models.kernels_learner import Floats

SHARE_HALF_LIFE_DAYS = 30.0
"""After so many days what speaks for an expert counts half."""
SHARES = (1000.0, 10.0, 1.0)
"""How the shares of the experts stand to each other while nothing speaks for any."""


class HedgedLogisticRegression(BayesianLogisticRegression):
    """Three online Bayesian logistic regressions that forget at different paces, as one linear one.

    All learn every row. What is predicted has the logit Σ Wₖ·(wₖ·x). With a row, Wₖ is multiplied
    by the probability that expert k gave to the outcome when the row was scored, and by the one
    that it gives now, both to the power of the row's weight; the shares are normalised, and 0.0001
    of all goes to where they rest, which is at the slow expert. Day by day they go back to there.
    So the quick one costs nothing while nothing drifts, and leads within days where something does.

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
    quick_half_life_days
        After so many days a row counts half with the quick expert.
    quick_bias_drift
        Variance added to the quick expert's bias per day.
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
    >>> bool(model.shares[0] < 0.5)
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
        quick_half_life_days: float = 7.0,
        quick_bias_drift: float = 1e-2,
        columns_max: int = COLUMNS_MAX,
        hashed_max: int = 0,
    ) -> None:
        self.fast_half_life_days = fast_half_life_days
        self.fast_bias_drift = fast_bias_drift
        self.quick_half_life_days = quick_half_life_days
        self.quick_bias_drift = quick_bias_drift
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
        """Of the slow expert, the fast one and the quick one."""
        slow, fast, quick = SHARES
        return (
            Pace(self.half_life_days, self.bias_drift, slow),
            Pace(self.fast_half_life_days, self.fast_bias_drift, fast),
            Pace(self.quick_half_life_days, self.quick_bias_drift, quick),
        )

    def advance(self, days: float) -> None:
        """Forget what `days` of event time make old, also of what speaks for each expert."""
        super().advance(days)
        if not days > 0.0:
            return
        kept = math.exp(-math.log(2.0) * days / SHARE_HALF_LIFE_DAYS)
        for expert, rest in enumerate(self._rest.tolist()):
            gained = math.log(self._shares[expert]) - math.log(rest)
            self._shares[expert] = rest * math.exp(kept * gained)
        self._shares /= math.fsum(self._shares)

    def said_of(self, values: Floats) -> Floats:
        """Return the probability that each expert gives to a row, [3]."""
        self._check(values)
        linear = [kernels.linear_sum(weights, values) for weights in self._weights]
        return np.array([kernels.sigmoid(each) for each in linear])

    def learn_row(
        self, values: Floats, y: float, weight: float = 1.0, said: Floats | None = None
    ) -> None:
        """Learn one row given as an array, bias first.

        `said`, [3], is what the experts said of the row when it was scored, NaN where that is
        unknown, or the row no evidence of its own: then the shares stay. Without it, it is what
        they say now.
        """
        self._said[:] = self.said_of(values) if said is None else said
        super().learn_row(values, y, weight)

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible.

        A state of a slow and a fast expert goes on, too: the quick one begins as the fast one.
        """
        super().from_state(columns, numbers, self._with_quick(arrays))

    def _with_quick(self, arrays: Mapping[str, Floats]) -> Mapping[str, Floats]:
        known, wanted = np.size(arrays.get("shares", ())), len(self._shares)
        by_expert = ("weights", "covariance", "variances", "pending")
        found = {name: arrays[name] for name in by_expert if name in arrays}
        if known != wanted - 1 or any(each.size % known for each in found.values()):
            return arrays
        quick = self._rest[-1]
        completed = {
            name: np.concatenate([each, each[-(each.size // known) :]])
            for name, each in found.items()
        }
        return {**arrays, **completed, "shares": np.append(arrays["shares"] * (1.0 - quick), quick)}
