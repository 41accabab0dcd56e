"""What is watched of each judged row: silence, drift, stability, and what a calibrator would do.

Owns: the order of these steps for one row; both ways of learning a row call the same loop.
Never: decides who is served; keeps a customer beyond the bits of its hash.
Source: models.kernel_adwin, models.kernel_stability and models.platt have theirs.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from models.compiled import compiled, inlined
from models.kernel_adwin import Adwin, new_adwin, take_number
from models.kernel_posteriors import Posteriors, learn_at_once
from models.kernel_stability import Stability, new_stability, take_row
from models.kernels_learner import Floats, linear_sum, sigmoid
from models.kernels_quality import bin_of, bin_of_value, bounded, log_loss
from models.layout import DAY_MS
from models.state import F8, I4, U1, U8

LOG_SILENCE_MIN: Final = math.log(1e-4)
HEARD_BITS: Final = 1 << 15
HEARD_MAX: Final = HEARD_BITS // 2
BINS_PER_CELL: Final = 10
_GROWTH_PER_DAY: Final = 1.0116
"""The calibrator's covariance doubles in 60 days, up to its prior: it forgets."""

HEARD_SINCE_MS, HEARD, LOG_SILENCE, PAUSES, ROWS_SILENT = range(5)
ROWS_JUDGED, ROWS_NOT_JUDGED, DRIFT_ALARMS, DRIFT_AT_MS, CALIBRATED_DAY = range(5, 10)
NUMBERS: Final = ("heard_since_ms", "heard", "log_silence", "pauses", "rows_silent",
                  "rows_judged", "rows_not_judged", "drift_alarms", "drift_at_ms",
                  "calibrated_day")  # fmt: skip


class Calibrator(NamedTuple):
    """A Platt calibrator: offset and slope, and room for a row."""

    posterior: Posteriors
    values: Floats


class Watch(NamedTuple):
    """What is watched of one campaign's rows, to be changed in place."""

    numbers: Floats  # as NUMBERS names them
    heard: U8  # a bit for each customer heard in this horizon, by its hash
    adwin: Adwin
    stability: Stability
    calibrator: Calibrator
    absence: bool  # A label of 1 says that no answer came.


