"""What all learners share: columns, dictionaries to arrays, column means, tallies.

Owns: how a dictionary of features becomes an array, and what of it is counted as unusable.
Never: knows a likelihood or an optimiser, pickles, reads a clock.
Source: River's conventions for estimators (`learn_one`, `predict_one`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from models import kernels_learner as kernels
from models.hashed_columns import make_columns
from models.kernels_learner import Floats

STATE_FORMAT = 1
_TALLY_NAMES = (
    "weight_total",
    "rows_learned",
    "rows_ignored",
    "values_ignored",
    "values_clipped",
    "covariance_repairs",
    "noise_sum",
    "noise_weight",
)


class StateParts(NamedTuple):
    """A learner's state in parts that any codec can carry: names, numbers and float64 arrays."""

    columns: list[str]
    numbers: dict[str, float]
    arrays: dict[str, Floats]


class StateError(ValueError):
    """A learner state that this program cannot continue from."""


def part_of(whole: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What stands behind a prefix and a dot, by the rest of its name."""
    return {k.partition(".")[2]: v for k, v in whole.items() if k.startswith(f"{prefix}.")}


def numeric(value: object) -> float:
    """Return a feature value as a float; what is no number becomes NaN, which learners ignore."""
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        try:
            return float(value)
        except (OverflowError, TypeError):
            return math.nan
    return math.nan


def _together(held: float, value: float) -> float:
    """The sum of two features in one column; one that is no number does not spoil the other."""
    if not math.isfinite(held):
        return value
    return held + value if math.isfinite(value) else held


class ColumnLearner(ABC):
    """A learner over named columns; place 0 of every array of values is the bias."""

    _means: Floats
    _x: Floats  # Room for the values of a row, guarded.

    def _start(self, columns_max: int, hashed_max: int = 0) -> None:
        for name, bound in (("columns_max", columns_max), ("hashed_max", hashed_max)):
            if bound < 0:
                raise ValueError(f"{name} must not be negative, found {bound!r}")
        self._columns = make_columns(columns_max, hashed_max)
        self._tallies = np.zeros(kernels.TALLIES)

    @property
    def columns(self) -> list[str]:
        """The admitted feature names, in order of admission; not to be changed."""
        return self._columns.names

    @property
    def columns_refused(self) -> int:
        """How often a name found no room."""
        return self._columns.refused

    @property
    def means(self) -> Floats:
        """The running weighted mean of each column, aligned with `columns` (a view)."""
        return self._means[1 : len(self._columns) + 1]

    @property
    def rows_learned(self) -> int:
        """How many rows were learned."""
        return int(self._tallies[kernels.ROWS_LEARNED])

    @property
    def counts(self) -> dict[str, float]:
        """What was learned, ignored, clipped and refused so far, by name."""
        tallies = dict(zip(_TALLY_NAMES, self._tallies.tolist(), strict=True))
        return {**tallies, "columns_refused": float(self._columns.refused)}

    @abstractmethod
    def _admitted(self, name: str, place: int) -> None:
        """Make room in the arrays for a new column at `place` (1 for the first)."""

    @abstractmethod
    def _accepts(self, y: float) -> bool:
        """Whether a label can be learned."""

    @abstractmethod
    def _learn(self, values: Floats, y: float, weight: float) -> None:
        """Learn one row whose shape, label and weight were looked at, and count it."""

    def learn_row(self, values: Floats, y: float, weight: float = 1.0) -> None:
        """Learn one row given as an array, bias first; missing values at its end are zeros.

        A weight that is not positive and finite, or a label that cannot be, is ignored and
        counted; a weight beyond 1e6 counts as 1e6.
        """
        self._check(values)
        if 0.0 < weight < math.inf and self._accepts(y):
            self._learn(values, float(y), min(float(weight), kernels.WEIGHT_MAX))
        else:
            self._tallies[kernels.ROWS_IGNORED] += 1.0

    @abstractmethod
    def predict_row(self, values: Floats) -> float:
        """Predict one row given as an array, bias first."""

    def index(self, name: str) -> int:
        """Return the place of a name in `columns`, admitting it; -1 if there is no room."""
        known = len(self._columns)
        place = self._columns.admit(name)
        if place == known:
            self._admitted(name, place + 1)
        return place

    def refuse(self, names: int) -> None:
        """Count names that found no room, without asking for each."""
        self._columns.refused += names

    def gather(self, x: Mapping[Any, Any], *, admit: bool = False) -> Floats:
        """Return a dictionary of features as an array, bias first; a zero admits no column."""
        places = self._columns.places
        row = [0.0] * (len(places) + 1)
        for name, raw in x.items():
            value = raw if type(raw) is float else numeric(raw)
            place = places.get(name, -1)
            if place < 0:
                if value == 0.0:
                    continue
                place = self.index(str(name)) if admit else self._columns.find(str(name))
                if place < 0:
                    continue
                if place + 1 == len(row):
                    row.append(0.0)
            held = row[place + 1]
            row[place + 1] = value if held == 0.0 else _together(held, value)
        row[0] = 1.0
        return np.array(row)

    def _check(self, values: Floats) -> None:
        if values.ndim != 1 or not 0 < values.shape[0] <= len(self._columns) + 1:
            raise ValueError(
                f"expected 1 to {len(self._columns) + 1} values, bias first; "
                f"found an array of shape {values.shape}"
            )

    def _fade_tallies(self, keep: float) -> None:
        for tally in (kernels.WEIGHT_TOTAL, kernels.NOISE_SUM, kernels.NOISE_WEIGHT):
            self._tallies[tally] *= keep

    def _numbers(self) -> dict[str, float]:
        return {"format": float(STATE_FORMAT), **self.counts}

    def _take_numbers(self, columns: list[str], numbers: Mapping[str, float]) -> None:
        self._columns = self._columns.readmitted(columns)
        self._columns.refused = int(numbers["columns_refused"])
        self._tallies = np.array([numbers[name] for name in _TALLY_NAMES])

    def _check_state(
        self,
        columns: list[str],
        numbers: Mapping[str, float],
        arrays: Mapping[str, Floats],
        lengths: Mapping[str, int],
    ) -> None:
        if numbers.get("format") != STATE_FORMAT:
            found = numbers.get("format")
            raise StateError(f"learner state of format {found!r}, expected {STATE_FORMAT}")
        missing = {*_TALLY_NAMES, "columns_refused"} - numbers.keys()
        if missing:
            raise StateError(f"learner state lacks {sorted(missing)}")
        shapes = {name: array.shape for name, array in arrays.items()}
        wanted = {name: (length,) for name, length in lengths.items()}
        if shapes != wanted:
            raise StateError(f"learner state of shapes {shapes}, expected {wanted}")
        if self._columns.readmitted(columns).names != columns:
            raise StateError(
                f"learner state with {len(columns)} columns ({len(set(columns))} distinct), "
                f"at most {self._columns.places_max} allowed, the first "
                f"{self._columns.columns_max} of them by name"
            )
