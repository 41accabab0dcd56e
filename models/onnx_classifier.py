"""A model that was trained elsewhere, as a learner: it predicts, and only its probability learns.

Owns: the columns as the model's inputs, and the calibration of what it says.
Never: changes the model; admits a column that the model does not have.
Source: docs/learners.md, "A model trained elsewhere".
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from models import kernels_learner as kernels
from models.column_classifier import ColumnClassifier
from models.column_learner import StateError, StateParts
from models.kernels_learner import Floats
from models.onnx_session import OnnxSession
from models.platt import CALIBRATOR_NUMBERS, PlattCalibrator
from schemas.model_file import ModelFile

_PROBABILITY_MIN = 1e-9
_DIGEST_NUMBERS = 8


class OnnxClassifier(ColumnClassifier):
    """A classifier in ONNX behind the interface of the learners.

    Its columns are those of the model, in the model's order; any other name is refused and
    counted. Until a row was learned the probability is the model's own; then a calibrator is
    learned upon its logit. Features count within ±20, as for every learner.

    Parameters
    ----------
    model_file
        The model, see `models.onnx_session.OnnxSession`.
    half_life_days
        After so many days a row counts half in the column means.
    """

    kind: ClassVar[str] = "onnx"

    def __init__(self, model_file: ModelFile, half_life_days: float = 365.0) -> None:
        if not half_life_days > 0.0:
            raise ValueError(f"half_life_days must be above 0, found {half_life_days!r}")
        self.model_file = model_file
        self.half_life_days = half_life_days
        self._session = OnnxSession(model_file)
        self._start(len(self._session.columns))
        self._means = np.zeros(len(self._session.columns) + 1)
        self._x = np.zeros(len(self._session.columns) + 1)
        self._calibrator = PlattCalibrator(offset=0.0)
        self._columns = self._columns.readmitted(self._session.columns)

    def _admitted(self, name: str, place: int) -> None:
        """All columns are there from the beginning."""

    def _logit(self, values: Floats, tallies: Floats) -> float:
        self._check(values)
        kernels.take_in(self._x, values, tallies, len(self._x))
        probability = self._session.probability(self._x[1:])
        if math.isnan(probability):
            return 0.0
        bounded = min(max(probability, _PROBABILITY_MIN), 1.0 - _PROBABILITY_MIN)
        return math.log(bounded / (1.0 - bounded))

    def _learn(self, values: Floats, y: float, weight: float) -> None:
        self._calibrator.learn(self._logit(values, self._tallies), y, weight)
        self._count_row(weight)

    def predict_row(self, values: Floats) -> float:
        """Return the probability of a row given as an array, bias first."""
        return self._calibrator.probability(self._logit(values, np.zeros(kernels.TALLIES)))

    @property
    def _model_digest(self) -> Floats:
        """The file's digest as an array of eight numbers of 32 bits."""
        return np.frombuffer(bytes.fromhex(self.model_file.digest), "<u4").astype(np.float64)

    def to_state(self) -> StateParts:
        """Return everything needed to go on bit for bit, beside the model file itself."""
        arrays = {
            "means": self._means.copy(),
            "calibrator": self._calibrator.to_array(),
            "digest": self._model_digest,
        }
        return StateParts(list(self.columns), self._numbers(), arrays)

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible."""
        lengths = {
            "means": len(self._x),
            "calibrator": CALIBRATOR_NUMBERS,
            "digest": _DIGEST_NUMBERS,
        }
        self._check_state(columns, numbers, arrays, lengths)
        if not np.array_equal(arrays["digest"], self._model_digest) or columns != self.columns:
            raise StateError(f"learner state of another model than {self.model_file.path}")
        self._take_numbers(columns, numbers)
        self._means[:] = arrays["means"]
        self._calibrator.from_array(arrays["calibrator"])