def new_watch(calibrator: Calibrator, grows: U1, *, absence: bool = False) -> Watch:
    """Nothing seen yet."""
    numbers = np.zeros(len(NUMBERS))
    numbers[[HEARD_SINCE_MS, DRIFT_AT_MS, CALIBRATED_DAY]] = -1.0
    heard = np.zeros(HEARD_BITS // 64, np.uint64)
    return Watch(numbers, heard, new_adwin(), new_stability(grows), calibrator, absence)


@compiled
def is_silent(numbers: Floats) -> bool:
    """Whether answers have fallen silent, as far as the predictions tell."""
    return bool(numbers[LOG_SILENCE] < LOG_SILENCE_MIN)


@inlined
def _is_first(watch: Watch, customer: np.uint64, closed_ms: int, horizon_ms: int) -> bool:
    """Whether a customer is heard for the first time in this horizon.

    Rows of one customer whose horizons overlap have much the same answer: they are one witness.
    Who shares a bit with another is passed over. After half as many customers as there are bits
    it begins anew, so that nobody is passed over for long.
    """
    numbers, heard = watch.numbers, watch.heard
    since = numbers[HEARD_SINCE_MS]
    if since < 0.0 or closed_ms - since >= horizon_ms or numbers[HEARD] >= HEARD_MAX:
        for at in range(heard.shape[0]):
            heard[at] = np.uint64(0)
        numbers[HEARD_SINCE_MS] = float(closed_ms)
        numbers[HEARD] = 0.0
    place = customer & np.uint64(HEARD_BITS - 1)
    word = int(place >> np.uint64(6))
    bit = np.uint64(1) << (place & np.uint64(63))
    if heard[word] & bit != np.uint64(0):
        return False
    heard[word] |= bit
    numbers[HEARD] += 1.0
    return True


@inlined
def _is_answer(watch: Watch, label: float) -> bool:
    """Whether a row shows that answers come: where an absence is asked for, who came back does."""
    return (label > 0.0) != watch.absence


@inlined
def _listen(watch: Watch, label: float, inside: float, first: bool) -> None:
    """Take a row into P(no answer since the last one), as the predictions say."""
    numbers = watch.numbers
    was_silent = is_silent(numbers)
    if _is_answer(watch, label):
        numbers[LOG_SILENCE] = 0.0
    elif first:
        numbers[LOG_SILENCE] += math.log(inside) if watch.absence else math.log1p(-inside)
    if is_silent(numbers) and not was_silent:
        numbers[PAUSES] += 1.0


@inlined
def _calibrate(
    watch: Watch, sums: Floats, day: int, label: float, inside: float, weight: float
) -> None:
    """Count what a calibrator would have said of the row, then let it learn the row."""
    posterior, values = watch.calibrator
    covariance, prior = posterior.covariance[0], posterior.prior
    last = watch.numbers[CALIBRATED_DAY]
    if last >= 0.0 and day > last:
        for _ in range(min(day - int(last), 60)):
            if (
                covariance[0, 0] * _GROWTH_PER_DAY <= prior[0]
                and covariance[1, 1] * _GROWTH_PER_DAY <= prior[1]
            ):
                for row in range(2):
                    for column in range(2):
                        covariance[row, column] *= _GROWTH_PER_DAY
    watch.numbers[CALIBRATED_DAY] = max(last, float(day))
    values[0], values[1] = 1.0, math.log(inside) - math.log1p(-inside)
    calibrated = bounded(sigmoid(linear_sum(posterior.weights[0], values)))
    sums[0] += weight
    sums[1] += weight * log_loss(inside, label > 0.0)
    sums[2] += weight * log_loss(calibrated, label > 0.0)
    learn_at_once(posterior, values, 1.0 if label > 0.0 else 0.0, weight, 2)


@inlined
def _residual(label: float, served: float, by_value: bool) -> float:
    """The signed residual of a row from 0 to 1, 0.5 where it was predicted exactly.

    Of a value it is relative: (actual - predicted) / (|actual| + |predicted|).
    """
    if not by_value:
        return 0.5 * (1.0 + (1.0 if label > 0.0 else 0.0) - served)
    scale = abs(label) + abs(served)
    return 0.5 * (1.0 + (label - served) / scale) if scale > 0.0 else 0.5


@compiled
def watch_row(
    watch: Watch,
    calibration: Floats,
    customer: np.uint64,
    closed_ms: int,
    horizon_ms: int,
    label: float,
    served: float,
    weight: float,
    places: I4,
    values: F8,
    first: int,
    stop: int,
    ready: bool,
    by_value: bool,
) -> bool:
    """Watch a row that was counted for quality; gives whether it is a witness of its own.

    While answers are silent, a row teaches nobody what it might say about answers.
    `calibration` holds the sums of the row's day; `places[first:stop]` and `values` are the
    features of the row whose columns are known, by the order in which they became so.
    """
    numbers = watch.numbers
    numbers[ROWS_JUDGED] += 1.0
    alone = _is_first(watch, customer, closed_ms, horizon_ms)
    inside = bounded(served)
    if not by_value:
        _listen(watch, label, inside, alone)
    if alone:
        score = bin_of_value(served) if by_value else bin_of(inside)
        cell = score // BINS_PER_CELL
        take_row(watch.stability, closed_ms, cell, places, values, first, stop, ready)
    if is_silent(numbers):
        return alone
    if alone and take_number(watch.adwin, _residual(label, inside if not by_value else served,
                                                    by_value)):  # fmt: skip
        numbers[DRIFT_ALARMS] += 1.0
        numbers[DRIFT_AT_MS] = max(numbers[DRIFT_AT_MS], float(closed_ms))
    if not by_value:
        _calibrate(watch, calibration, closed_ms // DAY_MS, label, inside, weight)
    return alone


@compiled
def watch_unjudged(watch: Watch, label: float, by_value: bool) -> None:
    """Note a row to which nobody was served the learner's own prediction: an answer is one."""
    watch.numbers[ROWS_NOT_JUDGED] += 1.0
    if _is_answer(watch, label) and not by_value:
        watch.numbers[LOG_SILENCE] = 0.0
