"""What is known of a campaign's scores once their outcomes are: quality, silence, drift, alarms.

Owns: the verdict on the rows of one learner, and everything that it needs to go on bit for bit.
Never: learns a campaign, changes what is served, or acts on an alarm; a fresh challenger would
    begin where `alarms` rise.
Source: models.quality and models.kernels_judgement have the measures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models import kernel_stability as stability
from models import kernels_judgement as kernels
from models.columns import COLUMNS_MAX
from models.distinct_counts import DistinctCounts
from models.kernel_learn_rows import Judging
from models.kernels_learner import WEIGHT_MAX
from models.kernels_quality import DAYS
from models.platt import PlattCalibrator
from models.quality import DAY_MS, Numbers, Window, make_quality, status
from schemas.model_record import ModelStatus

MONTH_DAYS = 28
GAIN_MIN = 0.005
"""The share of the log-loss that a calibrator must save before it is worth a thought."""
GROWING = {"tenure", "hits", "misses"}
_FORMAT = 1.0
_INPUTS = stability.SCORE + 1

Arrays = dict[str, NDArray[Any]]


class JudgementStateError(ValueError):
    """A state of a judgement that this program cannot continue from."""


class Settled(NamedTuple):
    """A row whose outcome is known, with what was served to it as long as somebody was served.

    `places` are those of its features among the known ones, -1 for others; `delay_ms` is how long
    the outcome took, negative where that is not known.
    """

    closed_at_ms: int
    label: float
    served: float | None
    weight: float
    customer: int
    places: NDArray[np.int32]
    values: NDArray[np.float64]
    delay_ms: int = -1
    ready: bool = True


class Alarms(NamedTuple):
    """How often the predictions' residuals, the scores or the inputs were found to have changed."""

    residuals: int
    scores: int
    inputs: int


