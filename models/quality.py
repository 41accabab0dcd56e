"""How good the scores were, as served: sliding windows over settled outcomes, in event time.

Owns: daily sums and histograms of the last 28 days, and what `status` makes of them.
Never: measures a probability that was not the one served; reads a clock.
Source: He et al. (2014) "Practical lessons from predicting clicks on ads at Facebook"
    (normalised entropy); the rule of `status` is this project's contract.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models import kernels_quality as kernels
from models.distinct_counts import DistinctCounts
from models.kernel_learn_rows import Buckets
from schemas.model_record import ModelStatus

DAY_MS = 86_400_000
WINDOWS_DAYS = (1, 7, 28)
CALIBRATION_GROUPS = 15
PREDICTED_TO_ACTUAL_MIN = 0.8
PREDICTED_TO_ACTUAL_MAX = 1.25
_FORMAT = 1
_WEIGHT_MAX = 1e6
_VALUE_MAX = 1e12
CALIBRATION_SUMS = 3
"""Of a day: the weight, the log-loss as served and as a calibrator would have had it."""
_PLACES = {"cells": "cell_places", "delays": "delay_places"}

Numbers = dict[str, float]
Arrays = dict[str, NDArray[Any]]


class QualityStateError(ValueError):
    """A state of quality that this program cannot continue from."""


class Window(NamedTuple):
    """Quality over the last days; None where it is not defined (no rows, or one class only).

    `skill` is the normalised entropy of conversions (log-loss over the entropy of the base rate)
    and the normalised error of values (mean squared error over the variance): below 1 is better
    than knowing the average.
    """

    rows: int
    predicted_to_actual: float | None
    skill: float | None
    measures: dict[str, float | None]


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0.0 else None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


class Quality(ABC):
    """Daily buckets of the last 28 days, by the event day on which outcomes were settled."""

    _by_value: ClassVar[bool] = False

    def __init__(self, sums_per_day: int) -> None:
        self._sums = np.zeros((kernels.DAYS, sums_per_day))
        self._cells = np.zeros((kernels.DAYS, kernels.BINS, 3), np.float32)
        self._delays = np.zeros((kernels.DAYS, kernels.DELAY_BINS), np.float32)
        self._calibration = np.zeros((kernels.DAYS, CALIBRATION_SUMS))
        self._latest = -1
        self.rows_too_old = 0
        self.rows_ignored = 0

    def add(
        self,
        closed_at_ms: int,
        label: float,
        predicted: float,
        weight: float = 1.0,
        delay_ms: float = -1.0,
    ) -> bool:
        """Count a settled outcome against the prediction as it was served; whether it counts.

        Rows older than 28 days before the newest, and rows with a number that is not finite, are
        left out and counted. `delay_ms` is how long the outcome took; negative: not known.
        """
        if not (
            0.0 < weight < math.inf and abs(label) <= _VALUE_MAX and abs(predicted) <= _VALUE_MAX
        ):
            self.rows_ignored += 1
            return False
        day = closed_at_ms // DAY_MS
        if day > self._latest:
            self._turn(day)
        elif day <= self._latest - kernels.DAYS:
            self.rows_too_old += 1
            return False
        slot, weight = day % kernels.DAYS, min(weight, _WEIGHT_MAX)
        self._count(slot, label, predicted, weight)
        if label > 0.0:
            kernels.count_delay(self._delays, slot, delay_ms, weight)
        return True

    @property
    def buckets(self) -> Buckets:
        """What a compiled loop counts into (no copies), and the newest day that there is."""
        return Buckets(self._sums, self._cells, self._delays, self._calibration, self._latest)

    def _turn(self, day: int) -> None:
        first = max(self._latest + 1, day - kernels.DAYS + 1)
        for passed in range(first, day + 1):
            self._clear(passed % kernels.DAYS)
        self._latest = day

    def _clear(self, slot: int) -> None:
        for held in (self._sums, self._cells, self._delays, self._calibration):
            held[slot] = 0.0

    def _total(self, days: int) -> list[float]:
        total = np.zeros(self._sums.shape[1])
        kernels.add_days(total, self._sums, self._latest, days)
        found: list[float] = total.tolist()
        return found

    def _histogram(self, days: int) -> NDArray[np.float64]:
        flat = np.zeros(kernels.BINS * 3)
        cells = self._cells.reshape(kernels.DAYS, -1)
        kernels.add_histograms(flat, cells, self._sums, self._latest, days)
        return flat.reshape(-1, 3)

    def deciles(self, days: int) -> NDArray[np.float64]:
        """Return weight, actual and predicted of each tenth of the rows, the highest scores first.

        Shape (10, 3); a tie on an edge is split in proportion.
        """
        return self._deciles(self._histogram(days))

    def _deciles(self, histogram: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.zeros((kernels.DECILES, 3))
        kernels.fill_deciles(histogram, found, self._by_value)
        return found

    def _ranked_and_delayed(
        self, histogram: NDArray[np.float64], days: int
    ) -> dict[str, float | None]:
        deciles = self._deciles(histogram)
        actual = float(kernels.column_sum(deciles, kernels.TRUE))
        delays = np.zeros(kernels.DELAY_BINS)
        kernels.add_histograms(delays, self._delays, self._sums, self._latest, days)
        median, most = (kernels.delay_at(delays, share) / 1000.0 for share in (0.5, 0.9))
        return {
            "lift_10": _ratio(float(deciles[0, kernels.TRUE]) * kernels.DECILES, actual),
            "delay_median": _finite(median),
            "delay_p90": _finite(most),
        }

    def calibration(self) -> tuple[float, float, float]:
        """Return weight and mean log-loss of 28 days: as served, as a calibrator would have it."""
        total = np.zeros(CALIBRATION_SUMS)
        kernels.add_days(total, self._calibration, self._latest, kernels.DAYS)
        weight, served, calibrated = total.tolist()
        return weight, served / weight if weight else 0.0, calibrated / weight if weight else 0.0

    @abstractmethod
    def _count(self, slot: int, label: float, predicted: float, weight: float) -> None:
        """Count one row under a day's slot."""

    @abstractmethod
    def window(self, days: int) -> Window:
        """Return the quality of the last `days` (1 to 28) up to the newest day seen."""

    def summary(self, windows: Mapping[int, Window] | None = None) -> dict[str, float | None]:
        """Return all measures of all windows, named like `log_loss_7d`."""
        found: dict[str, float | None] = {}
        for days, window in (windows or self.windows()).items():
            found[f"rows_{days}d"] = float(window.rows)
            found[f"predicted_to_actual_{days}d"] = window.predicted_to_actual
            for name, measure in window.measures.items():
                found[f"{name}_{days}d"] = measure
        return found

    def windows(self) -> dict[int, Window]:
        """Return the quality of each window that is published, by its days."""
        return {days: self.window(days) for days in WINDOWS_DAYS}

    def to_state(self) -> tuple[Numbers, Arrays]:
        """Return everything needed to go on bit for bit; the arrays are copies."""
        numbers = {
            "format": float(_FORMAT),
            "latest_day": float(self._latest),
            "rows_too_old": float(self.rows_too_old),
            "rows_ignored": float(self.rows_ignored),
        }
        arrays: Arrays = {"sums": self._sums.copy(), "calibration": self._calibration.copy()}
        for name, held in self._sparse().items():
            used = np.flatnonzero(held.any(axis=1))
            arrays[_PLACES[name]], arrays[name] = used.astype(np.int32), held[used]
        return numbers, arrays

    def _sparse(self) -> Arrays:
        """What is mostly empty, as rows of which only those that are not are kept."""
        return {"cells": self._cells.reshape(-1, 3), "delays": self._delays.reshape(-1, 1)}

    def from_state(self, numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `to_state` described; raises QualityStateError if that is impossible."""
        if numbers.get("format") != _FORMAT:
            found = numbers.get("format")
            raise QualityStateError(f"quality state of format {found!r}, expected {_FORMAT}")
        if arrays["sums"].shape != self._sums.shape:
            raise QualityStateError(
                f"quality sums of shape {arrays['sums'].shape}, expected {self._sums.shape}"
            )
        self._sums[:] = arrays["sums"]
        self._calibration[:] = arrays.get("calibration", 0.0)
        for name, held in self._sparse().items():
            self._fill(held, name, arrays)
        self._latest = int(numbers["latest_day"])
        self.rows_too_old = int(numbers["rows_too_old"])
        self.rows_ignored = int(numbers["rows_ignored"])

    @staticmethod
    def _fill(held: NDArray[Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take up rows; a state that was written before there were such rows has none."""
        held[:] = 0.0
        if name not in arrays:
            return
        found = arrays[name]
        places = arrays[_PLACES[name]]
        if found.shape != (len(places), held.shape[1]) or any(
            not 0 <= place < len(held) for place in places.tolist()
        ):
            raise QualityStateError(f"quality {name} of shape {found.shape}, {len(places)} places")
        held[places] = found


def _groups(histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.zeros((CALIBRATION_GROUPS, 3))
    kernels.fill_groups(histogram, found)
    return found


class ConversionQuality(Quality):
    """Log-loss, normalised entropy, AUC and calibration of served probabilities.

    Examples
    --------
    >>> quality = ConversionQuality()
    >>> for label, probability in ((1, 0.8), (0, 0.3), (0, 0.1), (1, 0.6)):
    ...     _ = quality.add(1_764_000_000_000, label, probability)
    >>> quality.window(7).measures["auc"]
    1.0
    """

    def __init__(self) -> None:
        super().__init__(sums_per_day=5)

    def _count(self, slot: int, label: float, predicted: float, weight: float) -> None:
        probability = min(max(predicted, 0.0), 1.0)
        kernels.count_conversion(self._sums, self._cells, slot, label, probability, weight)

    def window(self, days: int) -> Window:
        """Return the quality of the last `days` (1 to 28) up to the newest day seen."""
        rows, weight, actual, predicted, loss = self._total(days)
        histogram = self._histogram(days)
        rate = actual / weight if weight > 0.0 else 0.0
        log_loss = _ratio(loss, weight)
        entropy = None
        if 0.0 < rate < 1.0:
            entropy = -(rate * math.log(rate) + (1.0 - rate) * math.log1p(-rate))
        skill = log_loss / entropy if log_loss is not None and entropy else None
        measures = {
            "weight": weight,
            "positives": actual,
            "predicted": predicted,
            "log_loss": log_loss,
            "base_log_loss": entropy,
            "normalised_entropy": skill,
            "auc": _finite(kernels.area_under_curve(histogram)),
            "average_precision": _finite(kernels.average_precision(histogram)),
            "calibration_error": _finite(kernels.calibration_error(_groups(histogram))),
            **self._ranked_and_delayed(histogram, days),
        }
        return Window(int(rows), _ratio(predicted, actual), skill, measures)

    def groups(self, days: int) -> NDArray[np.float64]:
        """Return weight, actual and predicted of 15 groups of equal mass, the lowest scores first.

        Shape (15, 3). Equal predictions are one group, so others may be empty.
        """
        return _groups(self._histogram(days))


class ValueQuality(Quality):
    """Errors of served expected values, and what the highest of them brought."""

    _by_value = True

    def __init__(self) -> None:
        super().__init__(sums_per_day=7)

    def _count(self, slot: int, label: float, predicted: float, weight: float) -> None:
        kernels.count_value(self._sums, self._cells, slot, label, predicted, weight)

    def window(self, days: int) -> Window:
        """Return the quality of the last `days` (1 to 28) up to the newest day seen."""
        rows, weight, actual, predicted, absolute, squared, squares = self._total(days)
        mean_squared = _ratio(squared, weight)
        skill = None
        if mean_squared is not None:
            mean = actual / weight
            skill = _ratio(mean_squared, squares / weight - mean * mean)
        measures = {
            "weight": weight,
            "actual": actual,
            "predicted": predicted,
            "mean_absolute_error": _ratio(absolute, weight),
            "root_mean_squared_error": None if mean_squared is None else math.sqrt(mean_squared),
            "normalised_error": skill,
            **self._ranked_and_delayed(self._histogram(days), days),
        }
        return Window(int(rows), _ratio(predicted, actual), skill, measures)


def make_quality(predict: str) -> Quality:
    """Return the quality of a campaign that predicts `conversion` or `value`."""
    if predict == "conversion":
        return ConversionQuality()
    if predict == "value":
        return ValueQuality()
    raise ValueError(f"no quality of {predict!r}; there are conversion and value")


def status(customers: DistinctCounts, month: Window) -> ModelStatus:
    """Return `warming`, `ready` or `unreliable` from the customers seen and a window of 28 days.

    Warming until 100 converting and 100 other customers matured; unreliable while the scores are
    no better than the average, or their sum is off the outcomes by more than a quarter upwards or
    a fifth downwards. A month without an outcome of either class tells nothing.
    """
    if not customers.enough:
        return "warming"
    if month.skill is not None and month.skill >= 1.0:
        return "unreliable"
    ratio = month.predicted_to_actual
    if ratio is not None and not PREDICTED_TO_ACTUAL_MIN <= ratio <= PREDICTED_TO_ACTUAL_MAX:
        return "unreliable"
    return "ready"
