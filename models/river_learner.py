"""River's logistic regressions, made safe, behind the interface of the learners.

Owns: the names, the guard and the exact state around River's estimator and its optimiser.
Never: pickles River's objects; moves the intercept (the bias is a constant feature instead).
Source: River's `linear_model.LogisticRegression`.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from river import linear_model

from models import kernels_learner as kernels
from models.column_classifier import ColumnClassifier
from models.kernels_learner import Floats
from models.linear_learner import LinearLearner, StateParts


class RiverLearner(LinearLearner, ColumnClassifier):
    """`river.linear_model.LogisticRegression` with an optimiser, by place instead of by name.

    River's model sees the features under their places (0 is the constant), so its weights are read
    as an array. It does not forget: `advance` only fades the column means. Subclasses name their
    parameters and call `_start_river`.
    """

    rate: float

    def _start_river(self, optimizer: Any, columns_max: int, hashed_max: int = 0) -> None:
        if not 0.0 < self.rate < 1.0:
            raise ValueError(f"rate must lie between 0 and 1, found {self.rate!r}")
        if not self.half_life_days > 0.0:
            raise ValueError(f"half_life_days must be above 0, found {self.half_life_days!r}")
        self._start(columns_max, hashed_max)
        self._means = np.zeros(self._columns.places_max + 1)
        self._x = np.zeros(self._columns.places_max + 1)
        self._optimizer = optimizer
        self._model: Any = linear_model.LogisticRegression(
            optimizer, intercept_init=math.log(self.rate / (1.0 - self.rate)), intercept_lr=0.0
        )

    @abstractmethod
    def _remembered(self) -> dict[str, dict[Any, float]]:
        """What the optimiser remembers of each place, by name; the dictionaries themselves."""

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
        places = np.flatnonzero(self._x[:size])
        return dict(zip(places.tolist(), self._x[places].tolist(), strict=True))

    def _learn(self, values: Floats, y: float, weight: float) -> None:
        self._model.learn_one(self._by_place(values, self._tallies), y == 1.0, weight)
        self._count_row(weight)

    def predict_row(self, values: Floats) -> float:
        """Return the probability of a row given as an array, bias first."""
        features = self._by_place(values, np.zeros(kernels.TALLIES))
        return float(self._model.predict_proba_one(features)[True])

    def to_state(self) -> StateParts:
        """Return everything needed to go on bit for bit."""
        weights = self._model.weights
        arrays = {
            # River sums in the order in which weights were first touched: it is part of the state.
            "places": np.array(list(weights), dtype=np.float64),
            "weights": np.array(list(weights.values()), dtype=np.float64),
            "means": self._means[: len(self._columns) + 1].copy(),
        }
        for name, held in self._remembered().items():
            arrays[name] = np.array([held[place] for place in weights], dtype=np.float64)
        numbers = {**self._numbers(), "iterations": float(self._optimizer.n_iterations)}
        return StateParts(list(self.columns), numbers, arrays)

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible."""
        touched = len(arrays.get("places", ()))
        lengths = dict.fromkeys(("places", "weights", *self._remembered()), touched)
        lengths["means"] = len(columns) + 1
        self._check_state(columns, numbers, arrays, lengths)
        self._take_numbers(columns, numbers)
        self._means[:] = 0.0
        self._means[: len(columns) + 1] = arrays["means"]
        self._optimizer.n_iterations = int(numbers["iterations"])
        places = arrays["places"].astype(np.int64).tolist()
        weights = self._model._weights  # noqa: SLF001 - River has no way to give a model its weights.
        for name, held in {**self._remembered(), "weights": weights}.items():
            held.clear()
            for place, value in zip(places, arrays[name].tolist(), strict=True):
                held[place] = value
