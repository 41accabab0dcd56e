"""What linear learners share beside their columns: weights and a constant that scorers can read.

Owns: the promise that a model is an array of weights.
Never: knows a likelihood or an optimiser.
Source: ARCHITECTURE.md, "Two folds": what is served is read from `campaign-models`.
"""

from abc import abstractmethod

from models.column_learner import ColumnLearner, StateError, StateParts
from models.kernels_learner import Floats

__all__ = ["LinearLearner", "StateError", "StateParts"]


class LinearLearner(ColumnLearner):
    """A linear model over named columns."""

    @property
    @abstractmethod
    def weights(self) -> Floats:
        """The weights, float64, aligned with `columns`."""

    @property
    @abstractmethod
    def bias(self) -> float:
        """The constant term."""
