"""What classifiers over named columns share, as River estimators.

Owns: rows given as dictionaries, the two probabilities, and the means of those that keep no more.
Never: knows a likelihood or an optimiser.
Source: River's conventions for classifiers (`learn_one`, `predict_proba_one`).
"""

import math
from typing import Any

from river import base

from models import kernels_learner as kernels
from models.column_learner import ColumnLearner


class ColumnClassifier(ColumnLearner, base.Classifier):
    """A classifier over named columns, whose labels are 0 and 1.

    Unless a subclass forgets, `advance` only fades the column means.
    """

    half_life_days: float

    def learn_one(self, x: dict[Any, Any], y: Any, w: float = 1.0) -> None:
        """Learn one row; a feature that is no finite number is ignored and counted."""
        self.learn_row(self.gather(x, admit=True), float(bool(y)), w)

    def predict_proba_one(self, x: dict[Any, Any], **_kwargs: Any) -> dict[Any, float]:
        """Return the probabilities of False and True; admits no column."""
        probability = self.predict_row(self.gather(x))
        return {False: 1.0 - probability, True: probability}

    def advance(self, days: float) -> None:
        """Fade the column means by `days` of event time; what was learned is not forgotten."""
        if days > 0.0:
            self._fade_tallies(math.exp(-math.log(2.0) * days / self.half_life_days))

    def _accepts(self, y: float) -> bool:
        return y in (0.0, 1.0)

    def _count_row(self, weight: float) -> None:
        """Count the row that was taken into `_x`."""
        size = len(self._columns) + 1
        kernels.update_means(self._means, self._x, self._tallies, weight, size)
        self._tallies[kernels.ROWS_LEARNED] += 1.0
