"""River's logistic regression with FTRL-Proximal, for wide models whose names share columns.

Owns: the optimiser's step, which River's own takes one update late.
Never: forgets; keeps a weight alive whose evidence is below the L1 penalty.
Source: McMahan et al. (2013) "Ad click prediction: a view from the trenches", algorithm 1.
"""

import math
from typing import Any, ClassVar

from river import optim

from models.columns import COLUMNS_MAX
from models.hashed_columns import HASHED_MAX
from models.river_learner import RiverLearner


class FTRLProximal(optim.FTRLProximal):
    """River's FTRL-Proximal, in which a weight belongs to the gradients seen so far.

    River computes a weight before it takes in the row's gradient, so each prediction lags one
    update, and leaves a weight as it was where the L1 penalty says zero.
    """

    def _step_with_dict(self, w: Any, g: Any) -> Any:
        z, n, alpha, l1 = self.z, self.n, self.alpha, self.l1
        for place, gradient in g.items():
            root = math.sqrt(n[place])
            n[place] += gradient * gradient
            grown = math.sqrt(n[place])
            z[place] += gradient - (grown - root) / alpha * w.get(place, 0.0)
            if abs(z[place]) <= l1:
                w[place] = 0.0
            else:
                excess = z[place] - math.copysign(l1, z[place])
                w[place] = -excess / ((self.beta + grown) / alpha + self.l2)
        return w


class RiverFTRL(RiverLearner):
    """`river.linear_model.LogisticRegression` with a corrected FTRL-Proximal and hashed columns.

    Parameters
    ----------
    rate
        Expected share of positives, in (0, 1): the intercept stays at its logit.
    alpha, beta
        The learning rate of a weight with squared gradients n is alpha / (beta + √n).
    l1, l2
        Penalties, of the weight of the constant, too.
    half_life_days
        After so many days a row counts half in the column means.
    columns_max
        So many names have a column of their own.
    hashed_max
        So many columns are shared, by hash, by the names beyond; with 0 those are refused.

    Examples
    --------
    >>> model = RiverFTRL(rate=0.2, columns_max=0)
    >>> for _ in range(500):
    ...     model.learn_one({"sku=a-17": 1.0}, True)
    ...     model.learn_one({"sku=b-4": 1.0}, False)
    >>> model.predict_one({"sku=a-17": 1.0}), model.predict_one({"sku=b-4": 1.0})
    (True, False)
    """

    kind: ClassVar[str] = "river_ftrl"

    def __init__(
        self,
        rate: float = 0.05,
        alpha: float = 0.1,
        beta: float = 1.0,
        l1: float = 0.0,
        l2: float = 1.0,
        half_life_days: float = 365.0,
        columns_max: int = COLUMNS_MAX,
        hashed_max: int = HASHED_MAX,
    ) -> None:
        if not (alpha > 0.0 and beta > 0.0 and l1 >= 0.0 and l2 >= 0.0):
            raise ValueError("alpha and beta must be above 0, l1 and l2 not negative")
        self.rate = rate
        self.alpha = alpha
        self.beta = beta
        self.l1 = l1
        self.l2 = l2
        self.half_life_days = half_life_days
        self.columns_max = columns_max
        self.hashed_max = hashed_max
        self._ftrl = FTRLProximal(alpha, beta, l1, l2)
        self._start_river(self._ftrl, columns_max, hashed_max)

    def _remembered(self) -> dict[str, dict[Any, float]]:
        return {"z": self._ftrl.z, "n": self._ftrl.n}
