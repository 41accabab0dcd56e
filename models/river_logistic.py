"""River's own logistic regression with AdaGrad as a learner.

Owns: the parameters, and what of AdaGrad belongs to the state.
Never: forgets; penalises a weight.
Source: Duchi, Hazan & Singer (2011) "Adaptive subgradient methods" (the optimiser, in River).
"""

from typing import Any, ClassVar

from river import optim

from models.columns import COLUMNS_MAX
from models.river_learner import RiverLearner


class RiverLogistic(RiverLearner):
    """`river.linear_model.LogisticRegression` with AdaGrad.

    Parameters
    ----------
    rate
        Expected share of positives, in (0, 1): the intercept stays at its logit.
    learning_rate
        AdaGrad's.
    half_life_days
        After so many days a row counts half in the column means.
    columns_max
        Names beyond this many are refused and counted.

    Examples
    --------
    >>> model = RiverLogistic(rate=0.2)
    >>> for _ in range(500):
    ...     model.learn_one({"cart_add seen": 1.0}, True)
    ...     model.learn_one({"cart_add seen": 0.0}, False)
    >>> model.predict_one({"cart_add seen": 1.0}), model.predict_one({"cart_add seen": 0.0})
    (True, False)
    """

    kind: ClassVar[str] = "river_logistic"

    def __init__(
        self,
        rate: float = 0.05,
        learning_rate: float = 0.03,
        half_life_days: float = 365.0,
        columns_max: int = COLUMNS_MAX,
    ) -> None:
        if not learning_rate > 0.0:
            raise ValueError(f"learning_rate must be above 0, found {learning_rate!r}")
        self.rate = rate
        self.learning_rate = learning_rate
        self.half_life_days = half_life_days
        self.columns_max = columns_max
        self._adagrad = optim.AdaGrad(learning_rate)
        self._start_river(self._adagrad, columns_max)

    def _remembered(self) -> dict[str, dict[Any, float]]:
        return {"squares": self._adagrad.g2}