class Judgement:
    """Judges the rows of one learner in log order.

    Parameters
    ----------
    predict: `conversion` or `value`.
    horizon_ms: rows of one customer within it count once where their answers are one.
    absence: whether 1 says that nothing came. Answers are what comes: when they fall silent,
        everybody looks lapsed.

    Examples
    --------
    >>> judgement = Judgement("conversion", horizon_ms=DAY_MS)
    >>> nothing = np.zeros(0, np.int32), np.zeros(0)
    >>> for customer in range(100):
    ...     row = Settled(1_764_000_000_000, 0.0, 0.1, 1.0, customer, *nothing)
    ...     _ = judgement.add(row)
    >>> judgement.is_silent, round(judgement.silence_log10, 2)
    (True, -4.58)
    """

    def __init__(self, predict: str, horizon_ms: int, *, absence: bool = False) -> None:
        self.quality = make_quality(predict)
        self._by_value = predict == "value"
        self._horizon_ms = horizon_ms
        self._absence = absence
        self._grows = np.zeros(COLUMNS_MAX + 1, np.uint8)
        self._begin()

    def know(self, place: int, name: str) -> None:
        """Learn what the input at a place is called: what counts a customer's life only grows."""
        self._grows[_INPUTS + place] = name in GROWING or name.endswith(" all")

    def _begin(self) -> None:
        self._calibrator = PlattCalibrator(offset=0.0)
        calibrator = kernels.Calibrator(*self._calibrator.arrays)
        self._watch = kernels.new_watch(calibrator, self._grows, absence=self._absence)

    @property
    def judging(self) -> Judging:
        """What a compiled loop judges with (no copies)."""
        return Judging(self.quality.buckets, self._watch, self._horizon_ms)

    def add(self, row: Settled) -> bool:
        """Judge a row; one that was served nothing is only listened to.

        Gives whether it is a witness of its own: judged, and its customer's first in a horizon.
        """
        numbers = self._watch.numbers
        alone = False
        if row.served is None:
            kernels.watch_unjudged(self._watch, row.label, self._by_value)
        elif self.quality.add(row.closed_at_ms, row.label, row.served, row.weight, row.delay_ms):
            weight = min(row.weight, WEIGHT_MAX)
            sums = self.quality.buckets.calibration[row.closed_at_ms // DAY_MS % DAYS]
            alone = kernels.watch_row(
                self._watch, sums, np.uint64(row.customer), row.closed_at_ms, self._horizon_ms,
                row.label, float(row.served), weight, row.places, row.values, 0, len(row.places),
                row.ready, self._by_value,
            )  # fmt: skip
        if self.is_silent:
            numbers[kernels.ROWS_SILENT] += 1.0
        return bool(alone)

    @property
    def is_silent(self) -> bool:
        """Whether no answer has come for so long that the predictions leave it no chance."""
        return bool(kernels.is_silent(self._watch.numbers))

    @property
    def silence_log10(self) -> float:
        """The logarithm of P(no answer since the last one), as the predictions say."""
        return float(self._watch.numbers[kernels.LOG_SILENCE]) / math.log(10.0)

    @property
    def rows_silent(self) -> int:
        """How many rows were not learned because answers were silent."""
        return int(self._watch.numbers[kernels.ROWS_SILENT])

    @property
    def alarms(self) -> Alarms:
        """How often something was found to have changed, since the learner began."""
        marks = self._watch.stability.marks
        return Alarms(
            int(self._watch.numbers[kernels.DRIFT_ALARMS]),
            int(marks[stability.SCORE_ALARMS]),
            int(marks[stability.INPUT_ALARMS]),
        )

    @property
    def drift_at_ms(self) -> int:
        """The event time of the last alarm of residuals, or -1."""
        return int(self._watch.numbers[kernels.DRIFT_AT_MS])

    @property
    def stability(self) -> tuple[float, NDArray[np.float64]] | None:
        """The index of the scores and those of the inputs, of the last span; None before it.

        Inputs that grow by their nature have 0.
        """
        if self._watch.stability.marks[stability.SPANS] < 2:
            return None
        indices = self._watch.stability.indices
        inputs = np.where(self._grows[_INPUTS:], 0.0, indices[_INPUTS:])
        return float(indices[stability.SCORE]), inputs

    @property
    def gain(self) -> float | None:
        """The share of the log-loss of 28 days that a calibrator would save; None without rows."""
        weight, served, calibrated = self.quality.calibration()
        return (served - calibrated) / served if weight and served else None

    def status(self, customers: DistinctCounts, month: Window) -> ModelStatus:
        """The status of a model so judged: `paused` before all but `warming`."""
        found = status(customers, month)
        return "paused" if self.is_silent and found != "warming" else found

    def summary(self, windows: Mapping[int, Window] | None = None) -> dict[str, float | None]:
        """Return the measures of all windows, and what is watched beside them."""
        numbers, alarms, indices = self._watch.numbers, self.alarms, self.stability
        return {
            **self.quality.summary(windows),
            "rows_not_judged": float(numbers[kernels.ROWS_NOT_JUDGED]),
            "rows_not_learned": float(self.rows_silent),
            "pauses": float(numbers[kernels.PAUSES]),
            "silence_log10": None if self._by_value else self.silence_log10,
            "alarms_residuals": float(alarms.residuals),
            "alarms_scores": float(alarms.scores),
            "alarms_inputs": float(alarms.inputs),
            "stability_scores": None if indices is None else indices[0],
            "stability_inputs": None if indices is None else float(indices[1].max()),
            "calibrator_gain": None if self._by_value else self.gain,
        }

    def to_state(self) -> tuple[Numbers, Arrays]:
        """Return everything but the quality, to go on bit for bit; the arrays are copies."""
        watch = self._watch
        numbers = {"format": _FORMAT}
        numbers |= dict(zip(kernels.NUMBERS, watch.numbers.tolist(), strict=True))
        marks = map(float, watch.stability.marks.tolist())
        numbers |= {f"stability_{k}": v for k, v in zip(stability.MARKS, marks, strict=True)}
        counts = watch.stability.cells.reshape(-1)
        places = np.flatnonzero(counts)
        return numbers, {
            "heard": watch.heard.copy(),
            **{f"adwin_{name}": held.copy() for name, held in watch.adwin._asdict().items()},
            "stability_places": places.astype(np.int32),
            "stability_counts": counts[places],
            "stability_indices": watch.stability.indices.copy(),
            "calibrator": self._calibrator.to_array(),
        }

    def from_state(self, numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `to_state` described; a state from before there was any begins anew.

        Raises
        ------
            JudgementStateError: the state is of another format or shape.
        """
        self._begin()
        if "format" not in numbers:
            return
        if numbers["format"] != _FORMAT:
            raise JudgementStateError(f"judgement of format {numbers['format']!r}, not {_FORMAT}")
        watch = self._watch
        held = {f"adwin_{name}": array for name, array in watch.adwin._asdict().items()}
        held |= {"heard": watch.heard, "stability_indices": watch.stability.indices}
        for name, array in held.items():
            if arrays[name].shape != array.shape:
                raise JudgementStateError(f"judgement with {name} of {arrays[name].shape}")
            array[:] = arrays[name]
        watch.numbers[:] = [numbers[name] for name in kernels.NUMBERS]
        watch.stability.marks[:] = [int(numbers[f"stability_{k}"]) for k in stability.MARKS]
        counts, places = watch.stability.cells.reshape(-1), arrays["stability_places"]
        if any(not 0 <= place < len(counts) for place in places.tolist()):
            raise JudgementStateError(f"judgement with counts beyond {len(counts)} cells")
        counts[places] = arrays["stability_counts"]
        self._calibrator.from_array(arrays["calibrator"])
