"""River's own logistic regression, made safe, behind the interface of the learners.

Owns: the names, the guard and the exact state around River's estimator.
Never: pickles River's objects; moves the intercept (the bias is a constant feature instead).
Source: Duchi, Hazan & Singer (2011) "Adaptive subgradient methods" (the optimiser, in River).
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from river import base, linear_model, optim

from models import kernels_learner as kernels
from models.columns import COLUMNS_MAX
from models.kernels_learner import Floats
from models.linear_learner import LinearLearner, StateParts


class RiverLogistic(LinearLearner, base.Classifier):
    """`river.linear_model.LogisticRegression` with AdaGrad, by place instead of by name.

    River's model sees the features under their places (0 is the constant), so its weights are read
    as an array. It does not forget: `advance` only fades the column means.

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
        if not 0.0 < rate < 1.0:
            raise ValueError(f"rate must lie between 0 and 1, found {rate!r}")
        if not (learning_rate > 0.0 and half_life_days > 0.0):
            raise ValueError("learning_rate and half_life_days must be above 0")
        self.rate = rate
        self.learning_rate = learning_rate
        self.half_life_days = half_life_days
        self.columns_max = columns_max
        self._start(columns_max)
        self._means = np.zeros(columns_max + 1)
        self._x = np.zeros(columns_max + 1)
        self._optimizer = optim.AdaGrad(learning_rate)
        self._model: Any = linear_model.LogisticRegression(
            self._optimizer, intercept_init=math.log(rate / (1.0 - rate)), intercept_lr=0.0
        )

    def _admitted(self, name: str, place: int) -> None:
        """River's model makes room itself."""

    @property
    def weights(self) -> Floats:
        """The weights, float64, aligned with `columns` (a copy)."""
        weights = np.zeros(len(self._columns) + 1)
        for place, weight in self._model.weights.items():
            weights[place] = weight
        return weights[1:]

    @property
    def bias(self) -> float:
        """The intercept plus the weight of the constant."""
        return float(self._model.intercept + self._model.weights.get(0, 0.0))

    def _by_place(self, values: Floats, tallies: Floats) -> dict[int, float]:
        self._check(values)
        size = len(self._columns) + 1
        kernels.take_in(self._x, values, tallies, size)
        return {place: x for place, x in enumerate(self._x[:size].tolist()) if x != 0.0}

    def learn_one(self, x: dict[Any, Any], y: Any, w: float = 1.0) -> None:
        """Learn one row; a feature that is no finite number is ignored and counted."""
        self.learn_row(self.gather(x, admit=True), float(bool(y)), w)

    def predict_proba_one(self, x: dict[Any, Any], **_kwargs: Any) -> dict[Any, float]:
        """Return the probabilities of False and True; admits no column."""
        probability = self.predict_row(self.gather(x))
        return {False: 1.0 - probability, True: probability}

    def learn_row(self, values: Floats, y: float, weight: float = 1.0) -> None:
        """Learn one row given as an array, bias first; missing values at its end are zeros."""
        if not (0.0 < weight < math.inf and y in (0.0, 1.0)):
            self._tallies[kernels.ROWS_IGNORED] += 1.0
            return
        weight = min(float(weight), kernels.WEIGHT_MAX)
        self._model.learn_one(self._by_place(values, self._tallies), y == 1.0, weight)
        kernels.update_means(self._means, self._x, self._tallies, weight, len(self._columns) + 1)
        self._tallies[kernels.ROWS_LEARNED] += 1.0

    def predict_row(self, values: Floats) -> float:
        """Return the probability of a row given as an array, bias first."""
        self._check(values)
        features = self._by_place(values, np.zeros(kernels.TALLIES))
        return float(self._model.predict_proba_one(features)[True])

    def advance(self, days: float) -> None:
        """Fade the column means by `days` of event time; the weights do not forget."""
        if days > 0.0:
            self._fade_tallies(math.exp(-math.log(2.0) * days / self.half_life_days))

    def to_state(self) -> StateParts:
        """Return everything needed to go on bit for bit."""
        size = len(self._columns) + 1
        weights = self._model.weights
        arrays = {
            # River sums in the order in which weights were first touched: it is part of the state.
            "places": np.array(list(weights), dtype=np.float64),
            "weights": np.array(list(weights.values()), dtype=np.float64),
            "squares": np.array([self._optimizer.g2[place] for place in weights]),
            "means": self._means[:size].copy(),
        }
        numbers = {**self._numbers(), "iterations": float(self._optimizer.n_iterations)}
        return StateParts(list(self.columns), numbers, arrays)

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible."""
        touched = len(arrays.get("places", ()))
        lengths = dict.fromkeys(("places", "weights", "squares"), touched)
        lengths["means"] = len(columns) + 1
        self._check_state(columns, numbers, arrays, lengths)
        self._take_numbers(columns, numbers)
        self._means[:] = 0.0
        self._means[: len(columns) + 1] = arrays["means"]
        self._optimizer.n_iterations = int(numbers["iterations"])
        self._optimizer.g2.clear()
        weights = self._model._weights  # noqa: SLF001 - River has no way to give a model its weights.
        weights.clear()
        for place, weight, squares in zip(
            arrays["places"].tolist(),
            arrays["weights"].tolist(),
            arrays["squares"].tolist(),
            strict=True,
        ):
            weights[int(place)] = weight
            self._optimizer.g2[int(place)] = squares
